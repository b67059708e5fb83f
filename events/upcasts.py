"""
Lifting of data written in an older version of a type to the current one.

A type gets a new version when its data changes in a way that old readers would misread. The step from the version
before goes into `LIFTS`. It stays there permanently, since the log keeps old facts permanently.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

Data = Mapping[str, Any]
Lift = Callable[[Data], Data]

LIFTS: Final[Mapping[tuple[str, str], Lift]] = {}
"""(type, version) -> function from data of that version to the next. Empty: every type is at its first version."""


def lift(type: str, version: str, data: Data, lifts: Mapping[tuple[str, str], Lift] = LIFTS) -> Data:  # noqa: A002
    """
    Return *data* in the shape of the current version of *type*.

    Args:
        type: a type of the vocabulary.
        version: the dataversion that *data* was written in; versions count up from "1".
        data: the data; it is not changed.
        lifts: the steps that are known.
    """
    while step := lifts.get((type, version)):
        data = step(data)
        version = str(int(version) + 1)
    return data
