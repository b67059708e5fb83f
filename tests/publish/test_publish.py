"""Facts from files and pipes into the log: accepted facts, refused lines, and the messages."""

import json
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import func, select, text

from events.decode import MAX_BYTES, complete
from events.errors import Infrastructure
from projections.tables.database import open_database, write_transaction
from projections.tables.origin import note_partitions
from projections.tables.schema import ledger, log
from services.log.base import Append, NotAcknowledged
from services.log.local import LocalLog
from services.publish.lines import Line, read_lines
from services.publish.publish import NotAccepted, publish
from tests.support.commands import SECONDS, fact_line, facts_file, many, ndjson, ready, run, start
from tests.support.strategies import NOW

BAD_LINES = {
    "broken JSON": (b'{"type":"Dismissed",', "not_json"),
    "two values": (b"{} {}", "not_json"),
    "no object": (b"[1]", "invalid"),
    "UTF-16": ("{}".encode("utf-16"), "not_utf8"),
    "Windows-1251": ('{"type":"Уволен"}'.encode("cp1251"), "not_utf8"),
    "a NUL": (fact_line(note="a").replace('"a"', '"\\u0000"').encode(), "nul"),
    "half a character": (fact_line(note="a").replace('"a"', '"\\ud800"').encode(), "surrogate"),
    "2 MB": (fact_line(note="x" * 2_000_000).encode(), "too_large"),
    "deep": (fact_line(note="a").replace('"a"', "[" * 100_000 + "]" * 100_000).encode(), "too_deep"),
    "an unknown type": (fact_line("Dismised").encode(), "unknown_type"),
    "an unknown version": (json.dumps({**json.loads(fact_line()), "dataversion": "7"}).encode(), "unknown_version"),
    "an impossible date": (fact_line(occurred="2024-02-30").encode(), "invalid"),
    "an unknown field": (fact_line(groud="drink").encode(), "invalid"),
    "no source": (fact_line(sources=[]).encode(), "invalid"),
}


def in_log(folder: Path) -> int:
    """The number of records in the log of *folder*."""
    engine = open_database(f"sqlite:///{folder / 'casetrail.db'}")
    with engine.connect() as conn:
        count = conn.scalar(select(func.count()).select_from(log))
    engine.dispose()
    return count or 0


def outcomes(folder: Path) -> list[str]:
    """The outcome of each record read, in order."""
    engine = open_database(f"sqlite:///{folder / 'casetrail.db'}")
    with engine.connect() as conn:
        found = conn.scalars(select(ledger.c.outcome).where(ledger.c.outcome.is_not(None)).order_by(ledger.c.seq))
        became = [str(outcome) for outcome in found]
    engine.dispose()
    return became


def wait_for(records: int, folder: Path) -> None:
    """Wait until the log in *folder* holds so many *records*."""
    end = time.monotonic() + SECONDS
    while in_log(folder) < records:
        assert time.monotonic() < end, f"{in_log(folder)} records of {records} after {SECONDS} s"
        time.sleep(0.02)


def read(folder: Path, content: bytes) -> list[Line]:
    """The lines of a file with *content*, as they are read."""
    file = folder / "facts.ndjson"
    file.write_bytes(content)
    return [line for line in read_lines(str(file), Event(), lambda _: None) if line]


def refusing(lost: list[int]) -> Append:
    """A log that does not acknowledge the facts at these places."""

    def append(facts: Sequence[tuple[str, bytes]]) -> None:
        del facts
        raise NotAcknowledged(lost, "away")

    return append


