"""Flags: the anomalies of single facts."""

from typing import NamedTuple


class Flag(NamedTuple):
    """An anomaly of one fact: a stable code (docs/model.md), and the fact's id."""

    code: str
    fact_id: str
