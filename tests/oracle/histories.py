"""Strategies for whole histories: few people, close and vague dates, reports that agree, corrections and noise."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from events.vocabulary import TRACK_OF, TRACKS
from tests.support.builders import SOURCES, Line, encoded

OCCURRED = (
    *("2022-03-01", "2022-03-05", "2022-03-10", "2022-03-15", "2022-03-16", "2022-03-17", "2022-03-20", "2022-03-25"),
    *("2022-03", "2022-03-05~", "2022-03-1X", "2022-03-01/2022-03-10", "2022-03-10/..", "../2022-03-10", "XXXX-03-05"),
    *("2022-03-05T10:00:00Z", "2022-03-15T13:59:59Z", "2022-03-15T14:00:00Z", "2022-04-01", "2022-04-05?", "2022-04"),
)
PUBLISHED = ("2022-03-05", "2022-03-12", "2022-03-20", "2022-03-15~", "2022-04-02", "2022-04")
# They include the ends of the days above, and of the deadlines and settling times counted from those days.
RECORDED = (
    *("2022-03-02T00:00:00Z", "2022-03-06T00:00:00Z", "2022-03-11T00:00:00Z", "2022-03-16T00:00:00Z"),
    *("2022-03-18T00:00:00Z", "2022-03-21T12:00:00Z", "2022-03-23T00:00:00Z", "2022-03-28T00:00:00Z"),
    *("2022-03-29T10:01:00Z", "2022-04-02T00:00:00Z", "2022-04-06T00:00:00Z", "2022-04-13T00:00:00Z"),
)
DAY = 86400
SHORT = {"for": 10 * DAY, "settle": 2 * DAY, "within": 15 * DAY}
"""Changes to the pack's rules, so that these dates reach their deadlines."""

ABOUT_THE_WORLD = sorted({*TRACK_OF} - {*TRACKS["meta"]})
KINDS = (
    *("Dismissed", "Dismissed", "Dismissed", "Detained", "Detained", "Arrested", "Wanted", "Released", "Accused"),
    *("Charged", "Convicted", "Acquitted", "VerdictFinal", "CaseClosed", "AppealFiled", "Sentenced", "Reinstated"),
    *("Died", "SubjectDescribed", "Suspended", "ChargesDropped", "Pardoned", "InvestigationOpened"),
    *("Elected", "TermEnded", "Paroled", "PardonAnnulled", "MistrialDeclared", "MeasureImposed", "Noted"),
)
kinds = st.sampled_from((*(*KINDS, "Dismissed", "Detained", *TRACKS["meta"], *TRACKS["meta"]) * 4, *ABOUT_THE_WORLD))