class TestInit:
    """The creation of the database, and its repetition."""

    def test_it_says_what_it_did_and_may_be_repeated(self, tmp_path: Path) -> None:
        """The second run changes nothing."""
        first, second = run("init --json", tmp_path), run("init --json", tmp_path)

        assert (0, 0) == (first.returncode, second.returncode)
        assert json.loads(first.stdout)["before"] is None
        assert json.loads(first.stdout)["after"] == json.loads(second.stdout)["before"] is not None

    def test_two_at_once_make_one_database(self, tmp_path: Path) -> None:
        """Two containers that start together must not break each other's start."""
        with start("init", tmp_path) as one, start("init", tmp_path) as other:
            ended = [one.end(), other.end()]

        assert [0, 0] == [code for code, _, _ in ended], ended
        assert 0 == run("project", tmp_path).returncode

    def test_a_missing_folder_is_named(self, tmp_path: Path) -> None:
        """A mistyped path must not become a new folder."""
        done = run("init", tmp_path, env={"CASETRAIL_DATABASE_URL": f"sqlite:///{tmp_path}/no/c.db"})

        assert 3 == done.returncode
        assert f"the folder of {tmp_path}/no/c.db is missing" in done.stderr

    def test_without_a_database_every_command_says_how_to_make_one(self, tmp_path: Path) -> None:
        """A newcomer often forgets `casetrail init`."""
        facts_file(tmp_path, fact_line())
        done = run("publish facts.ndjson", tmp_path)

        assert 3 == done.returncode
        assert "run `casetrail init`" in done.stderr


class TestLines:
    """A file, read as lines."""

    @pytest.mark.parametrize(
        "content",
        [b"a\nb\n", b"a\nb", b"a\r\nb\r\n", b"\xef\xbb\xbfa\nb\n", b"a\n\n  \nb\n\n"],
        ids=["plain", "no end", "CRLF", "mark", "blank"],
    )
    def test_what_editors_and_systems_add_is_taken_off(self, tmp_path: Path, content: bytes) -> None:
        """Both lines are read in the same way in every form of a file."""
        assert [b"a", b"b"] == [line.value for line in read(tmp_path, content)]

    def test_numbers_count_blank_lines(self, tmp_path: Path) -> None:
        """A line number is for an editor, which counts every line."""
        assert ["1", "4"] == [line.place.rpartition(":")[2] for line in read(tmp_path, b"a\n\n\nb\n")]

    @pytest.mark.parametrize("end", [b"\n", b""])
    def test_a_line_beyond_all_bounds_is_counted_and_not_held(self, tmp_path: Path, end: bytes) -> None:
        """Ten megabytes without a line feed are read, and not kept in memory."""
        before, long, *after = read(tmp_path, b"a\n" + b"x" * 10_000_000 + b"\r" + end + (b"b\n" if end else b""))

        assert (b"a", 1) == (before.value, before.number)
        assert (b"", 10_000_000, 2) == (long.value, long.size, long.number)
        assert [(b"b", 3)] * bool(end) == [(line.value, line.number) for line in after]

    def test_the_largest_fact_is_not_too_long(self, tmp_path: Path) -> None:
        """A line of the greatest size is read whole, with any line end."""
        assert [MAX_BYTES] == [len(line.value) for line in read(tmp_path, b"x" * MAX_BYTES + b"\r\n")]

    def test_where_it_is_stopped_it_gives_no_half_line(self, tmp_path: Path) -> None:
        """Half a line would be reported as a bad line."""
        file = tmp_path / "facts.ndjson"
        file.write_bytes(b"a\n" + b"x" * 500_000)
        stop = Event()

        assert [b"a"] == [line.value for line in read_lines(str(file), stop, lambda _: stop.set()) if line]


