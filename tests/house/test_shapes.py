"""The JSON of the commands fits its typed dictionaries, and each of these has a JSON schema."""

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import delete, text
from typing_extensions import is_typeddict

from projections.alerts.shapes import AlertJson, ClearingJson, NoticeJson
from projections.projector.backtest import BacktestJson
from projections.queries.deliveries import DeliveryJson, ReceiverJson
from projections.queries.rejected import ConflictJson, FullParkedJson, ParkedJson, ReplayedJson
from projections.queries.verify import HeadJson, VerdictJson
from projections.subjects.history_shapes import HistoryJson
from projections.subjects.shapes import StatusJson
from projections.tables.database import open_database
from projections.tables.schema import LIVE, outbox
from scripts.house_figures import SOURCE, python_files
from services.cli.alerts import ShownAlertJson
from services.cli.audit import ImportedJson
from services.cli.backup import CopyJson
from services.cli.delivery_by_hand import BouncedJson, EnabledJson, MutedJson, ResentJson
from services.cli.delivery_check import DeliveryProblemJson, TriedJson
from services.cli.delivery_preview import PreviewJson
from services.cli.doctor import CheckJson
from services.cli.id import IdJson
from services.cli.init import InitJson
from services.cli.rules import FullRuleJson, ListedRuleJson, ProblemJson
from services.cli.rules_backtest import RulesBacktestJson
from services.cli.rules_explain import ExplainedJson
from services.cli.rules_test import RuleTestsJson
from services.cli.run import ProjectedJson
from services.operate.lag import LagJson
from services.publish.publish import LineResultJson, ResultJson
from services.words.differences import DifferenceJson
from tests.projector.test_running_rule_tests import CHANGES
from tests.support.alerted import ARRESTED, alert_of
from tests.support.builders import acquitted, charged, project, rows
from tests.support.commands import fact_line, facts_file, ndjson
from tests.support.earlier import earlier
from tests.support.places import CASES, ROOT
from tests.support.reading import ask, database_with
from tests.support.rules import SEQUENCE, SILENCE
from tests.support.scenario_db import A_DISMISSED, populate
from tests.support.served import Served
from tests.support.tampering import attack
from tests.support.telling import NEVER, NOT_NOW

HISTORY = ROOT / "examples" / "kazakhstan-2022.ndjson"
CONFLICT = A_DISMISSED | {"data": A_DISMISSED["data"] | {"note": "another"}, "recorded": "2023-03-02T00:00:00Z"}

UNREACHABLE_DESK = """\
receivers: {desk: {mail: [ann@desk.example], from: c@desk.example, smtp: "smtp://127.0.0.1:1", allow: [127.0.0.0/8]}}
routes: []
"""

READING: dict[str, Any] = {
    "status": list[StatusJson],
    "status a b": list[StatusJson],
    "status --as-of 2022-05-01 --known-at 2022-06-01": list[StatusJson],
    "history b": HistoryJson,
    "history a --known-at 2022-06-01": HistoryJson,
    "alerts": list[AlertJson],
    "alerts --all": list[AlertJson],
    "alerts --known-at 2022-09-01": list[AlertJson],
    "parked list": list[ParkedJson],
    "parked show 0:3": FullParkedJson,
    "conflicts": list[ConflictJson],
    "rules list": list[ListedRuleJson],
    "rules show dismissal-before-arrest": FullRuleJson,
    "rules test": RuleTestsJson,
    "rules explain dismissed-without-follow-up b": ExplainedJson,
    f"rules backtest {ROOT / 'projections' / 'rules' / 'pack'} --on database": RulesBacktestJson,
    "audit verify": VerdictJson,
    "audit head": list[HeadJson],
    "doctor": list[CheckJson],
    "backup copy.db": CopyJson,
}
"""The commands that read a database, and their shapes."""


def check(value: Any, shape: Any) -> None:
    """Check that *value* fits *shape*, with exactly its keys and its types."""
    adapter: TypeAdapter[Any] = TypeAdapter(shape)

    # A shape without a configuration of its own leaves unknown keys out, and then the values differ.
    assert value == adapter.validate_json(json.dumps(value), strict=True)


def output(args: str, folder: Path, codes: tuple[int, ...] = (0,), **env: str) -> str:
    """Return the standard output of a command with ``--json``, after checking its exit code."""
    done = ask([*args.split(), "--json"], folder, **env)
    assert done.returncode in codes, done.stderr
    return done.stdout


