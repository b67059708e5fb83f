"""Questions to a status about single cases."""

from .status import Status


def case_ids(status: Status) -> list[str]:
    """Return the ids of all cases, by code point; some are known from custody alone."""
    held = {case_id for case_id in status.custody.holds if case_id is not None}
    return sorted(status.cases.keys() | held)


def is_open(status: Status, case_id: str) -> bool:
    """Return whether the case is open; no case of a dead person is."""
    if status.posts.died is not None:
        return False
    case = status.cases.get(case_id)
    return case.is_open if case else status.custody.holds[case_id].is_active
