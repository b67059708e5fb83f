"""`casetrail status`: statuses now or at a moment, in a list or one person in full."""

from pathlib import Path

import pytest

from tests.support.builders import (
    accused,
    acquitted,
    appointed,
    charged,
    convicted,
    corrected,
    described,
    detained,
    dismissed,
    made_final,
    retracted,
    stated,
    wanted,
)
from tests.support.commands import run
from tests.support.reading import answer, ask, database_with

ESCAPE = "\x1b[31m"


def ids(found: list[dict[str, object]]) -> list[object]:
    """The people of a status list."""
    return [status["subject_id"] for status in found]


def four_people(folder: Path) -> Path:
    """Four people; each is matched by another filter."""
    database_with(
        folder,
        described(
            "2022-01-01", subject="kz-a", name="Мухтар Бухарбаев", aliases=["Mukhtar BUKHARBAEV"], agency="Полиция"
        ),
        dismissed("2022-02-01", subject="kz-a", jurisdiction="KZ"),
        detained("2022-03-01", subject="kz-b", case="c"),
        charged("2022-03-01", subject="kz-c"),
        wanted("2022-03-01", subject="Kg-D", scope="international"),
        described("2022-03-01", subject="Kg-D", jurisdiction="KG"),
    )
    return folder


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ("", ["Kg-D", "kz-a", "kz-b", "kz-c"]),
        ("--name bukharb", ["kz-a"]),
        ("--name БУХАРБАЕВ", ["kz-a"]),
        ("--name kg-d", ["Kg-D"]),
        ("--name 100%", []),
        ("--service dismissed", ["kz-a"]),
        ("--service dismissed --service unknown --custody unknown", ["Kg-D", "kz-a", "kz-c"]),
        ("--custody detained", ["kz-b"]),
        ("--stage charged", ["kz-c"]),
        ("--headline wanted", ["Kg-D"]),
        ("--agency полиц", ["kz-a"]),
        ("--jurisdiction kg", ["Kg-D"]),
        ("--service dismissed --custody detained", []),
        ("--limit 2", ["Kg-D", "kz-a"]),
        ("--limit 0", []),
    ],
)
def test_filters_find_the_same_people_in_the_rows_and_in_the_fold(
    tmp_path: Path, args: str, expected: list[str]
) -> None:
    """A stored status and one that is folded for a moment match the same filters."""
    folder = four_people(tmp_path)

    assert expected == ids(answer(f"status {args}", folder))
    assert expected == ids(answer(f"status --known-at 2030 {args}", folder))


def test_a_name_is_found_whatever_width_and_case_it_is_written_in(tmp_path: Path) -> None:
    """Fullwidth letters are the same letters: NFKC, case folded."""
    database_with(tmp_path, described("2022-01-01", name="Straße"))
    fullwidth = "".join(chr(ord(letter) + 0xFEE0) for letter in "STRASSE")

    assert ["a"] == ids(answer(["status", "--name", fullwidth], tmp_path))


def test_the_fold_of_everything_is_the_stored_row(tmp_path: Path) -> None:
    """A far moment and the present yield the same status: every field agrees, cases and anomalies too."""
    first = dismissed("2022-02-01")
    database_with(
        tmp_path,
        appointed("2020"),
        first,
        corrected(first, occurred="2022-02-03", ground="misconduct"),
        charged("2022-03", charges=[{"title": "fraud"}], authority="Prosecutor"),
        convicted("2022-09-01", case="other"),
        stated("Detained", "XXXX-05-01"),
        described("2022-01-01", name="Ann", agency="Police"),
    )

    assert answer("status", tmp_path) == answer("status --known-at 2031", tmp_path)


def test_as_of_is_the_world_at_an_instant(tmp_path: Path) -> None:
    """A fact counts from its latest instant on, and a day means its end."""
    database_with(tmp_path, appointed("2020-05"), dismissed("2022-03-27"))

    def service(as_of: str) -> str:
        return str(answer(f"status --as-of {as_of}", tmp_path)[0]["service"]["status"])

    assert ["unknown", "in_office", "in_office", "dismissed"] == [
        service("2020-05-30"),
        service("2020-05-31"),
        service("2022-03-27T23:59:59Z"),
        service("2022-03-27"),
    ]


