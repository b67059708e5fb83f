"""Sentences that are never printed about a person, for any state of the cases."""

from hypothesis import given
from hypothesis import strategies as st

from services.words.careers import case_title, counts
from services.words.listing import list_words
from services.words.verdicts import law_lines
from tests.support.builders import acquitted, charged, convicted, made_final, stated
from tests.support.status_rows import Row, case, count, row, view_of

CHARGE = charged("2022-03-01")
GUILTY = convicted("2025-02-12", authority="federal jury")
NOT_GUILTY = acquitted("2025-02-12", authority="federal jury")
FINAL = made_final("2025-10-01")
PARDON = stated("Pardoned", "2025-12-24", case="c", authority="the president")
STORY = view_of(CHARGE, GUILTY, NOT_GUILTY, FINAL, PARDON)
STATUSES = [
    "undecided",
    "convicted",
    "acquitted",
    "dropped",
    "closed",
    "withdrawn",
    "replaced",
    "amnestied",
    "pardoned",
]
STAGES = ["charged", "overturned", "trial", "convicted", "appeal"]


@st.composite
def any_count(draw: st.DrawFn) -> Row:
    """A count in any state that the fold can leave."""
    status = draw(st.sampled_from(STATUSES))
    by = {"convicted": GUILTY, "acquitted": NOT_GUILTY}.get(status, PARDON)
    found = count(status, None if status == "undecided" else by, title=draw(st.sampled_from(["x", "y", None])))
    if status in {"amnestied", "pardoned", "closed"} and draw(st.booleans()):
        found |= {"verdict": "convicted", "verdict_fact_id": GUILTY["id"]}
    if found["verdict"] and draw(st.booleans()):
        found |= {"final": True, "final_fact_id": FINAL["id"]}
    elif status in {"convicted", "acquitted"}:
        found["on_appeal"] = draw(st.booleans())
    if status == "acquitted" or (status == "closed" and found["verdict"]) or status == "dropped":
        found["rehabilitated"] = draw(st.booleans())
    return found | {"counts": draw(st.integers(1, 9)), "in_absentia": draw(st.booleans())}


@st.composite
def any_case(draw: st.DrawFn, case_id: str) -> Row:
    """A case with any counts, open or ended as these are."""
    found = draw(st.lists(any_count(), min_size=1, max_size=4))
    is_open = any(
        each["status"] == "undecided" or each["on_appeal"] or (each["status"] == "convicted" and not each["final"])
        for each in found
    )
    final = any(each["status"] == "convicted" and not each["rehabilitated"] for each in found)
    ended = "final" if final else found[-1]["status"].replace("replaced", "closed").replace("undecided", "closed")
    stage = draw(st.sampled_from(STAGES)) if is_open else ended
    kind = draw(st.sampled_from(["criminal", "criminal", "disciplinary"]))
    return case(*found, case_id=case_id, kind=kind, open=is_open, stage=stage)


@st.composite
def any_row(draw: st.DrawFn) -> Row:
    """A row with up to three cases."""
    return row(*[draw(any_case(f"case-{n}")) for n in range(draw(st.integers(0, 3)))])


def everything(status: Row) -> str:
    """Return all words about a person: the sentences, the counts, the stages and the cells of the list."""
    parts = [line.text for each in status["cases"] for line in counts(each, STORY)]
    titles = [case_title(each, status) for each in status["cases"]]
    return "\n".join([*law_lines(status, STORY), *parts, *titles, *list_words(status)]).lower()


@given(any_row())
def test_nobody_is_called_cleared_unless_they_are(status: Row) -> None:
    """The word stands for the presumption, and for nothing else."""
    assert (status["presumption"] == "cleared") == ("cleared" in everything(status))


@given(any_row())
def test_nobody_is_called_finally_convicted_without_such_a_count(status: Row) -> None:
    """Only a criminal case with a final verdict has these words."""
    final = [
        each
        for found in status["cases"]
        for each in found["counts"]
        if found["kind"] == "criminal" and each["verdict"] == "convicted" and each["final"]
    ]

    assert final or "convicted by a final verdict" not in everything(status)


@given(any_row())
def test_each_line_is_about_its_own_case(status: Row) -> None:
    """A line on one case has no word of guilt, of acquittal or of allegation but by its own counts."""
    _, *lines = law_lines(status, STORY)

    for found, line in zip(status["cases"], lines, strict=True):
        live = [each for each in found["counts"] if each["status"] != "replaced"]
        verdicts = {each["verdict"] for each in live}
        states = {each["status"] for each in live}

        assert found["case_id"] in line
        assert "convicted" in verdicts or not any(word in line.lower() for word in ("found guilty", "convicted"))
        assert "acquitted" in verdicts or "ACQUITTED" not in line
        assert "undecided" in states or "alleged" not in line
        assert found["kind"] == "criminal" or not any(word in line for word in ("verdict", "guilty", "ACQUITTED"))


@given(any_row())
def test_a_count_is_never_worded_as_if_another_verdict_stood(status: Row) -> None:
    """Acquitted charges say so, and finally convicted ones are not alleged."""
    for found in status["cases"]:
        for each, line in zip(found["counts"], counts(found, STORY), strict=True):
            if each["status"] == "acquitted":
                assert "ACQUITTED" in line.text or "DECIDED FOR" in line.text
            if each["verdict"] == "convicted":
                assert "alleged" not in line.text
