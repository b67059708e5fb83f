"""Strategies for whole careers: few posts, cases and charges, on dates so close that facts agree or contradict."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from tests.oracle.model_counts import matches
from tests.oracle.model_time import TYPES
from tests.support.builders import Line

Data = dict[str, Any]

OCCURRED = (
    *(
        "2022-03-01",
        "2022-03-02",
        "2022-03-04",
        "2022-03-03",
        "2022-03-05",
        "2022-03-05",
        "2022-03-08",
        "2022-03-10",
        "2022-03-12",
        "2022-03-15",
    ),
    *("2022-03", "2022-03-05~", "2022-03-10?", "2022-03-1X", "2022-03-01/2022-03-08", "2022-03-05/2022-03-10"),
    *("2022-03-10/..", "../2022-03-10", "2022-03-05T10:00:00Z", "2022-03-05T22:30:00+06:00"),
    *("2022-03-05/2022-03-08T12:00:00Z", "2022-03-09T01:00:00-05:00", "XXXX-03-05", "2022-05-20"),
)
NEAR = {
    "2022-03-05": ("2022-03-05", "2022-03", "2022-03-05~", "2022-03-05T10:00:00Z", "2022-03-05/2022-03-10"),
    "2022-03-10": ("2022-03-10", "2022-03-1X", "2022-03-10?", "2022-03-05/2022-03-10", "2022-03-10/.."),
}
LATE = "2022-06-01"
PUBLISHED = (*[LATE] * 12, "2022-03-05", "2022-03-10", "2022-03-12T02:10:00+06:00", "2022-03-15~", "2022-04")
RECORDED = ("2022-03-02T00:00:00Z", "2022-03-08T12:00:00Z", "2022-06-02T00:00:00Z")
TITLES = ("Decree", "Report", "Letter")

often, seldom = st.integers(0, 2).map(bool), st.integers(0, 5).map(lambda n: n == 3)
yes_or_no = st.booleans()
posts, agencies = st.sampled_from(("head", "deputy", " HEAD ")), st.sampled_from(("police", "bank"))
cases = st.sampled_from(("c", "c", "d"))
laws = st.sampled_from(("KZ", "RU"))
authorities = st.sampled_from(("court", "board"))
CHARGES: tuple[Data, ...] = (
    {"title": "bribery"}, {"title": "fraud"}, {"title": "bribery", "article": "1"}, {"article": "1"}, {"article": "2"},
    {"title": "Bribery ", "counts": 3}, {"title": "fraud", "counts": 2}, {"count_id": "k1", "title": "bribery"},
    {"count_id": "k2", "title": "bribery", "amount": 5, "currency": "KZT"}, {"title": "theft", "article": "1"},
)  # fmt: skip
KINDS = ("criminal", "criminal", "disciplinary")
PART = {"kind": "imprisonment", "term": "P2Y"}

# The types of each theme that change something, the most common ones more than once.
THEMES = {
    "posts": "Appointed Appointed Appointed Elected Dismissed Dismissed Removed Resigned TermEnded Retired LeftOffice"
    " LeftOffice Suspended Suspended SuspensionLifted Reinstated DismissalAnnulled Transferred Transferred Died"
    " SubjectDescribed",
    "cases": "Accused InvestigationOpened InvestigationSuspended Charged Charged ChargesAmended Indicted TrialOpened"
    " Convicted Convicted Convicted Acquitted Acquitted Sentenced AppealFiled AppealFiled VerdictUpheld"
    " VerdictOverturned VerdictOverturned VerdictFinal VerdictFinal VerdictFinal ChargesDropped CaseClosed CaseClosed"
    " Amnestied Pardoned PardonAnnulled AllegationWithdrawn MistrialDeclared SentenceChanged Bailed",
    "custody": "Wanted Wanted WantedCancelled Detained Detained Arrested Arrested HouseArrested Bailed Bailed Released"
    " Released Extradited Imprisoned Paroled SentenceServed Charged CaseClosed Acquitted Convicted Died"
    " MeasureImposed MeasureImposed MeasureLifted",
}
EVERY = " ".join(names for track, names in TYPES.items() if track != "about")
TRACK_OF = {name: track for track, names in TYPES.items() for name in names.split()}


@st.composite
def some(draw: st.DrawFn, /, wanted: st.SearchStrategy[bool], **fields: st.SearchStrategy[Any]) -> Data:
    """Data with those of *fields* for which *wanted* draws true."""
    return {name: draw(values) for name, values in fields.items() if draw(wanted)}


charges: st.SearchStrategy[list[Data]] = st.lists(st.sampled_from(CHARGES), min_size=1, max_size=3).filter(
    lambda found: not any(matches(a, b) for n, a in enumerate(found) for b in found[:n])
)
of_a_post = some(often, post=posts, agency=agencies).flatmap(
    lambda named: some(seldom, region=st.just("north"), post_id=st.sampled_from(("p1", "p2")), jurisdiction=laws).map(
        lambda rest: named | rest
    )
)
accused_by = st.just({"by": {"name": "X"}})
BY_TYPE: dict[str, st.SearchStrategy[Data]] = {
    **dict.fromkeys(("Appointed", "Elected"), some(seldom, acting=yes_or_no, concurrent=yes_or_no)),
    **dict.fromkeys(("Dismissed", "Removed"), some(seldom, ground=st.just("age"))),
    "Suspended": some(seldom, until=st.just("2022-04-01")),
    "Transferred": some(often, to_post=posts, to_agency=agencies),
    "Accused": some(seldom, by=st.just({"name": "X"})),
    "AppealFiled": some(often, by=st.sampled_from(("prosecution", "defence", "other"))),
    **dict.fromkeys(("CaseClosed", "ChargesDropped"), some(yes_or_no, rehabilitating=yes_or_no)),
    "VerdictOverturned": some(often, outcome=st.sampled_from(("remitted", "acquitted", "ended"))).flatmap(
        lambda outcome: some(seldom, rehabilitating=yes_or_no).map(lambda rest: outcome | rest)
    ),
    **dict.fromkeys(("Convicted", "Acquitted"), some(seldom, final=often, in_absentia=yes_or_no)),
    "VerdictUpheld": some(yes_or_no, final=yes_or_no),
    "Sentenced": some(yes_or_no, sentence=st.sampled_from(("2 years", "a fine")), parts=st.just([PART])),
    "SentenceChanged": some(yes_or_no, sentence=st.just("1 year"), parts=st.just([PART])),
    "TrialOpened": some(seldom, in_absentia=yes_or_no),
    "Pardoned": some(yes_or_no, scope=st.sampled_from(("full", "partial"))),
    "Wanted": some(often, scope=st.sampled_from(("national", "international")), jurisdiction=laws),
    "WantedCancelled": some(yes_or_no, scope=st.sampled_from(("national", "international")), jurisdiction=laws),
    "Arrested": some(seldom, in_absentia=yes_or_no, until=st.just("2022-04-01"), jurisdiction=laws),
    "Detained": some(seldom, until=st.sampled_from(("2022-04-01", "2022-05-01")), jurisdiction=laws),
    "HouseArrested": some(seldom, until=st.just("2022-04-01")),
    "Released": some(seldom, place=st.just("north"), jurisdiction=laws),
    **dict.fromkeys(
        ("MeasureImposed", "MeasureLifted"),
        some(
            yes_or_no,
            kind=st.sampled_from(("sanction", "travel_ban")),
            title=st.just("list"),
            program=st.sampled_from(("A", "B")),
            until=st.just("2022-04-01"),
        ),
    ),
    "SubjectDescribed": some(
        often,
        name=st.sampled_from(("Serik", "Nurlan", "SERIK")),
        aliases=st.lists(st.just("Serik"), max_size=1),
        born=st.sampled_from(("1970", "1970-03", "1980", "1969/1971", "2023", "XXXX-03-01")),
    ),
    **dict.fromkeys(("RelationAsserted", "RelationWithdrawn"), st.just({"other": "z", "relation": "sibling"})),
    "Noted": st.just({"title": "Searched"}),
}
BY_TRACK: dict[str, st.SearchStrategy[Data]] = {
    "service": of_a_post,
    "case": some(yes_or_no, charges=charges).flatmap(
        lambda named: some(seldom, kind=st.sampled_from(KINDS), authority=authorities).map(lambda rest: named | rest)
    ),
    "custody": some(seldom, authority=authorities),
    "measure": some(seldom, authority=authorities, jurisdiction=laws, case_id=cases),
    "person": st.just({}),
}


@st.composite
def data_of(draw: st.DrawFn, type_: str, others: Sequence[str]) -> Data:
    """Data of a fact of *type_*, which may name some of the ids *others*."""
    track = TRACK_OF[type_]
    data: Data = {
        "occurred": draw(st.sampled_from(OCCURRED)),
        "published": draw(st.sampled_from(PUBLISHED)),
        "sources": [{"title": "Decree"}],
    }
    if track == "case" or (track == "custody" and draw(often)):
        data["case_id"] = draw(cases)
    if track in BY_TRACK:
        data |= draw(BY_TRACK[track])
    data |= draw(BY_TYPE.get(type_, st.just({})))
    if type_ == "SubjectDescribed" and draw(yes_or_no):
        data |= {name: value for name, value in draw(of_a_post).items() if name != "post_id"}
    if type_ == "ReplyRecorded":
        data |= {"fact_id": "f0", "text": "No."}
    if type_ == "MeasureLifted" and draw(seldom):
        data["fact_id"] = draw(st.sampled_from(others))
    if draw(seldom):
        data["after"] = draw(st.lists(st.sampled_from([*others[:4], *others, "missing"]), min_size=1, max_size=2))
    return data


@st.composite
def report_of(draw: st.DrawFn, line: Line) -> Data:
    """
    Data of another report of the event of *line*.

    It has another source, and perhaps another precision or fewer fields.
    """
    data: Data = {**line["data"], "sources": [{"title": draw(st.sampled_from(TITLES))}]}
    near = NEAR.get(data["occurred"], (data["occurred"], "2022-03"))
    data["occurred"] = draw(st.sampled_from(near))
    data["published"] = draw(st.sampled_from(PUBLISHED))
    for name in ("charges", "post", "agency", "kind", "region", "after"):
        if draw(seldom):
            data.pop(name, None)
    return data


@st.composite
def about(draw: st.DrawFn, lines: Sequence[Line], others: Sequence[str]) -> tuple[str, str, Data]:
    """The subject, the type and the data of a correction or retraction, often of one of *lines*."""
    target = draw(st.sampled_from(lines))
    fact_id = target["id"] if draw(st.integers(0, 7)) < 7 else draw(st.sampled_from([*others, "missing"]))
    data: Data = {"occurred": draw(st.sampled_from(OCCURRED)), "published": draw(st.sampled_from(PUBLISHED))}
    data |= {"sources": [{"title": "Decree"}], "fact_id": fact_id}
    if draw(st.integers(0, 2)):
        new = draw(report_of(target) if target["type"] not in TRACK_OF or draw(yes_or_no) else changed(target, others))
        if draw(st.integers(0, 9)) == 9:
            new.pop("sources")
        return target["subject"], "Corrected", data | {"data": new}
    return target["subject"], "Retracted", data | {"reason": "wrong"}


@st.composite
def changed(draw: st.DrawFn, line: Line, others: Sequence[str]) -> Data:
    """Other data for the fact of *line*."""
    if TRACK_OF[line["type"]] == "about":
        return draw(report_of(line))
    return draw(data_of(line["type"], others))


ALL_THEMES = (*THEMES.values(), " ".join(THEMES.values()), EVERY)


@st.composite
def careers(
    draw: st.DrawFn, *, most: int = 12, people: str = "aaaaaaab", themes: Sequence[str] = ALL_THEMES
) -> list[Line]:
    """
    Facts about one person or two, with ids f0, f1 and so on.

    Args:
        draw: the function of Hypothesis.
        most: the greatest number of facts.
        people: the subjects; a subject that is listed more often gets more facts.
        themes: the types of the facts, in one text for each theme; one theme is drawn.
    """
    theme = draw(st.sampled_from(themes))
    types = st.sampled_from(theme.split())
    number = draw(st.integers(2, most))
    ids = [f"f{n}" for n in range(number)]
    lines: list[Line] = []
    for name in ids:
        subject = draw(st.sampled_from(people))
        part = draw(st.integers(0, 11)) if lines else 0
        if part == 11:
            subject, type_, data = draw(about(lines, ids))
        elif part >= 9:
            of = draw(st.sampled_from(lines))
            subject, type_, data = of["subject"], of["type"], draw(report_of(of))
        else:
            type_ = draw(types)
            data = draw(data_of(type_, ids))
        line = {"type": type_, "id": name, "source": "urn:test", "subject": subject, "data": data}
        if draw(st.integers(0, 14)) == 14:
            line["recorded"] = draw(st.sampled_from(RECORDED))
        lines.append(line)
    return lines
