"""A question to a status about its cases."""

from .status import Status


def open_by_case(status: Status) -> dict[str, bool]:
    """
    Return whether each case is open, by its id, in the order of code points. No case of a dead person is open.

    Some cases are known from custody alone.
    """
    cases, holds, alive = status.cases, status.custody.holds, status.posts.died is None
    known = sorted(cases.keys() | {case_id for case_id in holds if case_id is not None})
    return {
        case_id: alive and (cases[case_id].is_open if case_id in cases else holds[case_id].is_active)
        for case_id in known
    }
