"""The benchmarks run, and say what they measured."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.process import last_to_first, tenths, write_facts
from tests.support.commands import SECONDS
from tests.support.places import ROOT


def measured(words: str) -> dict[str, Any]:
    """Run a benchmark with few facts and return its figures."""
    done = benchmark(f"{words} --json")
    assert 0 == done.returncode, done.stderr
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def benchmark(words: str) -> "subprocess.CompletedProcess[str]":
    """Run a benchmark to its end."""
    return subprocess.run(
        [sys.executable, "-m", *words.split()], cwd=ROOT, capture_output=True, text=True, check=False, timeout=SECONDS
    )


def test_the_cost_of_each_tenth_leaves_out_starting_up_and_closing_down() -> None:
    """A second to start, a second for each half of the records, and two to end: what lies between goes evenly."""
    samples = [(0, 0.0), (0, 1.0), (50, 2.0), (100, 3.0), (100, 5.0)]

    assert [20_000] * 10 == [round(cost) for cost in tenths(samples, 100)]


def test_a_run_that_slows_down_shows_it() -> None:
    """The second half takes three times as long as the first."""
    costs = tenths([(0, 0.0), (50, 1.0), (100, 4.0)], 100)

    assert (20_000, 60_000) == (round(costs[0]), round(costs[-1]))


def test_a_cost_too_small_for_the_clock_is_no_failure() -> None:
    """Processor time is counted in hundredths of a second, and few facts take less."""
    assert (3.0, 0.0) == (last_to_first([20, 60]), last_to_first([0, 0]))


def test_people_that_cohorts_do_not_divide_are_all_there(tmp_path: Path) -> None:
    """And each of them in one archive."""
    count = write_facts(tmp_path / "facts.ndjson", 5, seed=1, cohorts=2)

    lines = (tmp_path / "facts.ndjson").read_text().splitlines()
    assert count == len(lines)
    assert 5 == len({json.loads(line)["subject"] for line in lines})


@pytest.mark.parametrize("option", ["--subjects 0", "--cohorts 0", "--cohorts -1", "--cohorts two"])
def test_a_benchmark_of_nobody_says_what_it_wants(option: str) -> None:
    """And prints no figures."""
    process = benchmark(f"benchmarks.embedded {option}")

    assert (2, "", True) == (process.returncode, process.stdout, "(want 1 or more)" in process.stderr)


def test_the_benchmark_of_the_embedded_mode_counts_what_it_measured() -> None:
    """All facts are applied, and every figure is there, with the machine and the command."""
    figures = measured("benchmarks.embedded --subjects 20 --cohorts 2")

    assert (200, 0) == (figures["applied"], figures["parked"])
    assert figures["lines"] == figures["applied"] + figures["duplicate"]
    assert all(figures[command]["per_second"] > 0 for command in ("publish", "project"))
    assert all(10 == len(figures[command]["wall_us_by_tenth"]) for command in ("publish", "project"))
    assert 0 < figures["project_to_plain"] < 1
    assert "python -m benchmarks.embedded --subjects 20 --seed 1 --cohorts 2" == figures["command"]
    assert {"processor", "core", "sqlite", "memory", "load", "system", "versions"} == figures["machine"].keys()


def test_the_benchmark_of_decoding_holds_its_steps_against_validation_alone() -> None:
    """What decode adds to pydantic's own work is the figure to watch."""
    figures = measured("benchmarks.decode --subjects 20")

    steps = {"validate_json", "decode", "restore", "content", "complete", "decode_record", "decode_json_form"}
    assert steps == figures["per_second"].keys()
    assert 0 < figures["decode_to_validate_json"]


def test_the_benchmark_of_one_person_holds_many_facts_against_few() -> None:
    """At the end of the history, and dated into its middle."""
    figures = measured("benchmarks.subject --subjects 40 --most 100")

    assert {"10", "100"} == figures["at_the_end_ms"].keys() == figures["late_ms"].keys()
    assert 0 < figures["at_the_end_most_to_least"]


@pytest.mark.slow
@pytest.mark.usefixtures("kafka_programs", "postgres_server")
def test_the_benchmark_of_latency_sees_every_fact() -> None:
    """With a broker and a database server of its own."""
    figures = measured("benchmarks.latency --subjects 20")

    for told in (figures, figures["floor"]):
        assert 190 < told["facts"] + told["warm_up"]["facts"]
        assert 0 < told["p50_ms"] <= told["p99_ms"] <= told["most_ms"]


@pytest.mark.slow
@pytest.mark.usefixtures("kafka_programs", "postgres_server")
def test_the_benchmark_of_production_holds_ours_against_raw() -> None:
    """All facts are applied, by one projector and by two."""
    figures = measured("benchmarks.production --subjects 50")

    assert (500, 0) == (figures["applied"], figures["parked"])
    assert min(figures["ours_to_raw"], figures["two_to_raw"], figures["two_to_one"]) > 0


def test_the_benchmark_of_production_says_how_peers_are_installed() -> None:
    """At once, before it has measured anything: by a Python that has none of them, and where there is no Python."""
    command = [sys.executable, "-m", "benchmarks.production", "--peers"]
    ended = [
        subprocess.run([*command, python], check=False, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS)
        for python in (sys.executable, "no-such-python")
    ]

    assert [1, 1] == [each.returncode for each in ended]
    assert all("pip install --group peers" in each.stderr for each in ended)
    assert "No module named 'quixstreams'" in ended[0].stderr