def test_known_at_is_what_had_been_recorded(tmp_path: Path) -> None:
    """Later facts, corrections and retractions do not count, and neither does a person first named later."""
    first = dismissed("2022-03-27", recorded="2022-03-28T00:00:00Z")
    database_with(
        tmp_path,
        first,
        corrected(first, recorded="2022-05-01T00:00:00Z", occurred="2022-03-20"),
        retracted(first, recorded="2022-06-01T00:00:00Z"),
        detained("2022-01-01", subject="late", recorded="2022-07-01T00:00:00Z", case="c"),
    )

    def since(known_at: str) -> list[tuple[str, str | None]]:
        found = answer(f"status --known-at {known_at}", tmp_path)
        return [(each["subject_id"], each["service"]["since_earliest"]) for each in found]

    assert [] == since("2022-03-26")
    assert [("a", "2022-03-27T00:00:00Z")] == since("2022-04-30T23:59:59Z")
    assert [("a", "2022-03-20T00:00:00Z")] == since("2022-05-01T00:00:00Z")
    assert [("a", None)] == since("2022-06-01")
    assert ["a", "late"] == [subject for subject, _ in since("2022-07-01")]


def test_the_position_is_that_of_the_last_fact_known(tmp_path: Path) -> None:
    """A reader sees the position up to which the log was used."""
    database_with(tmp_path, appointed("2020-01-01"), dismissed("2022-03-27"))

    assert {"partition": 0, "offset": 0} == answer("status --known-at 2021", tmp_path)[0]["position"]
    assert {"partition": 0, "offset": 1} == answer("status", tmp_path)[0]["position"]


def test_both_instants_together_ask_what_was_known_then_of_the_world_before(tmp_path: Path) -> None:
    """On the first of June, no custody was known for the first of April."""
    database_with(
        tmp_path,
        appointed("2020-01-01"),
        detained("2022-03-30", published="2022-06-05", case="c"),
    )

    assert "unknown" == answer("status --as-of 2022-04-01 --known-at 2022-06-01", tmp_path)[0]["custody"]["status"]
    assert "detained" == answer("status --as-of 2022-04-01", tmp_path)[0]["custody"]["status"]


def test_a_fact_without_a_year_sets_no_status_at_any_moment(tmp_path: Path) -> None:
    """The fact orders nothing, and it is flagged."""
    database_with(tmp_path, stated("Dismissed", "XXXX-03-27"))

    (found,) = answer("status --as-of 2031", tmp_path)
    assert ("unknown", ["undated"]) == (found["service"]["status"], [flag["code"] for flag in found["anomalies"]])


def test_what_is_announced_counts_from_its_own_day(tmp_path: Path) -> None:
    """An appointment that was announced for the first of June does not count in May."""
    database_with(tmp_path, appointed("2022-06-01", published="2022-03-01"))

    assert "unknown" == answer("status --as-of 2022-05-31", tmp_path)[0]["service"]["status"]
    assert "unknown" == answer("status --known-at 2022-05-31", tmp_path)[0]["service"]["status"]
    assert "in_office" == answer("status --as-of 2022-06-01", tmp_path)[0]["service"]["status"]
    assert "in_office" == answer("status --known-at 2022-06-01", tmp_path)[0]["service"]["status"]


@pytest.mark.parametrize("track", ["service", "custody", "stage", "headline"])
def test_a_word_that_is_not_known_is_a_mistake_of_usage(tmp_path: Path, track: str) -> None:
    """An empty table would mean that no person matches. The message lists the known words."""
    database_with(tmp_path)
    done = ask(f"status --{track} sacked", tmp_path)

    assert 2 == done.returncode
    assert f'casetrail: --{track}: "sacked" is not known (want one of ' in done.stderr
    assert "" == done.stdout


@pytest.mark.parametrize("option", ["--as-of", "--known-at"])
def test_an_instant_that_is_none_is_a_mistake_of_usage(tmp_path: Path, option: str) -> None:
    """The message names the option and the form of a date."""
    database_with(tmp_path)
    done = ask(f"status {option} 2022-13", tmp_path)

    assert 2 == done.returncode
    assert done.stderr.startswith(f'casetrail: {option}: "2022-13" ')


def test_ids_and_filters_together_are_a_mistake_of_usage(tmp_path: Path) -> None:
    """A command takes either ids or filters: with both, one of them would be ignored."""
    database_with(tmp_path)

    assert 2 == ask("status a --service dismissed", tmp_path).returncode


def test_somebody_unknown_is_said_to_be_so_with_who_was_meant(tmp_path: Path) -> None:
    """The exit code is 1, similar ids are named, and programs get an empty array."""
    database_with(tmp_path, described("2022-01-01", subject="kz-kudebaev", name="Serik Kudebaev"))
    done, programs = ask("status kz-kudeabev", tmp_path), ask("status kudebaev --json", tmp_path)

    assert (1, "") == (done.returncode, done.stdout)
    assert "casetrail: kz-kudeabev is not known (similar ids: kz-kudebaev)\n" == done.stderr
    assert (1, "[]\n") == (programs.returncode, programs.stdout)


