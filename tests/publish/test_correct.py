"""Corrections and retractions from the command line: their changes, and the reasons of a refusal."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from events.decode import complete
from events.errors import BadInput
from events.facts import Fact
from events.vocabulary import data_problem
from projections.history.corrections import Corrections, apply_corrections
from projections.ledger.chain import read
from projections.tables.checkpoint import Checkpoint
from projections.tables.database import open_database
from services.cli.editor import edit
from services.log.local import LocalLog, LocalTail
from services.publish.assignments import apply_changes
from services.publish.corrections import build_correction, difference_lines, find_target
from tests.support.commands import fact_line, ready, run
from tests.support.draining import drain
from tests.support.strategies import NOW, json_values, texts

SOURCE = ["--source-url", "https://news.example/2"]
SOURCES = [{"url": "https://news.example/2"}]
CHARGES = [{"title": "Fraud", "amount": 5}]
CHARGE = fact_line("Charged", case_id="c-1", charges=CHARGES, ref="190")
DATA: dict[str, Any] = json.loads(CHARGE)["data"]


class Desk:
    """A person that publishes a fact and corrects it later."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.log = LocalLog(engine)

    def publish(self, line: str) -> str:
        """Publish a fact and return its id."""
        return self._append(complete(line.encode(), NOW))

    def project(self) -> Checkpoint:
        """Project all that is in the log."""
        return drain(self.engine)

    def correct(self, fact_id: str, *assigned: str, clock: datetime = NOW, **fields: Any) -> str:
        """Publish a correction at *clock* and return its id."""
        target = find_target(self.log.engine, LocalTail(self.log), fact_id)
        data = apply_changes(target.fact.type, target.data, assigned, [], target.facts)
        fields = {**fields, "sources": SOURCES, "data": data}
        return self._append(build_correction("Corrected", target, fields, "urn:x:desk", clock))

    def retract(self, fact_id: str, clock: datetime = NOW) -> str:
        """Publish a retraction and return its id."""
        target = find_target(self.log.engine, LocalTail(self.log), fact_id)
        fields = {"sources": SOURCES, "reason": "A mistake"}
        return self._append(build_correction("Retracted", target, fields, "urn:x:desk", clock))

    def published(self) -> list[Fact]:
        """Every fact in the log, projected or not."""
        return [read(record) for record in self.log.read(0, 0, 100)]

    def settled(self) -> Corrections:
        """The result of the corrections and retractions in the log."""
        return apply_corrections({fact.id: fact for fact in self.published()})

    def only(self) -> Fact:
        """The one fact that is in force."""
        (fact,) = self.settled().facts
        return fact

    def _append(self, correction: tuple[Fact, bytes]) -> str:
        fact, value = correction
        self.log.append([(fact.subject, value)])
        return fact.id


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk with a database of its own, in which a charge was published and projected."""
    engine = open_database(f"sqlite:///{ready(tmp_path) / 'casetrail.db'}")
    desk = Desk(engine)
    desk.publish(CHARGE)
    desk.project()
    yield desk
    engine.dispose()


@pytest.fixture
def fact_id(desk: Desk) -> str:
    """The id of that charge."""
    return desk.published()[0].id


class TestFields:
    """Data, changed by assignments of a command line."""

    @pytest.mark.parametrize(
        ("assignment", "place", "value"),
        [
            ("occurred=2022-04-25", "occurred", "2022-04-25"),
            ("occurred=2022", "occurred", "2022"),
            ("ref=191", "ref", "191"),
            ("note=true", "note", "true"),
            ('note=["as it stands"]', "note", '["as it stands"]'),
            ("note=a=b", "note", "a=b"),
            ('note="quoted"', "note", '"quoted"'),
            ('charges=[{"title": "Theft"}]', "charges", [{"title": "Theft"}]),
            ("charges.0.amount=7", "charges", [{"title": "Fraud", "amount": 7}]),
            ("charges.0.article=190", "charges", [{"title": "Fraud", "amount": 5, "article": "190"}]),
            ("charges.1.title=Theft", "charges", [*CHARGES, {"title": "Theft"}]),
        ],
    )
    def test_a_value_is_read_as_its_field_wants_it(self, assignment: str, place: str, value: Any) -> None:
        """A year, a reference and an article are text though they look like numbers. An amount is a number."""
        after = apply_changes("Charged", DATA, [assignment], [])

        assert {**DATA, place: value} == after
        assert data_problem("Charged", after) is None

    def test_truth_is_a_value_where_the_field_is_one(self) -> None:
        """One field of the vocabulary is true or false."""
        assert apply_changes("CaseClosed", DATA, ["rehabilitating=true"], ["charges"])["rehabilitating"] is True

    def test_later_words_build_on_earlier_ones(self) -> None:
        """A source is added field by field."""
        after = apply_changes("Charged", DATA, ["sources.1.title=Decree", "sources.1.credibility=2"], [])

        assert [*DATA["sources"], {"title": "Decree", "credibility": 2}] == after["sources"]

    def test_fields_are_left_out(self) -> None:
        """Whole fields are removed, and fields within others."""
        after = apply_changes("Charged", DATA, [], ["ref", "charges.0.amount"])

        assert {**{k: v for k, v in DATA.items() if k != "ref"}, "charges": [{"title": "Fraud"}]} == after

    def test_what_is_changed_stays_as_it_was(self) -> None:
        """The data belongs to a fact, and facts do not change."""
        before = json.dumps(DATA)
        apply_changes("Charged", DATA, ["charges.0.title=Theft"], ["sources.0.url"])

        assert before == json.dumps(DATA)

    @pytest.mark.parametrize(
        ("assigned", "removed", "message"),
        [
            ("occurred", "", '--set: "occurred" is not an assignment (want FIELD=VALUE'),
            ("=x", "", '--set: "=x" is not an assignment'),
            ("charges.2.title=x", "", '--set: "2" is not a place in a list of 1 (want a number from 0 to 1)'),
            ("charges.first=x", "", '--set: "first" is not a place in a list'),
            ("ref.part=x", "", '--set: "190" has no field part'),
            ("", "nothing", "--unset: there is no nothing"),
            ("", "charges.3", "--unset: there is no charges.3"),
            ("", "ref.x", "--unset: there is no ref.x"),
        ],
    )
    def test_a_place_that_is_not_there_is_named(self, assigned: str, removed: str, message: str) -> None:
        """The refusal names the option, and the places that exist."""
        with pytest.raises(BadInput) as refused:
            apply_changes("Charged", DATA, [assigned] * bool(assigned), [removed] * bool(removed))

        assert str(refused.value).startswith(message)

    def test_the_difference_shows_what_goes_and_what_comes(self) -> None:
        """Fields that stay are not shown."""
        after = {**{k: v for k, v in DATA.items() if k != "ref"}, "occurred": "2022-05", "note": "Жаңа"}

        assert [
            '- occurred: "2022-03-27"',
            '+ occurred: "2022-05"',
            '- ref: "190"',
            '+ note: "Жаңа"',
        ] == list(difference_lines(DATA, after))

    @given(
        st.dictionaries(texts, json_values, max_size=3),
        texts.filter(lambda name: "." not in name and "=" not in name),
        texts,
    )
    def test_what_is_put_in_can_be_taken_out(self, data: dict[str, Any], name: str, text: str) -> None:
        """Setting a new field and removing it yields the same data, for any data and any text."""
        before = {key: value for key, value in data.items() if key != name}

        assert before == apply_changes("Charged", apply_changes("Charged", before, [f"{name}={text}"], []), [], [name])


class TestCorrecting:
    """Corrections: their effect, and the reasons of a refusal."""

    def test_the_data_is_replaced_whole(self, desk: Desk, fact_id: str) -> None:
        """The other fields are kept, and the correction has a source and times of its own."""
        desk.correct(fact_id, "occurred=2022-04-25")
        _, correction = desk.published()

        assert {**DATA, "occurred": "2022-04-25"} == desk.only().data
        assert ("2024-06-01T12:00:00Z", "2024-06-01T12:00:00Z") == (
            correction.data["occurred"],
            correction.data["published"],
        )
        assert 2 == desk.project().applied

    def test_corrections_in_a_row_build_on_each_other_before_they_are_projected(self, desk: Desk, fact_id: str) -> None:
        """A second correction that started from the ledger would undo the first."""
        desk.correct(fact_id, "occurred=2022-04-25")
        desk.correct(fact_id, "note=both", clock=NOW + timedelta(seconds=1))

        assert ("2022-04-25", "both") == (desk.only().data["occurred"], desk.only().data["note"])

    def test_of_two_on_one_day_the_later_wins(self, desk: Desk, fact_id: str) -> None:
        """Ids must not decide, since they are chance. So the default of `published` is an instant."""
        for second in range(20):
            desk.correct(fact_id, f"note={second}", clock=NOW + timedelta(seconds=second))

        assert "19" == desk.only().data["note"]
        assert (21, 0) == (desk.project().applied, desk.project().conflict)

    def test_a_correction_can_be_corrected_and_is_built_on(self, desk: Desk, fact_id: str) -> None:
        """A correction holds the data of its target, so the data in force may be two steps away."""
        first = desk.correct(fact_id, "note=one")
        desk.project()
        desk.correct(first, "data.note=two", clock=NOW + timedelta(seconds=1))

        assert (
            "two" == desk.only().data["note"] == find_target(desk.log.engine, LocalTail(desk.log), fact_id).data["note"]
        )
        desk.correct(fact_id, "ref=1", clock=NOW + timedelta(seconds=2))
        assert ("two", "1") == (desk.only().data["note"], desk.only().data["ref"])

    def test_the_data_within_a_correction_is_read_as_the_fact_wants_it(self, desk: Desk, fact_id: str) -> None:
        """A year is text there too. As a number, it would make the correction ineffective."""
        first = desk.correct(fact_id, "note=x")
        desk.project()
        desk.correct(first, "data.occurred=2021")

        assert ("2021", "x") == (desk.only().data["occurred"], desk.only().data["note"])
        with pytest.raises(BadInput, match='"74" is not a date'):
            desk.correct(first, "data.occurred=74")

    def test_an_unknown_fact_is_refused(self, desk: Desk) -> None:
        """For a fact that is published and not projected, the message names `casetrail project`."""
        new = desk.publish(fact_line("Retired", subject="kz-b"))

        with pytest.raises(BadInput, match=rf"holds no fact {new} .* 1 record .* run `casetrail project`"):
            desk.correct(new, "note=x")
        desk.project()
        with pytest.raises(BadInput, match=r"holds no fact nobody \(want the id of a fact that [^;]*\)"):
            desk.correct("nobody", "note=x")

    def test_one_that_a_later_one_outweighs_is_refused(self, desk: Desk, fact_id: str) -> None:
        """The greatest published wins, so an older correction would be accepted and change nothing."""
        desk.correct(fact_id, "note=x", published="2022-06-01")

        with pytest.raises(BadInput, match=r"published 2022-06-01, outweighs this one .want --published after 2022-06"):
            desk.correct(fact_id, "note=y", published="2022-05-01")
        with pytest.raises(BadInput, match="this Corrected was published already"):
            desk.correct(fact_id, "note=y", published="2022-06-01")

    @pytest.mark.parametrize(
        ("assigned", "message"),
        [
            ("occurred=2022-13-01", 'data.occurred: "2022-13-01"'),
            ("charge=Fraud", 'data.charge: unknown field "charge"'),
        ],
    )
    def test_data_that_does_not_fit_is_refused(self, desk: Desk, fact_id: str, assigned: str, message: str) -> None:
        """If it were published, it would be flagged for ever as a misfit without effect."""
        with pytest.raises(BadInput) as refused:
            desk.correct(fact_id, assigned)

        assert str(refused.value).startswith(message)

    def test_what_a_correction_speaks_of_stays(self, desk: Desk, fact_id: str) -> None:
        """A correction with another fact_id would have no effect."""
        first = desk.correct(fact_id, "note=x")
        desk.project()

        with pytest.raises(BadInput, match="would have no effect"):
            desk.correct(first, "fact_id=other")


class TestRetracting:
    """Retractions: their effect, and the reasons of a refusal."""

    def test_a_fact_is_taken_back_and_revived(self, desk: Desk, fact_id: str) -> None:
        """A retraction of the retraction revives the fact."""
        retraction = desk.retract(fact_id)
        assert {fact_id: retraction} == desk.settled().retracted_by
        desk.project()

        desk.retract(retraction)
        assert fact_id == desk.only().id

    def test_what_is_taken_back_cannot_be_again(self, desk: Desk, fact_id: str) -> None:
        """It cannot be corrected either. The message names the retraction to retract."""
        retraction = desk.retract(fact_id)

        with pytest.raises(BadInput, match=f"was retracted by {retraction} .*`casetrail retract {retraction}` revives"):
            desk.retract(fact_id)
        with pytest.raises(BadInput, match="was retracted by"):
            desk.correct(fact_id, "note=x")


class TestCommands:
    """`casetrail correct` and `casetrail retract`, as people type them."""

    def test_a_correction_shows_what_it_changes(self, tmp_path: Path, desk: Desk, fact_id: str) -> None:
        """The user does not need to write JSON."""
        done = run(["correct", fact_id, "--set", "occurred=2022-04-25", "--unset", "ref", *SOURCE], tmp_path)
        _, correction = desk.published()

        assert (0, "") == (done.returncode, done.stdout), done.stderr
        assert [
            f"Corrected: Charged {fact_id} of kz-a",
            '  - occurred: "2022-03-27"',
            '  + occurred: "2022-04-25"',
            '  - ref: "190"',
            f"accepted as {correction.id}",
        ] == done.stderr.splitlines()
        kept = {name: value for name, value in DATA.items() if name != "ref"}
        assert {**kept, "occurred": "2022-04-25"} == desk.only().data
        assert [{"url": "https://news.example/2"}] == correction.data["sources"]
        assert "urn:casetrail:cli" == correction.source

    def test_a_retraction_is_told_to_programs(self, tmp_path: Path, desk: Desk, fact_id: str) -> None:
        """Stdout has one line of JSON and nothing else. All options reach the retraction."""
        words = ["--reason", "Another person", "--source-title", "Letter", "--published", "2022-06-01", "--yes"]
        more = ["--occurred", "2022-05", "--note", "Sorry", "--source", "urn:example:desk", "--json"]
        done = run(["retract", fact_id, *words, *more], tmp_path)
        _, retraction = desk.published()

        assert 0 == done.returncode, done.stderr
        assert {"id": retraction.id, "subject": "kz-a", "result": "accepted", "error": None} == json.loads(done.stdout)
        assert ("Retracted", "urn:example:desk") == (retraction.type, retraction.source)
        assert {
            "fact_id": fact_id,
            "reason": "Another person",
            "sources": [{"title": "Letter"}],
            "published": "2022-06-01",
            "occurred": "2022-05",
            "note": "Sorry",
        } == retraction.data

    def test_what_is_refused_is_not_published(self, tmp_path: Path, desk: Desk, fact_id: str) -> None:
        """The exit code is that of a usage error, and the message names the reason."""
        unchanged = run(["correct", fact_id, "--set", "ref=190", *SOURCE], tmp_path)
        unsourced = run(["retract", fact_id, "--reason", "A mistake"], tmp_path)
        unreasoned = run(["retract", fact_id, *SOURCE], tmp_path)

        assert [2, 2, 2] == [done.returncode for done in (unchanged, unsourced, unreasoned)]
        assert "nothing changed" in unchanged.stderr
        assert "no source (want --source-url or --source-title" in unsourced.stderr
        assert "--reason" in unreasoned.stderr
        assert 1 == len(desk.published())

    def test_an_editor_gets_the_data_in_force(self, tmp_path: Path, desk: Desk, fact_id: str) -> None:
        """Without fields on the command line, the user's own editor opens, with its own options."""
        editor = "sed -i s/2022-03-27/2022-04-25/"
        done = run(["correct", fact_id, *SOURCE], tmp_path, env={"EDITOR": "false", "VISUAL": editor})

        assert 0 == done.returncode, done.stderr
        assert "2022-04-25" == desk.only().data["occurred"]


@pytest.mark.parametrize(
    ("editor", "message"),
    [
        ("", "no field is named, and no editor is set (want --set FIELD=VALUE, or $EDITOR)"),
        ("false --token=geheim", "the editor ended with exit code 1 (want exit code 0"),
        ("no-such-editor-here", "the editor failed: No such file or directory"),
        ("cp /bin/true", "the edited text is not UTF-8"),
        ("sed -i s/[{]/[/", "broken JSON"),
        ("sed -i s/2022-03-27/2022-13/", 'data.occurred: "2022-13"'),
        ("cp /dev/null", "broken JSON"),
    ],
)
def test_what_an_editor_leaves_is_checked(monkeypatch: pytest.MonkeyPatch, editor: str, message: str) -> None:
    """Only data of that type is accepted."""
    monkeypatch.setenv("EDITOR", editor)
    monkeypatch.delenv("VISUAL", raising=False)

    with pytest.raises(BadInput) as refused:
        edit("Charged", DATA)
    assert message in str(refused.value)
    assert "geheim" not in str(refused.value)