class TestPublishing:
    """The facts in the log, and the messages."""

    def test_a_file_goes_in_under_one_stamp_and_twice_adds_nothing(self, tmp_path: Path) -> None:
        """The second time every record is a duplicate, and the exit code is that of success."""
        facts_file(ready(tmp_path), *(fact_line(subject=f"kz-{n}") for n in range(3)))
        first, second = run("publish facts.ndjson", tmp_path), run("publish facts.ndjson", tmp_path)
        run("project", tmp_path)

        assert [(0, "", "3 accepted, 0 bad\n")] * 2 == [(d.returncode, d.stdout, d.stderr) for d in (first, second)]
        assert ["applied"] * 3 + ["duplicate"] * 3 == outcomes(tmp_path)
        engine = open_database(f"sqlite:///{tmp_path / 'casetrail.db'}")
        with engine.connect() as conn:
            assert 2 == conn.scalar(select(func.count(log.c.stamped.distinct())))
        engine.dispose()

    def test_bad_lines_are_named_and_those_around_them_go_in(self, tmp_path: Path) -> None:
        """Each bad line is named with its problem, and does not affect the others."""
        around = [fact_line(subject=f"kz-{n}") for n in range(len(BAD_LINES))]
        lines = [line for bad, good in zip(BAD_LINES.values(), around, strict=True) for line in (bad[0], good)]
        facts_file(ready(tmp_path), *lines)
        done = run("publish --json facts.ndjson", tmp_path)
        results = ndjson(done.stdout)

        assert 1 == done.returncode
        assert ["bad", "accepted"] * len(BAD_LINES) == [result["result"] for result in results]
        assert [code for _, code in BAD_LINES.values()] == [result["error"]["code"] for result in results[::2]]
        assert [f"facts.ndjson:{n}" for n in range(1, len(lines), 2)] == [
            line.partition(": ")[0] for line in done.stderr.splitlines()
        ]
        assert max(map(len, done.stderr.splitlines())) < 600
        assert len(BAD_LINES) == json.loads(run("project --json", tmp_path).stdout)["applied"]

    def test_what_comes_past_our_checks_is_parked_with_the_same_words(self, tmp_path: Path) -> None:
        """A client of the log without these checks does not stop the projector either."""
        engine = open_database(f"sqlite:///{ready(tmp_path) / 'casetrail.db'}")
        good = [complete(fact_line(subject=f"kz-{n}").encode(), NOW)[1] for n in range(len(BAD_LINES))]
        keys = [f"kz-{n}".encode() for n in range(len(BAD_LINES))]
        records = zip(keys, BAD_LINES.values(), good, strict=True)
        LocalLog(engine).append_records([x for key, bad, each in records for x in ((key, bad[0]), (key, each))])
        totals = json.loads(run("project --json", tmp_path).stdout)
        with engine.connect() as conn:
            reasons = conn.scalars(select(ledger.c.reason).where(ledger.c.outcome == "parked").order_by(ledger.c.seq))
            codes = [str(reason).partition(": ")[0] for reason in reasons]
        engine.dispose()

        assert (len(BAD_LINES), len(BAD_LINES)) == (totals["applied"], totals["parked"])
        # Without an envelope, the first problem may be a missing field that the publisher would have filled in.
        assert [code for _, code in BAD_LINES.values()] == codes

    def test_an_error_says_where_what_and_wanted(self, tmp_path: Path) -> None:
        """The message has the exact form that the house rules require."""
        facts_file(ready(tmp_path), fact_line(occurred="2024-13-01"))
        done = run("publish facts.ndjson", tmp_path)

        bad, summary = done.stderr.splitlines()
        assert bad.startswith('facts.ndjson:1: data.occurred: "2024-13-01" ')
        assert bad.endswith("(want EDTF, such as 2024-01-13 or 2024-01)")
        assert "0 accepted, 1 bad" == summary

    def test_each_line_gets_a_result(self, tmp_path: Path) -> None:
        """A tool finds its line by file and number, and learns its id."""
        facts_file(ready(tmp_path), "", fact_line(subject="a"), "{}")
        good, bad = ndjson(run("publish --json facts.ndjson", tmp_path).stdout)

        assert ["file", "line", "id", "subject", "result", "error"] == list(good) == list(bad)
        assert ("facts.ndjson", 2, "a", "accepted", None) == (
            *(good["file"], good["line"], good["subject"], good["result"], good["error"]),
        )
        assert [good["id"]] == run("id facts.ndjson", tmp_path).stdout.split()
        assert (3, None, None, "bad") == (bad["line"], bad["id"], bad["subject"], bad["result"])
        assert {"code": "invalid", "where": "type", "what": "missing"}.items() <= bad["error"].items()

    def test_the_same_id_with_other_content_is_a_conflict_for_the_projector_to_show(self, tmp_path: Path) -> None:
        """The log accepts both. The ledger keeps the first and shows the other; the facts after it are applied."""
        other = fact_line(subject="a", note="another")
        facts_file(ready(tmp_path), fact_line(subject="a"), other, fact_line(subject="b"))

        assert 0 == run("publish facts.ndjson", tmp_path).returncode
        assert 0 == run("project", tmp_path).returncode
        assert ["applied", "conflict", "applied"] == outcomes(tmp_path)

    def test_checking_needs_no_database_and_writes_none(self, tmp_path: Path) -> None:
        """A tool can be tested on a machine without casetrail's database."""
        facts_file(tmp_path, fact_line(), "{}")
        done = run("publish --check --json facts.ndjson", tmp_path)

        assert (1, ["valid", "bad"]) == (done.returncode, [result["result"] for result in ndjson(done.stdout)])
        assert ["facts.ndjson"] == [path.name for path in tmp_path.iterdir()]

    @pytest.mark.parametrize("missing", ["nowhere.ndjson", "."])
    def test_a_missing_file_is_found_before_anything_is_written(self, tmp_path: Path, missing: str) -> None:
        """Otherwise one wrong name would leave it unclear which of the other files were published."""
        facts_file(ready(tmp_path), fact_line())
        done = run(f"publish facts.ndjson {missing}", tmp_path)

        assert (2, 0) == (done.returncode, in_log(tmp_path))
        assert done.stderr.startswith(f"casetrail: {missing}: ")

    def test_no_file_at_all_is_a_usage_error(self, tmp_path: Path) -> None:
        """Waiting for input from a terminal would look like work."""
        assert 2 == run("publish", tmp_path).returncode

    def test_a_pipe_is_read_to_its_end(self, tmp_path: Path) -> None:
        """The output of a tool is published, and places in it are named by the dash."""
        done = run("publish -", ready(tmp_path), many(2500) + "{}")

        assert (1, 2500) == (done.returncode, in_log(tmp_path))
        assert done.stderr.startswith("-:2501: type: missing")

    def test_what_trickles_in_is_in_the_log_at_once(self, tmp_path: Path) -> None:
        """The facts of a tool that runs for days must not wait for its end."""
        with start("publish --json -", ready(tmp_path)) as tool:
            tool.tell(fact_line(subject="kz-1") + "\n{")
            wait_for(1, tmp_path)
            tool.tell("}\n" + fact_line(subject="kz-2") + "\n")
            wait_for(2, tmp_path)
            first = json.loads(tool.stdout.readline())
            code, rest, _ = tool.end()

        assert ("kz-1", "accepted") == (first["subject"], first["result"])
        assert (1, ["bad", "accepted"]) == (code, [line["result"] for line in ndjson(rest)])