def test_of_several_people_those_known_are_shown(tmp_path: Path) -> None:
    """One unknown id hides no other person, and the exit code is still 1."""
    database_with(tmp_path, dismissed("2022-01-01", subject="a"), dismissed("2022-01-01", subject="b"))
    done = ask("status b nobody a --json", tmp_path)

    assert 1 == done.returncode
    assert '"subject_id": "b"' in done.stdout
    assert done.stdout.index('"subject_id": "b"') < done.stdout.index('"subject_id": "a"')


def test_a_vague_date_is_shown_as_the_source_gave_it(tmp_path: Path) -> None:
    """The date is printed as written, with the source's own words, and not as a day or an instant."""
    database_with(tmp_path, dismissed("2022-03~", published="2022-04-10", occurred_text="in spring"))
    shown = ask("status a", tmp_path).stdout

    assert "Service: dismissed, since 2022-03~ (“in spring”)" in shown
    assert "2022-03-01" not in shown


@pytest.mark.parametrize(
    ("occurred", "expected"),
    [
        ("2022-03-27", " 2022-03-27 "),
        ("2022-03", " 2022-03 "),
        ("2021", " 2021 "),
        ("../2022-03-27", " ../2022-03-27 "),
    ],
)
def test_the_list_says_since_when_no_finer_than_it_is_known(tmp_path: Path, occurred: str, expected: str) -> None:
    """A month stays a month in the table too."""
    database_with(tmp_path, dismissed(occurred, published="2022-04-10"))

    assert expected in ask("status", tmp_path).stdout


def test_a_charge_stands_beside_the_presumption_of_innocence(tmp_path: Path) -> None:
    """Until a verdict is final, the words are those of an accusation."""
    database_with(tmp_path, charged("2022-03-01", charges=[{"title": "bribery", "amount": 2000000, "currency": "USD"}]))
    shown = ask("status a", tmp_path).stdout

    assert "Presumed innocent: what follows is accusation; no court has found it proven." in shown
    assert (
        "Case c: open, charged (no verdict)\n    bribery, 2,000,000 USD: no verdict: alleged (fact Charged a" in shown
    )
    assert "presumed innocent" in ask("status", tmp_path).stdout


def test_a_conviction_that_is_not_final_is_called_so(tmp_path: Path) -> None:
    """A verdict of the court of first instance is not final."""
    database_with(tmp_path, charged("2022-03-01"), convicted("2022-09-01"))
    shown = ask("status a", tmp_path).stdout

    assert "Found guilty in case c, not final: presumed innocent until a verdict is." in shown
    assert "Case c: open, found guilty, not final" in shown


def test_an_acquittal_is_as_visible_as_the_charge(tmp_path: Path) -> None:
    """It is in the headline, at the top, with the case and with the charges."""
    database_with(tmp_path, charged("2022-03-01", charges=[{"title": "bribery"}]), acquitted("2022-09-01"))
    shown = ask("status a", tmp_path).stdout

    assert "Cleared: " in shown.splitlines()[1]
    assert "headline: acquitted" in shown
    assert "Case c: ended: ACQUITTED\n    bribery: ACQUITTED on 2022-09-01" in shown


def test_a_final_conviction_is_said_plainly(tmp_path: Path) -> None:
    """The presumption of innocence ends with a final verdict."""
    database_with(tmp_path, charged("2022-03-01"), convicted("2022-09-01"), made_final("2022-10-01"))

    assert "Convicted by a final verdict in case c." in ask("status a", tmp_path).stdout


def test_the_reply_stands_right_under_what_it_answers(tmp_path: Path) -> None:
    """A reader of the accusation reads the reply next."""
    accusation = accused("2022-03-01", by={"name": "A. Neighbour"})
    reply = stated("ReplyRecorded", "2022-03-05", fact_id=accusation["id"], text="I never took\nanything.")
    database_with(tmp_path, accusation, reply, detained("2022-04-01", case="c"))
    printed = ask("status a", tmp_path).stdout.splitlines()
    at = next(n for n, line in enumerate(printed) if "Accused: by A. Neighbour" in line)

    assert "    THEIR REPLY, 2022-03-05: “I never took anything.”" in printed[at + 3]


