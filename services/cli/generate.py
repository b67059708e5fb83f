"""generate: invented facts for tests, demos and benchmarks."""

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from events.edtf import parse_instant
from services.publish.samples import generate

from .app import app
from .bar import bar
from .output import file_or_stdout

CHUNK_LINES = 1000


@app.command(
    "generate",
    epilog="\b\nExamples:\n  casetrail generate --subjects 100 --seed 1 | casetrail publish -\n"
    "  casetrail generate --subjects 100 --seed 1 --tidy -o facts.ndjson",
)
def generate_facts(
    *,
    subjects: Annotated[int, typer.Option("--subjects", min=1, help="The number of people.")],
    seed: Annotated[int, typer.Option("--seed", help="The same seed yields the same bytes.")] = 1,
    first: Annotated[
        int,
        typer.Option("--first", min=1, help="The number of the first person; ids are made of it."),
    ] = 1,
    facts_per_subject: Annotated[
        int, typer.Option("--facts-per-subject", min=1, help="The mean number of facts a person.")
    ] = 10,
    until: Annotated[str, typer.Option("--until", help="Nothing is recorded after this instant.")] = "2025-12-31",
    tidy: Annotated[bool, typer.Option("--tidy", help="Leave out malformed lines and conflicts.")] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The file to write; the default is standard output.")
    ] = None,
) -> None:
    """
    Write invented facts. Careers are plausible, with vague dates, late reports, corrections and duplicates.

    The people do not exist. One life in four has several posts, cases, counts, holds or searches, and events that two
    papers report. The output is NDJSON in the order of `recorded`. `backtest` reads that order, and `publish` ignores
    it.
    """
    lines = generate(
        subjects, seed, first=first, facts_per_subject=facts_per_subject, until=parse_instant(until), tidy=tidy
    )
    with file_or_stdout(output) as file, bar("Generating", subjects * facts_per_subject) as advance:
        while chunk := list(islice(lines, CHUNK_LINES)):
            file.write(b"\n".join(chunk) + b"\n")
            advance(len(chunk))
