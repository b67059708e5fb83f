"""The normal form of a rule: plain JSON values, from which its version is made and with which the ledger keeps it."""

from datetime import date, timedelta


def plain(value: object) -> object:
    """Return *value* as JSON values: sets sorted, durations in seconds, days as texts."""
    match value:
        case frozenset():
            return sorted(value)
        case tuple():
            return [plain(held) for held in value]
        case date():
            return value.isoformat()
        case timedelta():
            return int(value.total_seconds())
        case dict():
            return {key: plain(held) for key, held in value.items()}
        case _:
            return value