def test_a_reply_to_a_fact_that_no_track_shows_is_shown_too(tmp_path: Path) -> None:
    """A reply to an old dismissal is still shown when the person is back in office."""
    old = dismissed("2020-03-01")
    reply = stated("ReplyRecorded", "2020-03-05", fact_id=old["id"], text="Unfounded.")
    database_with(tmp_path, old, stated("Reinstated", "2021-01-01"), reply)
    shown = ask("status a", tmp_path).stdout

    assert f"Replies to other facts:\n  to Dismissed, 2020-03-01 (fact {old['id']})" in shown
    assert "“Unfounded.”" in shown


def test_relations_hold_until_withdrawn(tmp_path: Path) -> None:
    """A sibling stays one; an associate only until the source withdraws the relation."""
    database_with(
        tmp_path,
        stated("RelationAsserted", "2022-01-01", other="kz-brother", relation="sibling"),
        stated("RelationAsserted", "2022-01-02", other="kz-x", relation="associate"),
        stated("RelationWithdrawn", "2022-02-01", other="kz-x", relation="associate"),
    )
    shown = ask("status a", tmp_path).stdout

    assert "Relations:\n  sibling: kz-brother (fact RelationAsserted a 2022-01-01)" in shown
    assert "kz-x" not in shown


def test_an_anomaly_is_put_into_words(tmp_path: Path) -> None:
    """A conviction without a known charge is applied, and the output states that no charge is known."""
    database_with(tmp_path, convicted("2022-09-01"))

    assert "Convicted, 2022-09-01 (fact Convicted a 2022-09-01) presupposes a charge, and none is known before it" in (
        ask("status a", tmp_path).stdout
    )


def test_every_track_names_its_fact_and_its_source(tmp_path: Path) -> None:
    """Every cell has a source, so that a reader can check it."""
    source = {"url": "https://n.example/1", "publisher": "The Desk", "reliability": "B", "credibility": 2}
    database_with(tmp_path, dismissed("2022-03-27", published="2022-03-28", sources=[source]))
    shown = ask("status a", tmp_path).stdout

    assert "    published 2022-03-28, fact Dismissed a 2022-03-27\n" in shown
    assert "    source: The Desk, https://n.example/1, rated B2\n" in shown


@pytest.mark.parametrize("command", ["status", "status a", "history a", "history a --format markdown"])
def test_no_text_from_outside_reaches_the_terminal_as_a_command(tmp_path: Path, command: str) -> None:
    """A name keeps its letters, and its escapes, markup and changes of direction have no effect."""
    database_with(
        tmp_path, described("2022-01-01", name=f"[bold]Ann[/bold]{ESCAPE}\u202eevil", note=f"{ESCAPE}\x9b31m")
    )
    shown = ask(command, tmp_path).stdout

    assert not {"\x1b", "\x9b", "\u202e"} & set(shown)
    assert "\\x1b" in shown
    assert "bold" in shown


def test_a_long_name_is_never_cut_off_a_terminal(tmp_path: Path) -> None:
    """The output to a pipe or a file is complete, whatever its width."""
    name = "Abdurrahman " * 40
    database_with(tmp_path, described("2022-01-01", name=name.strip()))

    assert name.strip() in run("status", tmp_path).stdout


def test_stdout_holds_one_array_and_nothing_else(tmp_path: Path) -> None:
    """Programs get JSON without colours on stdout, also if no person is known."""
    database_with(tmp_path)
    done = run("status --json", tmp_path)

    assert (0, "[]\n", "") == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("options", ["--service deceased", "--name nobody", "--limit 0"])
def test_where_there_is_nobody_to_show_that_is_said(tmp_path: Path, options: str) -> None:
    """No table is printed without rows. The likely reason is that published facts are not projected yet."""
    database_with(tmp_path, dismissed("2022-01-01"))
    done = ask(f"status {options}", tmp_path)

    assert (0, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith("there are no people to show (`casetrail lag`")


def test_without_a_database_it_says_what_to_do(tmp_path: Path) -> None:
    """The exit code is 3: the usage is right."""
    done = run("status", tmp_path)

    assert 3 == done.returncode
    assert "casetrail init" in done.stderr


def test_a_table_of_many_says_that_there_are_more(tmp_path: Path) -> None:
    """A table is made for people. JSON for programs is complete."""
    database_with(tmp_path, *(dismissed("2022-01-01", subject=f"s{n:04}") for n in range(1003)))
    done = ask("status", tmp_path)

    assert 1003 == len(answer("status", tmp_path))
    assert "the first 1000 are shown" in done.stderr
    assert "s0999" in done.stdout
    assert "s1000" not in done.stdout
