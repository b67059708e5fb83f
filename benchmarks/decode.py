"""The steps of a fact between bytes and memory: facts a second, beside pydantic's validation of the same bytes."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.figures import options, print_figures, rate
from benchmarks.machine import machine
from benchmarks.process import UNTIL
from events.canonical import content
from events.cloudevents import to_binary, to_json_form
from events.decode import complete, decode, restore
from events.record import decode_record
from events.vocabulary import EVENT
from services.log.kafka.records import kept_headers
from services.publish.samples import generate


def measure(subjects: int, seed: int) -> dict[str, Any]:
    """Return the facts a second of each step, the best of a few rounds, and the cost relative to validation alone."""
    lines = list(generate(subjects, seed, until=UNTIL, tidy=True))
    values = [complete(line, UNTIL)[1] for line in lines]
    records = [(kept_headers(headers), data) for headers, data in map(to_binary, values)]
    steps: dict[str, float] = {
        "validate_json": rate(EVENT.validate_json, values),
        "decode": rate(decode, values),
        "restore": rate(lambda value: restore(value, UNTIL), values),
        "content": rate(content, values),
        "complete": rate(lambda line: complete(line, UNTIL), lines),
        "decode_record": rate(lambda record: decode_record(*record, UNTIL), records),
        "decode_json_form": rate(lambda record: decode(to_json_form(*record)), records),
    }
    return {
        "facts": len(lines),
        "bytes_per_fact": round(sum(map(len, values)) / len(values)),
        "per_second": {name: round(rate) for name, rate in steps.items()},
        "decode_to_validate_json": round(steps["validate_json"] / steps["decode"], 2),
        "machine": machine(Path.cwd()),
    }


def _show(console: Console, figures: dict[str, Any]) -> None:
    table = Table("step", "facts a second", "µs a fact")
    for name, facts in figures["per_second"].items():
        table.add_row(name, f"{facts:,}", f"{1e6 / facts:.1f}")
    console.print(table)
    console.print(f"decode takes {figures['decode_to_validate_json']} times as long as validate_json alone")
    console.print(f"{figures['facts']:,} facts of {figures['bytes_per_fact']} bytes")


def main() -> None:
    """Measure, and print a table, or JSON with ``--json``."""
    arguments = options("decode", __doc__, subjects=2000).parse_args()
    print_figures(measure(arguments.subjects, arguments.seed), _show, as_json=arguments.json)


if __name__ == "__main__":
    main()
