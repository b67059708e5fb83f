"""delivery check and test: the configuration, the secrets, and the way to a receiver."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from typing_extensions import TypedDict

from events.errors import BadInput
from projections.queries.deliveries import owed_ends
from projections.rules.files.yaml_source import Problem
from projections.tables.database import snapshot
from services.delivery.config.check import unserved
from services.delivery.config.loading import DeliveryError, load_delivery
from services.delivery.config.model import DeliveryConfig, Feed, KafkaTopic
from services.delivery.config.secrets import Secrets
from services.delivery.statuses.receiver import status_receiver
from services.settings import Settings, load_rules, load_settings
from services.words.terms import safe

from .app import database
from .delivery_file import Name, configured_file, known_receiver
from .options import JsonOption
from .output import FINDINGS, emit, emit_array, fail, say


class DeliveryProblemJson(TypedDict):
    """
    A problem of delivery.yaml or a warning, by `kind`.

    Line and column count from 1. Both are null if it has no place in a file: a missing secret, or a rule of which
    nobody is told.
    """

    file: str
    line: int | None
    column: int | None
    what: str
    wanted: str
    kind: str


class Unplaced(NamedTuple):
    """A problem or a warning without a place in the file."""

    file: str
    what: str
    wanted: str = ""
    line: None = None
    column: None = None


class TriedAddressJson(TypedDict):
    """The result of a test to an address; empty: the receiver has one. *outcome* is delivered, or says the trouble."""

    address: str
    outcome: str
    answer: str


class TriedJson(TypedDict):
    """The results of `delivery test`, one for each address."""

    receiver: str
    results: list[TriedAddressJson]


def check(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="The file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """
    Check delivery.yaml.

    A secret or a setting that is missing is a problem, and so is a topic that is not one of casetrail. Rules,
    watchlists and receivers without a route are listed, and removed receivers that are owed an end.
    """
    settings, path = load_settings(), configured_file(file)
    try:
        config = load_delivery(path)
    except DeliveryError as problem:
        if not as_json:
            fail(str(problem), FINDINGS)
        emit_array(_problem(own, "problem") for own in problem.problems)
        raise typer.Exit(FINDINGS) from None
    missing, warnings = [*_missing(settings, config)], _warnings(settings, config)
    if as_json:
        emit_array(
            [
                *(_problem(Unplaced(str(path), f"{own.where}: {own.what}", own.wanted), "problem") for own in missing),
                *(_problem(Unplaced(str(path), what), "warning") for what in warnings),
            ]
        )
    else:
        for line in missing:
            say(f"casetrail: {line}")
        for warning in warnings:
            say(f"warning: {warning}")
    if missing:
        raise typer.Exit(FINDINGS)
    say(f"receivers: {len(config.receivers)}, routes: {len(config.routes)}, no problems")


def try_receiver(name: Name, as_json: JsonOption = False) -> None:
    """
    Send one message that is marked as a test, at once.

    Mail goes to each address. The message is not recorded.
    """
    from services.delivery.by_hand.testing import send_test  # noqa: PLC0415 - it takes long to load
    from services.delivery.channels.opening import open_channel  # noqa: PLC0415 - the channels take long to load

    receiver = known_receiver(load_delivery(configured_file()), name)
    if isinstance(receiver.target, Feed):
        advice = f"`casetrail delivery feed {receiver.target.name} --out FOLDER` writes its files"
        raise BadInput(f"{name} is a feed, which sends nothing", f"another receiver; {advice}", "RECEIVER")
    results: list[TriedAddressJson] = []
    for tested in send_test(receiver, open_channel(receiver, load_settings(), Secrets()), datetime.now(UTC)):
        results.append({"address": tested.address, "outcome": tested.outcome, "answer": tested.answer})
        to = f"{safe(tested.address)}: " if tested.address else ""
        is_well = tested.outcome == "delivered"
        say(f"{'' if is_well else 'casetrail: '}{to}{tested.outcome}: {safe(tested.answer)}")
    if as_json:
        emit(TriedJson(receiver=name, results=results))
    if any(result["outcome"] != "delivered" for result in results):
        raise typer.Exit(FINDINGS)


def _problem(own: Problem | Unplaced, kind: str) -> DeliveryProblemJson:
    return {
        "file": own.file,
        "line": own.line,
        "column": own.column,
        "what": own.what,
        "wanted": own.wanted,
        "kind": kind,
    }


def _missing(settings: Settings, config: DeliveryConfig) -> Iterator[BadInput]:
    """Yield the secrets and the settings without which `casetrail run` would not start."""
    from services.delivery.channels.opening import open_channel  # noqa: PLC0415 - the channels take long to load

    secrets = Secrets()
    try:
        status_receiver(settings, config.receivers.values())
    except BadInput as problem:
        yield BadInput(problem.what, problem.wanted, f"receiver {problem.where}")
    for receiver in config.receivers.values():
        if not isinstance(receiver.target, KafkaTopic):
            try:
                open_channel(receiver, settings, secrets).close()
            except BadInput as problem:
                yield problem.at(f"receiver {receiver.name}")


def _warnings(settings: Settings, config: DeliveryConfig) -> Iterator[str]:
    """Yield the parts of the file that have no effect, the rules that reach nobody, and the receivers owed an end."""
    rules = {rule.id: rule.severity for rule in load_rules(settings).every if not rule.is_trial}
    gaps = unserved(config, rules)
    lists: Mapping[str, Iterable[str]] = {
        "no route sends the rule": gaps.rules,
        "no route names the watchlist": gaps.watchlists,
        "nobody is on the watchlist": gaps.empty_watchlists,
        "no route names the receiver": gaps.receivers,
    }
    yield from (f"{words} {name}" for words, names in lists.items() for name in names)
    for gap in gaps.unknown_rules:
        near = f" (perhaps {gap.nearest})" if gap.nearest else ""
        yield f"route {gap.route} names a rule that is not in force: {safe(gap.rule)}{near}"
    with snapshot(database(settings)) as conn:
        for owed in owed_ends(conn, [*config.receivers]):
            yield f"{owed['receiver']} was removed, and was told of open alerts: {owed['alerts']}"