def shapes() -> dict[str, Any]:
    """Return every typed dictionary of an output, by its module and name."""
    result: dict[str, Any] = {}
    for path in python_files(*SOURCE):
        if "Json(" in path.read_text("utf-8"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            module = vars(importlib.import_module(name))
            own = (value for value in module.values() if is_typeddict(value) and value.__module__ == name)
            result |= {f"{name}.{value.__name__}": value for value in own if value.__name__.endswith("Json")}
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database that contains every kind of event that shapes a conclusion, and a conflict."""
    place = tmp_path_factory.mktemp("shapes")
    engine = database_with(place)
    later = {"subject": "cleared", "recorded": "2023-06-01T00:00:00Z"}
    acquittal = [charged("2023-03-01", case="c", **later), acquitted("2023-04-01", case="c", **later)]
    project(populate(engine), [CONFLICT, *acquittal])
    engine.dispose()
    return place


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A folder with a database into which an example was published, not projected yet."""
    database_with(tmp_path).dispose()
    assert 0 == ask(f"publish {HISTORY}", tmp_path).returncode
    return tmp_path


@pytest.mark.parametrize(("args", "shape"), READING.items(), ids=READING)
def test_a_command_that_reads_has_its_shape(folder: Path, args: str, shape: Any) -> None:
    """The output of each reading command fits its shape, and is not empty."""
    value = json.loads(output(args, folder, (0, 1)))

    assert value
    check(value, shape)


def test_one_alert_has_its_shape(folder: Path) -> None:
    """One alert is acknowledged in the shape of a list's row, and shown with its messages."""
    alert_id = next(alert["alert_id"] for alert in json.loads(output("alerts", folder)) if alert["state"] == "open")

    check(json.loads(output(f"alerts show {alert_id}", folder)), ShownAlertJson)
    check(json.loads(output(f"alerts ack {alert_id} --by kim", folder)), AlertJson)


def test_a_notice_has_its_shape(folder: Path) -> None:
    """Each notice of the outbox fits its shape: those of alerts, which `alerts --follow` prints, and of people."""
    engine = open_database(f"sqlite:///{folder / 'casetrail.db'}")
    sent = rows(engine, outbox)
    engine.dispose()

    assert {"notice", "cleared"} <= {row["kind"] for row in sent}
    for row in sent:
        check(row["notice"], NoticeJson if row["kind"] == "notice" else ClearingJson)


def test_findings_and_differences_have_their_shapes(tmp_path: Path) -> None:
    """The findings of an audit and the differences of a rebuild fit their shapes."""
    engine = database_with(tmp_path)
    populate(engine)
    with engine.begin() as conn:
        conn.execute(delete(LIVE.names))
        conn.execute(text("UPDATE alerts SET state = 'resolved' WHERE state = 'open'"))
    differences = json.loads(output("rebuild --check", tmp_path, (1,)))
    repaired = json.loads(output("rebuild", tmp_path, (0, 1)))
    with engine.begin() as conn:
        attack(conn, "UPDATE ledger SET reason = 'other' WHERE seq = 4")
    engine.dispose()
    verdict = json.loads(output("audit verify", tmp_path, (1,)))

    assert {"names", "alerts"} == {row["table"] for row in differences} == {row["table"] for row in repaired}
    assert verdict["findings"]
    check(differences, list[DifferenceJson])
    check(repaired, list[DifferenceJson])
    check(verdict, VerdictJson)


def test_delivery_has_its_shapes(tmp_path: Path) -> None:
    """The record, and the results of the commands about it, fit their shapes for messages in several states."""
    served = Served(tmp_path)
    served.inboxes["desk"].answers = [NOT_NOW, NEVER]
    served.project(*ARRESTED)
    alert = alert_of(tmp_path, "arrested")["alert_id"]
    shown = json.loads(output(f"delivery show {alert}", tmp_path))
    listed = json.loads(output("delivery list", tmp_path))
    notice = shown[0]["notice_id"]

    assert {"delivered", "given_up", "queued"} == {row["state"] for row in shown}
    assert 2 == len(listed)
    check(shown, list[DeliveryJson])
    check(json.loads(output(f"delivery show {notice} --limit 1", tmp_path)), list[DeliveryJson])
    check(listed, list[ReceiverJson])
    check(json.loads(output(f"alerts show {alert}", tmp_path)), ShownAlertJson)
    previewed = json.loads(output("delivery preview", tmp_path))
    assert 1 == previewed["notices"]
    check(previewed, PreviewJson)
    check(json.loads(output("delivery check", tmp_path, (1,))), list[DeliveryProblemJson])
    resent = json.loads(output(f"delivery resend {notice} --receiver desk", tmp_path))
    assert resent["queued"]
    check(resent, ResentJson)
    check(json.loads(output(f"delivery resend {notice} --receiver chat", tmp_path)), ResentJson)
    refused = json.loads(output(f"delivery resend {notice} --receiver chat", tmp_path, (1,)))
    assert refused["refused"]
    check(refused, ResentJson)
    check(json.loads(output(f"delivery bounced {notice} ann@desk.example", tmp_path)), BouncedJson)
    check(json.loads(output("delivery enable desk", tmp_path)), EnabledJson)
    for command in ("mute", "unmute"):
        check(json.loads(output(f"delivery {command} ann@desk.example", tmp_path)), MutedJson)
    (tmp_path / "delivery.yaml").write_text(UNREACHABLE_DESK, "utf-8")
    check(json.loads(output("delivery test desk", tmp_path, (1,))), TriedJson)


@pytest.mark.parametrize("path", sorted([*CASES.glob("*.ndjson"), HISTORY]), ids=lambda path: path.stem)
def test_a_backtest_has_its_shape(path: Path, tmp_path: Path) -> None:
    """The report of a backtest fits its shape, for every case file and an example."""
    value = json.loads(output(f"backtest {path} --until 2026", tmp_path, (0, 1)))

    check(value, BacktestJson)


def test_commands_that_publish_have_their_shapes(tmp_path: Path) -> None:
    """Results of lines, ids, corrections and retractions fit their shapes, refused lines included."""
    database_with(tmp_path).dispose()
    facts_file(tmp_path, fact_line(), "{", fact_line(occurred="soon"), fact_line(subject="kz-b", charges=[]))
    results = ndjson(output("publish facts.ndjson", tmp_path, (1,)))
    ids = ndjson(output("id facts.ndjson", tmp_path, (0, 1)))
    assert 0 == ask("project", tmp_path).returncode
    options = f"{results[0]['id']} --source-title decree --yes"
    corrected = json.loads(output(f"correct {options} --set occurred=2022-03-26", tmp_path))
    retracted = json.loads(output(f"retract {options} --reason wrong", tmp_path))

    assert 4 == len(results)
    check(results, list[LineResultJson])
    check(ids, list[IdJson])
    check([corrected, retracted], list[ResultJson])


def test_commands_that_project_have_their_shapes(published: Path) -> None:
    """The counts of a projection and of an import, and the lag, fit their shapes."""
    check(json.loads(output("lag", published)), list[LagJson])
    check(json.loads(output("project", published)), ProjectedJson)
    check(json.loads(output("history kz-bukharbaev", published)), HistoryJson)

    copy = published / "import"
    copy.mkdir()
    database_with(copy).dispose()
    assert 0 == ask(f"audit export --output {copy / 'facts.ndjson'}", published).returncode
    check(json.loads(output("audit import facts.ndjson", copy)), ImportedJson)


def test_a_replay_has_its_shape(tmp_path: Path) -> None:
    """The result of a replay fits its shape."""
    engine = database_with(tmp_path, b"nonsense")
    engine.dispose()

    check(json.loads(output("parked replay --all", tmp_path, (0, 1))), list[ReplayedJson])


def test_init_has_its_shape(tmp_path: Path) -> None:
    """The result of init fits its shape, for a new database and for one of an earlier release."""
    new = tmp_path / "new"
    new.mkdir()
    earlier(f"sqlite:///{tmp_path / 'casetrail.db'}").dispose()
    upgraded = json.loads(output("init", tmp_path))

    assert upgraded["alerts"]
    check(upgraded, InitJson)
    check(json.loads(output("init", new)), InitJson)


def test_the_problems_of_rules_have_their_shape(tmp_path: Path) -> None:
    """The problems of a rule file fit their shape."""
    (tmp_path / "rules.yaml").write_text("rules:\n  - id: Silence\n")
    problems = json.loads(output("rules check rules.yaml", tmp_path, (1, 2)))

    assert problems
    check(problems, list[ProblemJson])


def test_the_results_of_tests_have_their_shape(tmp_path: Path) -> None:
    """Tests that pass, a rule that lacks one, and a change that no test notices fit their shapes."""
    (tmp_path / "rules.yaml").write_text(SILENCE + CHANGES + SEQUENCE.partition("\n")[2])
    results = json.loads(output("rules test rules.yaml --mutate", tmp_path, (1,)))

    assert results["tests"]
    assert results["lacking"]
    assert results["survivors"]
    check(results, RuleTestsJson)


@pytest.mark.parametrize("name", shapes())
def test_a_shape_has_a_json_schema(name: str) -> None:
    """Every typed dictionary of an output has a JSON schema with a description, as OpenAPI needs it."""
    schema = TypeAdapter(shapes()[name]).json_schema()

    assert schema["description"]


def test_a_wrong_value_is_found() -> None:
    """The check fails for an unknown key, a missing key and a wrong type, at any depth."""
    head = {"partition": 0, "seq": 1, "hash": "0", "recorded": "2022-01-01T00:00:00Z"}
    missing = {name: value for name, value in head.items() if name != "seq"}

    check([head], list[HeadJson])
    for wrong in (missing, head | {"seq": "1"}):
        with pytest.raises(ValidationError):
            check([wrong], list[HeadJson])
    with pytest.raises((AssertionError, ValidationError)):
        check([head | {"more": 1}], list[HeadJson])
