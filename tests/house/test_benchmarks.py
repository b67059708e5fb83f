"""The benchmarks run and print their figures."""

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
    """Run a benchmark with few facts, and return its figures."""
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
    """
    Start and end are not part of any tenth.

    The run has one second to start, one for each half of the records, and two to end. The time between is spread
    evenly.
    """
    samples = [(0, 0.0), (0, 1.0), (50, 2.0), (100, 3.0), (100, 5.0)]

    assert [20_000] * 10 == [round(cost) for cost in tenths(samples, 100)]


def test_a_run_that_slows_down_shows_it() -> None:
    """The last tenth costs three times the first if the second half takes three times as long."""
    costs = tenths([(0, 0.0), (50, 1.0), (100, 4.0)], 100)

    assert (20_000, 60_000) == (round(costs[0]), round(costs[-1]))


def test_a_cost_too_small_for_the_clock_is_not_an_error() -> None:
    """A cost of 0 is not an error, because processor time is counted in hundredths of a second."""
    assert (3.0, 0.0) == (last_to_first([20, 60]), last_to_first([0, 0]))


def test_people_that_cohorts_do_not_divide_are_all_there(tmp_path: Path) -> None:
    """People that do not divide evenly among the cohorts are all written, each in one archive."""
    count = write_facts(tmp_path / "facts.ndjson", 5, seed=1, cohorts=2)

    lines = (tmp_path / "facts.ndjson").read_text().splitlines()
    assert count == len(lines)
    assert 5 == len({json.loads(line)["subject"] for line in lines})


@pytest.mark.parametrize("option", ["--subjects 0", "--cohorts 0", "--cohorts -1", "--cohorts two"])
def test_a_benchmark_without_people_is_refused(option: str) -> None:
    """A benchmark without people states the wanted value and prints no figures."""
    process = benchmark(f"benchmarks.embedded {option}")

    assert (2, "", True) == (process.returncode, process.stdout, "(want 1 or more)" in process.stderr)


def test_the_benchmark_of_the_embedded_mode_prints_every_figure() -> None:
    """All facts are applied, and the output has every figure, the machine and the command."""
    figures = measured("benchmarks.embedded --subjects 20 --cohorts 2")

    assert (200, 0) == (figures["applied"], figures["parked"])
    assert figures["lines"] == figures["applied"] + figures["duplicate"]
    assert all(figures[command]["per_second"] > 0 for command in ("publish", "project"))
    assert all(10 == len(figures[command]["wall_us_by_tenth"]) for command in ("publish", "project"))
    assert 0 < figures["project_to_plain"] < 1
    assert "python -m benchmarks.embedded --subjects 20 --seed 1 --cohorts 2" == figures["command"]
    assert {"processor", "core", "sqlite", "memory", "load", "system", "versions"} == figures["machine"].keys()


def test_the_benchmark_of_decoding_compares_its_steps_with_validation() -> None:
    """The benchmark reports the cost of decoding relative to pydantic's own validation."""
    figures = measured("benchmarks.decode --subjects 20")

    steps = {"validate_json", "decode", "restore", "content", "complete", "decode_record", "decode_json_form"}
    assert steps == figures["per_second"].keys()
    assert 0 < figures["decode_to_validate_json"]


def test_the_benchmark_of_one_person_compares_many_facts_with_few() -> None:
    """The benchmark reports both a fact at the end of the history and a fact dated into its middle."""
    figures = measured("benchmarks.subject --subjects 40 --most 100")

    assert {"10", "100"} == figures["at_the_end_ms"].keys() == figures["late_ms"].keys()
    assert 0 < figures["at_the_end_most_to_least"]


def test_the_benchmark_of_rules_compares_numbers_of_rules() -> None:
    """The benchmark reports the cost of fifty and of the shipped rules beside that of ten, and their evaluation."""
    figures = measured("benchmarks.rules --subjects 20 --turns 1")

    assert {"none", "ten", "fifty", "shipped"} == figures["seconds"].keys()
    assert 0 < min(figures["fifty_to_ten"], figures["shipped_to_ten"])
    assert {"ten", "fifty", "shipped"} == figures["evaluation"].keys()
    assert max(figures["evaluation"].values()) < 1


def test_the_benchmark_of_timers_compares_a_large_table_with_a_small_one() -> None:
    """The benchmark finds the same due timers in both tables."""
    figures = measured("benchmarks.timers --subjects 11000")

    assert {"small": 10_000, "large": 11_000} == figures["people"]
    assert 0 < figures["large_to_small"]


def test_the_benchmark_of_the_correlator_compares_it_with_the_projector() -> None:
    """The benchmark raises alerts across people, and reports the facts a second beside those of the projector."""
    figures = measured("benchmarks.correlator --subjects 200 --turns 1")

    assert 0 < figures["alerts"]
    assert 0 < figures["relevant"] < figures["records"]
    assert 0 < figures["correlator_to_projector"]


@pytest.mark.slow
def test_the_benchmark_of_delivery_compares_a_dead_receiver_with_a_healthy_one() -> None:
    """Each notice arrives in both cases, and the benchmark compares the memory for two numbers of waiting notices."""
    figures = measured("benchmarks.delivery --subjects 400")

    assert {"small": 40, "large": 400} == figures["waiting"]
    assert {"healthy", "dead"} == figures["arrival_ms"].keys()
    assert min(figures[name] for name in ("dead_to_healthy", "large_to_small", "planned_per_second")) > 0
    assert 0 < figures["sent_per_second"]


@pytest.mark.slow
@pytest.mark.usefixtures("kafka_programs", "postgres_server")
def test_the_benchmark_of_latency_times_every_fact() -> None:
    """The benchmark times every fact, with a broker and a database server of its own."""
    figures = measured("benchmarks.latency --subjects 20")

    for part in (figures, figures["floor"]):
        assert 190 < part["facts"] + part["warm_up"]["facts"]
        assert 0 < part["p50_ms"] <= part["p99_ms"] <= part["most_ms"]


@pytest.mark.slow
@pytest.mark.usefixtures("kafka_programs", "postgres_server")
def test_the_benchmark_of_production_compares_with_raw() -> None:
    """All facts are applied, by one projector and by two."""
    figures = measured("benchmarks.production --subjects 50")

    assert (500, 0) == (figures["applied"], figures["parked"])
    assert min(figures["ours_to_raw"], figures["two_to_raw"], figures["two_to_one"]) > 0


def test_the_benchmark_of_production_reports_missing_peers() -> None:
    """A missing peer or a missing Python is reported at once, before any measurement."""
    command = [sys.executable, "-m", "benchmarks.production", "--peers"]
    processes = [
        subprocess.run([*command, python], check=False, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS)
        for python in (sys.executable, "no-such-python")
    ]

    assert [1, 1] == [process.returncode for process in processes]
    assert all("pip install --group peers" in process.stderr for process in processes)
    assert "No module named 'quixstreams'" in processes[0].stderr
