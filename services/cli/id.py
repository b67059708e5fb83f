"""id: the ids that facts get if they come without one."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer
from pydantic_core import from_json
from typing_extensions import TypedDict

from events.canonical import derive_id
from events.edtf import parse
from events.errors import BadDate, BadInput
from events.vocabulary import data_problem, fields
from services.publish.lines import STDIN, Line, check_files, read_lines
from services.publish.publish import complete_line
from services.runtime.shutdown import stopping
from services.words.terms import check_type

from .app import app
from .bar import no_bar
from .options import JsonOption
from .output import FINDINGS, emit_line, fail, ignoring_closed_pipe, say

# Fields that a fact needs and that are not parts of its id. With them, its parts are checked as `publish` checks them.
_NOT_PARTS: Final = {"published": "2000", "text": "-", "reason": "-", "data": {}}


class IdJson(TypedDict):
    """The id of a fact, with the file and the line; null for a fact that options describe."""

    file: str | None
    line: int | None
    id: str


@app.command(
    "id",
    epilog="\b\nExamples:\n  casetrail id facts.ndjson\n"
    "  casetrail id --type Detained --source urn:example:desk --subject kz-a --occurred 2022-04-25 --case-id c-1"
    " --cite https://news.example/1\n"
    "  casetrail id --type Charged --source urn:example:desk --subject kz-a --occurred 2022-05-02 --case-id c-1"
    ' --cite https://news.example/2 --charges \'[{"article": "190", "title": "fraud"}]\'',
)
def derived(
    file: Annotated[str | None, typer.Argument(metavar="[FILE|-]", help="A file of facts; - for a pipe.")] = None,
    *,
    type_: Annotated[str | None, typer.Option("--type", help="The type of one fact, instead of a file.")] = None,
    source: Annotated[str | None, typer.Option(help="Its source.")] = None,
    subject: Annotated[str | None, typer.Option(help="Its subject.")] = None,
    occurred: Annotated[str | None, typer.Option(help="Its date, written as in the fact.")] = None,
    cite: Annotated[str | None, typer.Option(help="The url of its first source; the title if it has no url.")] = None,
    case_id: Annotated[str | None, typer.Option(help="Its case.")] = None,
    ref: Annotated[str | None, typer.Option(help="The source's own reference.")] = None,
    fact_id: Annotated[str | None, typer.Option(help="The fact that it is about.")] = None,
    post: Annotated[str | None, typer.Option(help="The post that it names.")] = None,
    agency: Annotated[str | None, typer.Option(help="The agency of that post.")] = None,
    post_id: Annotated[str | None, typer.Option(help="Your own name of that post.")] = None,
    kind: Annotated[str | None, typer.Option(help="The kind of its case or measure.")] = None,
    title: Annotated[str | None, typer.Option(help="Its title, of a measure or of Noted.")] = None,
    scope: Annotated[str | None, typer.Option(help="The scope of a search or a pardon.")] = None,
    charges: Annotated[str | None, typer.Option(metavar="JSON", help="Its charges, as in the fact.")] = None,
    other: Annotated[str | None, typer.Option(help="The other person of a relation.")] = None,
    relation: Annotated[str | None, typer.Option(help="The relation of the other person to the subject.")] = None,
    by: Annotated[str | None, typer.Option(help="The side that appeals.")] = None,
    by_subject: Annotated[str | None, typer.Option(help="The subject_id of the accuser.")] = None,
    by_name: Annotated[str | None, typer.Option(help="The name of the accuser.")] = None,
    as_json: JsonOption = False,
) -> None:
    """
    Print the id that a fact gets if it comes without one.

    Name a file to print the id of each fact in it. For one fact, name each part of the id that the fact has, one
    option a part, written as in the fact. Leave out the parts that it does not have.
    """
    named = {"type": type_, "source": source, "subject": subject, "occurred": occurred, "cite": cite}
    parts = {"case_id": case_id, "ref": ref, "fact_id": fact_id, "post": post, "agency": agency, "post_id": post_id}
    parts |= {"kind": kind, "title": title, "scope": scope, "other": other, "relation": relation}
    accuser = _set({"subject_id": by_subject, "name": by_name})
    data = _set(parts | {"charges": _charges(charges), "by": _by(by, accuser)})
    if _set(named) or data:
        _derive_one(file, named, data, as_json=as_json)
    else:
        _derive_each(file or STDIN, as_json=as_json)


def _set(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are set."""
    return {name: value for name, value in options.items() if value is not None}


def _charges(text: str | None) -> Any:  # noqa: ANN401 - JSON
    if text is None:
        return None
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise BadInput(f"not JSON: {error}", 'a list such as [{"title": "fraud"}]', "--charges") from None


def _by(side: str | None, accuser: dict[str, str]) -> str | dict[str, str] | None:
    """Return the part `by`: the side that appeals, or the accuser; None if neither is named."""
    if side is not None and accuser:
        raise BadInput("both --by and an accuser", "--by for an appeal, --by-subject and --by-name for an accusation")
    return side or accuser or None


def _derive_one(file: str | None, named: dict[str, str | None], parts: dict[str, Any], *, as_json: bool) -> None:
    missing = [f"--{name}" for name, value in named.items() if value is None]
    if file is not None or missing:
        what = f"{', '.join(missing)} missing" if missing else f"both {file} and options"
        raise BadInput(what, "a file, or all of --type, --source, --subject, --occurred and --cite")
    cite, occurred, type_ = (named.pop(name) or "" for name in ("cite", "occurred", "type"))
    check_type(type_)
    try:
        parse(occurred)
    except BadDate as misfit:
        raise BadInput(misfit.what, misfit.wanted, "--occurred") from None
    data = {"occurred": occurred, "sources": [{"title": cite}], **parts}
    others = {name: value for name, value in _NOT_PARTS.items() if name in fields(type_)}
    if problem := data_problem(type_, others | data):
        raise BadInput(problem)
    _print_id({"file": None, "line": None, "id": derive_id({**named, "type": type_, "data": data})}, as_json=as_json)


def _derive_each(file: str, *, as_json: bool) -> None:
    check_files([file])
    bad = False
    with stopping() as stop:
        for line in read_lines(file, stop, no_bar):
            if line is not None:
                bad |= not _derive_line(line, as_json=as_json)
    if stop.by:
        fail(f"stopped by {stop.by.name}", stop.exit_code)
    if bad:
        raise typer.Exit(FINDINGS)


def _derive_line(line: Line, *, as_json: bool) -> bool:
    """Print the id of the fact in *line*, or the problem. Return whether it is a fact."""
    result = complete_line(line)
    if result.problem:
        say(str(result.problem.at(line.place)))
        return False
    with ignoring_closed_pipe():
        derived_id = derive_id(from_json(result.value))
        _print_id({"file": line.file, "line": line.number, "id": derived_id}, as_json=as_json)
    return True


def _print_id(value: IdJson, *, as_json: bool) -> None:
    if as_json:
        emit_line(value)
    else:
        print(value["id"], flush=True)
