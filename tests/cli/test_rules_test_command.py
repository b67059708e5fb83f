"""`casetrail rules test`: the output, and the exit codes that a script can use."""

from pathlib import Path

from tests.projector.test_running_rule_tests import CHANGES, OPENS
from tests.support.reading import answer, ask
from tests.support.rules import SEQUENCE, SILENCE


def written(folder: Path, text: str) -> str:
    """Write *text* as a rule file, and return its name."""
    (folder / "mine.yaml").write_text(text, "utf-8")
    return "mine.yaml"


def test_tests_that_pass_are_listed(tmp_path: Path) -> None:
    """Each test has a line on stdout, the numbers are on stderr, and the exit code is 0."""
    done = ask(f"rules test {written(tmp_path, SILENCE + CHANGES)}", tmp_path)

    assert 0 == done.returncode
    assert "silence: nothing follows: passed\n" in done.stdout
    assert 4 == len(done.stdout.splitlines())
    assert "4 tests of 1 rule: 4 passed, 0 failed\n" == done.stderr


def test_a_failure_is_shown_with_its_place(tmp_path: Path) -> None:
    """The place is that of the test, both values stand below each other, and the exit code is 1."""
    done = ask(f"rules test {written(tmp_path, SILENCE + OPENS.replace('07-03', '07-04'))}", tmp_path)

    assert 1 == done.returncode
    assert (
        "mine.yaml:14:9: silence: nothing follows: FAILED\n  the life of the alert of d\n"
        "    expected: open 2022-07-04 deadline\n    found:    open 2022-07-03 deadline\n"
    ) in done.stdout


def test_a_rule_without_tests_is_listed(tmp_path: Path) -> None:
    """Each rule that lacks a test that opens, or one that stays silent, is named; that alone is no failure."""
    text = SILENCE + OPENS + SEQUENCE.partition("\n")[2]
    done = ask(f"rules test {written(tmp_path, text)}", tmp_path)
    found = answer("rules test mine.yaml", tmp_path)

    assert 0 == done.returncode
    assert "mine.yaml:2:5: silence lacks a test that stays silent\n" in done.stdout
    assert "sequence lacks a test that opens an alert and a test that stays silent\n" in done.stdout
    assert [["silent"], ["opens", "silent"]] == [rule["lacks"] for rule in found["lacking"]]


def test_survivors_have_their_place_and_an_exit_code(tmp_path: Path) -> None:
    """A change that no test notices is listed at its place in the file, and the exit code is 1."""
    name = written(tmp_path, SILENCE + CHANGES)
    done = ask(f"rules test {name} --mutate", tmp_path)
    found = answer(f"rules test {name} --mutate", tmp_path)

    assert 1 == done.returncode
    assert "mine.yaml:11:19: silence: unless.open_cases dropped: all 4 tests still pass\n" in done.stdout
    assert "changes that no test notices: 1\n" in done.stderr
    assert [("mine.yaml:11:19", "unless.open_cases", "dropped")] == [
        (one["place"], one["key"], one["change"]) for one in found["survivors"]
    ]
    assert found["mutants"] > 5


def test_a_rule_without_a_test_proves_nothing(tmp_path: Path) -> None:
    """With --mutate, a rule without tests is a finding."""
    assert 1 == ask(f"rules test {written(tmp_path, SEQUENCE)} --mutate", tmp_path).returncode


def test_no_rule_is_changed_while_a_test_fails(tmp_path: Path) -> None:
    """A test that fails already would kill every changed rule, and hide the survivors."""
    name = written(tmp_path, SILENCE + OPENS.replace("07-03", "07-04"))
    done = ask(f"rules test {name} --mutate", tmp_path)

    assert (1, None) == (done.returncode, answer(f"rules test {name} --mutate", tmp_path)["mutants"])
    assert "no rule was changed, since a test fails" in done.stderr


def test_without_a_file_the_rules_of_the_settings_are_tested(tmp_path: Path) -> None:
    """These are the rules that a projector would put in force."""
    name = written(tmp_path, SILENCE + CHANGES)

    assert 4 == len(answer("rules test", tmp_path, CASETRAIL_RULES=name)["tests"])
    assert 0 == ask("rules test", tmp_path).returncode


def test_a_wrong_test_is_a_problem_of_the_file(tmp_path: Path) -> None:
    """`rules check` finds it, and `rules test` ends with the exit code of usage."""
    name = written(tmp_path, SILENCE + OPENS.replace("2022-03-27}", "2022-02-30}"))

    assert 1 == ask(f"rules check {name}", tmp_path).returncode
    assert 'mine.yaml:15:52: "2022-02-30" fits no day' in ask(f"rules test {name}", tmp_path).stderr
    assert 2 == ask(f"rules test {name}", tmp_path).returncode