class TestInterruption:
    """A publish that is interrupted."""

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_ends_it_and_it_says_how_far_it_came(self, tmp_path: Path, number: signal.Signals) -> None:
        """Committed facts stay. The exit code is the shell's for that signal."""
        with start("publish -", ready(tmp_path)) as tool:
            tool.tell(many(3) + '{"half":')
            wait_for(3, tmp_path)
            tool.process.send_signal(number)
            said = tool.stderr.read().decode()
            tool.process.wait(SECONDS)

        assert 128 + number == tool.process.returncode
        assert f"3 accepted, 0 bad\ncasetrail: stopped by {number.name} (publish again" in said
        assert 3 == in_log(tmp_path)

    def test_a_second_run_finishes_the_job(self, tmp_path: Path) -> None:
        """A file that was interrupted and published again is applied once."""
        facts = many(5000)
        half = "".join(facts.splitlines(keepends=True)[:2500])
        with start("publish -", ready(tmp_path)) as tool:
            tool.tell(half)
            wait_for(2500, tmp_path)
            tool.process.terminate()
            tool.process.wait(SECONDS)
        run("publish -", tmp_path, facts)
        totals = json.loads(run("project --json", tmp_path).stdout)

        assert 143 == tool.process.returncode
        assert (5000, 2500) == (totals["applied"], totals["duplicate"])

    def test_a_database_that_fails_midway_is_told_with_the_lines_left_out(self, tmp_path: Path) -> None:
        """The first two thousand lines are in the log, and the message names the lines that are not."""
        (ready(tmp_path) / "facts.ndjson").write_text("{}\n" + many(3000))
        lines = read_lines(str(tmp_path / "facts.ndjson"), Event(), lambda _: None)
        engine = open_database(f"sqlite:///{tmp_path / 'casetrail.db'}")
        batches = publish(lines, LocalLog(engine).append)

        assert 2000 == len(next(batches))
        with write_transaction(engine) as conn:
            conn.execute(text("ALTER TABLE log RENAME TO gone"))
        with pytest.raises(Infrastructure, match=r"facts\.ndjson:2001-3001: not accepted, nor .*:3001: no such table"):
            next(batches)
        engine.dispose()

    @pytest.mark.parametrize(
        ("lost", "places"),
        [
            ([2], "a:5"),
            ([1, 2, 3, 4], "a:2, a:5, b:1-2"),
            ([0, 1, 2, 3, 4, 5], "a:1-2, a:5, b:1-3"),
            ([*range(6, 60, 2)], "27 lines from b:4 to b:56"),
        ],
    )
    def test_exactly_the_lines_that_the_log_does_not_have_are_named(self, lost: list[int], places: str) -> None:
        """Lines in a row are one range a file. The other lines of the batch are reported as accepted before."""
        numbered = [("a", 1), ("a", 2), ("a", 4), ("a", 5), *(("b", number) for number in range(1, 61))]
        lines = [
            Line(file, number, b"{}" if (file, number) == ("a", 4) else fact_line(subject=f"{n}").encode(), 2)
            for n, (file, number) in enumerate(numbered)
        ]
        batches = publish(lines, refusing(lost))

        told = next(batches)
        assert 64 - len(lost) == len(told)
        assert ["a:4"] == [result.line.place for result in told if result.problem]
        with pytest.raises(
            NotAccepted, match=rf"^{places}: not accepted, nor any line after b:60: away \(publish again"
        ):
            next(batches)

    def test_a_database_that_fails_is_the_machines_fault(self, tmp_path: Path) -> None:
        """The exit code is 3, and the message still has the number of accepted lines."""
        facts_file(ready(tmp_path), "{}", fact_line())
        engine = open_database(f"sqlite:///{tmp_path / 'casetrail.db'}")
        with write_transaction(engine) as conn:
            conn.execute(text("CREATE TRIGGER full BEFORE INSERT ON log BEGIN SELECT RAISE(FAIL, 'full'); END"))
        engine.dispose()
        done = run("publish facts.ndjson", tmp_path)

        assert 3 == done.returncode
        assert "0 accepted, 1 bad\ncasetrail: facts.ndjson:2: not accepted" in done.stderr

    @pytest.mark.parametrize(("option", "code"), [("--check", 0), ("", 3)])
    def test_a_reader_that_has_seen_enough_ends_it(self, tmp_path: Path, option: str, code: int) -> None:
        """A check ends without a message. A publish reports that the rest is not in the log."""
        (ready(tmp_path) / "facts.ndjson").write_text(many(20_000))
        with start(f"publish {option} --json facts.ndjson", tmp_path) as tool:
            tool.stdout.readline()
            tool.stdout.close()
            said = tool.stderr.read().decode()
            tool.process.wait(SECONDS)

        assert code == tool.process.returncode
        assert "Traceback" not in said
        assert bool(code) == ("has closed the pipe" in said)
        assert in_log(tmp_path) < 20_000


def test_a_database_of_kafka_takes_nothing_into_a_log_of_its_own(tmp_path: Path) -> None:
    """No projector would read the records there. A shell without CASETRAIL_LOG is enough to cause it."""
    ready(tmp_path)
    engine = open_database(f"sqlite:///{tmp_path / 'casetrail.db'}")
    note_partitions(engine, "facts.v1", 6)
    done = run("publish -", tmp_path, fact_line() + "\n")

    assert 3 == done.returncode
    assert "this database was built from 6 partitions of facts.v1 of Kafka" in done.stderr
    with engine.connect() as conn:
        assert 0 == conn.scalar(select(func.count()).select_from(log))
