"""The reasons of a rule in words."""

from collections.abc import Callable, Mapping
from typing import Final

from projections.rules.reasons import Reason

from .terms import safe, type_words

Detail = Mapping[str, str]

VALUES: Final = {
    "standing": "the rule finds its pattern",
    "ended": "the pattern was there, and has ended",
    "void": "the rule stays silent",
}
"""By the value of a finding, the answer of the rule."""
_MARKS: Final = {True: "yes", False: "no", None: "-"}
_WAS: Final = {"yes": "so it was", "no": "it was not", "": "not known"}
_STILL: Final = {"yes": "so it was up to the deadline, as far as is known", "no": "it was not so all the time"}
_ORDERS: Final = {
    "after": "certainly after the anchor",
    "before": "not after the anchor",
    "undecided": "perhaps after the anchor, perhaps not",
}
_EFFECTS: Final = {
    "completes": "completes the pattern",
    "prevents": "prevents the alert",
    "ends": "ends the silence",
    "changes": "changes the effect of others",
    "none": "does not count",
    "": "part of the pattern",
}
_OF_OTHERS: Final = {
    "completes": "after the anchor and in time: completes the pattern",
    "ended": "completed the pattern, which has ended",
    "before": "not after the anchor",
    "undecided": "perhaps after the anchor, perhaps not",
    "late": "not within the time",
    "conditions": "in time, but the conditions on data are not fulfilled",
}
_FULFILLED: Final = {
    "no": ", does not fulfil the conditions on data",
    "undecided": ", says too little to decide the conditions on data",
}


def reason_words(reason: Reason) -> str:
    """Return *reason* on one line: yes if it speaks for the pattern, no if against it, - if it decides nothing."""
    facts = f" ({', '.join(reason.facts)})" if reason.facts else ""
    return safe(f"{_MARKS[reason.holds]:>3}  {_WORDS[reason.what](reason.detail)}{facts}")


def _status(key: str) -> Callable[[Detail], str]:
    def words(it: Detail) -> str:
        answer = f"it was {it['found']}" if it["found"] else _WAS[it["has"]]
        return f"{key} {it['condition']} {it['wanted']}: {answer}"

    return words


def _follow_up(detail: Detail) -> str:
    name = f"{type_words(detail['type'])} {detail['occurred']}"
    return f"{name}: {_ORDERS[detail['order']]}{_FULFILLED.get(detail['conditions'], '')}: {_EFFECTS[detail['effect']]}"


def _pair_follow_up(it: Detail) -> str:
    return f"{it['subject']}, {type_words(it['type'])} {it['occurred']}: {_OF_OTHERS[it['effect']]}"


def _window(it: Detail) -> str:
    people = f"{it['people']} of {it['needed']} people" if int(it["people"]) < int(it["needed"]) else it["people"]
    needed = "" if people != it["people"] else f" people, where {it['needed']} are needed"
    return (
        f"the fullest window around the event counts {people}{needed}, from {it['first']} to {it['last']}; it ends with"
    )


def _missing(it: Detail) -> str:
    more = "one more person" if it["number"] == "1" else f"{it['number']} more people"
    until = f" by {it['until']}" if it["until"] else ""
    return f"{more} of the group with an event of the types {it['types']}{until} would complete it"


def _announced(detail: Detail) -> str:
    counts = f"counts from {detail['counts']} on" if detail["counts"] else "an announcement of it never counts"
    return f"{type_words(detail['type'])} {detail['occurred']} lies ahead: {counts}"


def _undated(detail: Detail) -> str:
    return f"{type_words(detail['type'])} {detail['occurred']} has no year: it orders nothing"


_WORDS: Final[Mapping[str, Callable[[Detail], str]]] = {
    "jurisdiction": lambda it: f"jurisdiction {it['wanted']}: the sources name {it['found'] or 'none'}",
    "when": _status("when"),
    "unless": _status("unless"),
    "where": lambda it: f"where: {it['path']} {it['wanted']}",
    "together": lambda _: "where: no report fulfils all of it alone",
    "not_in_force": lambda _: "this version of the rule is not in force: the other people are not known",
    "beyond": lambda _: "the event is not judged across people yet",
    "no_group": lambda it: f"the {it['by']} of the event is not known: it counts in no group",
    "group": lambda it: f"it counts in the group with {it['by']} {it['group']}",
    "not_counted": lambda _: "no window of the group counts the event",
    "window": _window,
    "counted": lambda it: f"counted: {it['subject']}, {type_words(it['type'])} {it['occurred']}",
    "missing": _missing,
    "names_nobody": lambda _: "no report names another person in by",
    "named": lambda it: f"by names {it['subject']}",
    "no_relation": lambda it: f"nobody is known with the relation {it['wanted']}",
    "relation": lambda it: f"{it['subject']} is the {it['relation']} of the person",
    "no_follow_up": lambda it: f"{it['subject']}: no event of the types {it['types']} is known",
    "pair_follow_up": _pair_follow_up,
    "other_cleared": lambda it: f"{it['subject']} is cleared",
    "deadline": lambda it: f"the deadline is {it['deadline']}; an alert can open from {it['opens']} on",
    "no_limit": lambda it: f"the limit {it['limit']} has no value for the anchor's jurisdiction and day",
    "still": lambda it: f"still {it['wanted']}: {_STILL[it['has']]}",
    "once": lambda it: f"once {it['once']}: an earlier event speaks for it",
    "not_begun": lambda _: "the event is not known to have begun the status",
    "no_until": lambda _: "the anchor names no until from which to count",
    "follow_up": _follow_up,
    "more": lambda it: f"{it['number']} more events of these types",
    "undated": lambda it: f"{_undated(it)}, and may lie in the time searched",
    "undated_anchor": lambda it: f"{_undated(it)}, and starts no pattern",
    "announced": _announced,
    "cleared": lambda _: "the person is cleared",
    "none_completes": lambda _: "no known event completes the pattern",
    "none_prevents": lambda _: "no known event prevents or ends it",
    "other": lambda _: "the pattern is not there",
}