@st.composite
def _of_a_post_or_hold(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """The post, case or measure that a fact of *kind* may name, or the title that it must have."""
    match TRACK_OF[kind]:
        case "service" if not draw(st.integers(0, 2)):
            return {"post": draw(st.sampled_from(["chief", "deputy"]))}
        case "custody" if not draw(st.integers(0, 3)):
            return {"case_id": draw(st.sampled_from("cd"))}
        case "measure":
            return {"kind": draw(st.sampled_from(["travel_ban", "sanction"]))}
        case _:
            return {"title": "Summoned"} if kind == "Noted" else {}


@st.composite
def data_of(draw: st.DrawFn, kind: str, targets: Sequence[str]) -> dict[str, Any]:
    """Data of a fact of *kind*; a fact that it refers to is one of *targets*."""
    data: dict[str, Any] = {
        "occurred": draw(st.sampled_from(OCCURRED)),
        "published": draw(st.sampled_from(PUBLISHED)),
        "sources": SOURCES,
    }
    if TRACK_OF[kind] == "case":
        data["case_id"] = draw(st.sampled_from("cd"))
        if draw(st.booleans()):
            data["charges"] = [{"title": draw(st.sampled_from(["bribe", "fraud"]))}]
    data |= draw(_of_a_post_or_hold(kind))
    extra = {
        "CaseClosed": ("rehabilitating", st.booleans()),
        "VerdictOverturned": ("outcome", st.sampled_from(["remitted", "acquitted", "ended"])),
        "Acquitted": ("final", st.booleans()),
        "Wanted": ("scope", st.sampled_from(["national", "international"])),
        "SubjectDescribed": ("name", st.sampled_from(["Serik", "Nurlan"])),
        "Retracted": ("reason", st.just("wrong")),
    }
    if kind in extra and (kind == "Retracted" or draw(st.booleans())):
        data[extra[kind][0]] = draw(extra[kind][1])
    if kind.startswith("Relation"):
        data |= {"other": "b", "relation": "sibling"}
    if kind == "ReplyRecorded":
        data["text"] = "No."
    if TRACK_OF[kind] == "meta" or kind == "ReplyRecorded":
        data["fact_id"] = draw(st.sampled_from(targets))
    return data


@st.composite
def histories(
    draw: st.DrawFn,
    *,
    most: int = 10,
    stamped: bool = True,
    people: str = "aaab",
    drawn_from: st.SearchStrategy[str] = kinds,
) -> list[Line]:
    """
    Facts with ids f0, f1 and so on, with corrections and retractions among them.

    Some facts are reports of one event. Some name others in `after`.

    Args:
        draw: the function of Hypothesis.
        most: the greatest number of facts.
        stamped: whether each fact has its `recorded`.
        people: the subjects; a subject that is listed more often gets more facts.
        drawn_from: the types, beside one dismissal.
    """
    # Nearly every rule and flag here depends on a dismissal, so each history has one.
    drawn = ["Dismissed", *draw(st.lists(drawn_from, min_size=1, max_size=most - 1))]
    ids = [f"f{n}" for n in range(len(drawn))]
    subjects = {name: draw(st.sampled_from(people)) for name in ids}
    data = {name: draw(data_of(kind, [*ids, "missing"])) for name, kind in zip(ids, drawn, strict=True)}
    of = dict(zip(ids, drawn, strict=True))
    for name, kind in of.items():
        target = data[name].get("fact_id", "missing")
        if kind in TRACKS["meta"] and target in of and draw(st.integers(0, 9)):
            subjects[name] = subjects[target]
        if kind == "Corrected":
            fits = of.get(target, "Detained") if draw(st.integers(0, 5)) else "Convicted"
            targets = [data[target]["fact_id"]] if "fact_id" in data.get(target, {}) else ids
            data[name]["data"] = draw(data_of(fits, targets)) | ({"data": {}} if fits == "Corrected" else {})
    for name in ids[1:]:
        match draw(st.integers(0, 9)):
            case 0 | 1 if of[name] not in TRACKS["meta"]:
                # Another report of an earlier fact, if their dates allow.
                first = draw(st.sampled_from(ids[: ids.index(name)]))
                of[name], subjects[name] = of[first], subjects[first]
                words = {key: value for key, value in data[first].items() if key not in {"occurred", "published"}}
                data[name] = {key: data[name][key] for key in ("occurred", "published")} | words
            case 2:
                data[name]["after"] = [draw(st.sampled_from([*ids, "missing"]))]
            case _:
                pass
    lines: list[Line] = [
        {"type": of[name], "id": name, "source": "urn:test", "subject": subjects[name], "data": data[name]}
        for name in ids
    ]
    if stamped:
        lines = [line | {"recorded": draw(st.sampled_from(RECORDED))} for line in lines]
    return lines


UNREADABLE = (b'{"type": "Detained"', b"\xff", b"{}", b'{"specversion":"1.0","type":"Unheard","id":"x"}', b"[]")


@st.composite
def noisy_histories(draw: st.DrawFn, *, most: int = 8) -> list[Line | bytes]:
    """Histories with duplicates, conflicts and undecodable bytes among the facts."""
    noisy: list[Line | bytes] = []
    for line in draw(histories(most=most)):
        noisy.append(line)
        match draw(st.integers(0, 7)):
            case 0:
                noisy.append(line | {"recorded": draw(st.sampled_from(RECORDED))})
            case 1:
                other = line["data"] | {"note": "another"}
                noisy.insert(draw(st.integers(0, len(noisy))), line | {"data": other})
            case 2:
                noisy.append(draw(st.sampled_from(UNREADABLE)))
            case _:
                pass
    return noisy


def raw(lines: Sequence[Line | bytes]) -> list[bytes]:
    """Return the lines as they stand in a file."""
    return [line if isinstance(line, bytes) else encoded(line)[0] for line in lines]


@st.composite
def cuts(draw: st.DrawFn, length: int) -> list[slice]:
    """A division of *length* items into batches."""
    inner = draw(st.sets(st.integers(1, max(1, length - 1)), max_size=length)) if length > 1 else set()
    edges = [0, *sorted(inner), length]
    return [slice(a, b) for a, b in pairwise(edges) if a < b]
