"""The keys of a rule with `while`: those beside it, its words, and the mistakes."""

from pathlib import Path
from typing import Any

import pytest

from projections.rules.rulebook import Rulebook
from projections.rules.values import LASTING
from tests.support.builders import detained, suspended
from tests.support.lasting import lasting, lives
from tests.support.rules import SEQUENCE, SILENCE, book, problems

LASTING_RULE = """\
rules:
  - id: suspended-too-long
    title: Suspended for more than 90 days
    while: {service: suspended}
    for: P90D
    settle: P7D
    explain: "{name} has been suspended since {anchor.occurred}."
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of the test."""
    monkeypatch.chdir(tmp_path)


class TestKeys:
    """The other keys of such a rule."""

    def test_unless_where_and_jurisdiction_speak_of_the_anchor(self) -> None:
        """The event that began the status is the anchor."""
        line = suspended("2022-03-01", jurisdiction="KZ", post="head")

        cases: list[tuple[dict[str, Any], bool]] = [
            ({"jurisdiction": "KZ"}, True),
            ({"jurisdiction": "KG"}, False),
            ({"where": {"anchor.post": "head"}}, True),
            ({"where": {"anchor.post": "deputy"}}, False),
            ({"unless": {"custody": "detained"}}, False),
        ]
        for keys, is_said in cases:
            story = [detained("2022-02-01"), line]
            assert bool(lives(story, lasting(service="suspended", **keys))) == is_said, keys

    def test_the_types_of_the_anchor_follow_from_the_words(self) -> None:
        """`on` is not written in the file, and not in the stored rulebook either."""
        (rule,) = book(LASTING_RULE).rules

        assert {"Suspended"} == rule.on
        assert {"id", "title", "while", "for", "settle", "explain"} == rule.normal().keys()
        assert Rulebook((rule,)) == Rulebook.from_json(Rulebook((rule,)).as_json())
        assert rule.on == Rulebook.from_json(Rulebook((rule,)).as_json()).rules[0].on

    @pytest.mark.parametrize(("kind", "word"), [(kind, word) for kind, words in LASTING.items() for word in words])
    def test_every_word_of_a_part_is_taken(self, kind: str, word: str) -> None:
        """Each word has a type that can begin it."""
        (rule,) = lasting(**{kind: word}).rules

        assert rule.on

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("{service: suspended}", "{}", "4:12: while names no status"),
            ("{service: suspended}", "", "4:11: "),
            ("{service: suspended}", "suspended", '4:12: "suspended" is not what while takes'),
            ("{service: suspended}", "{service: suspended, wanted: national}", "4:12: service and wanted are in while"),
            ("{service: suspended}", "{service: suspendd}", '4:22: "suspendd" is not a status of a post'),
            ("{service: suspended}", "{service: unknown}", '4:22: "unknown" is not a status of a post'),
            ("{service: suspended}", "{custody: unknown}", '4:22: "unknown" is not a status of a hold'),
            ("{service: suspended}", "{measure: ban}", '4:22: "ban" is not a kind of measure'),
            ("{service: suspended}", "{wanted: global}", '4:21: "global" is not a scope of being wanted'),
            ("{service: suspended}", "{stage: open}", '4:20: "open" is not a case stage'),
            ("{service: suspended}", "{service: []}", "4:22: nothing is here"),
            ("{service: suspended}", "{servce: suspended}", '4:13: unknown key "servce" (want service)'),
            ("{service: suspended}", "{presumption: cleared}", '4:13: unknown key "presumption"'),
            ("    for: P90D\n", "", "2:5: for is missing"),
            ("P90D", "P3M", '5:10: "P3M" has months or years'),
            ("P7D", "-P7D", '6:13: "-P7D" is not a duration'),
            ("    for", "    on: Suspended\n    for", "5:9: on stands beside while"),
            ("    for", "    same: post\n    for", "5:11: same stands beside while"),
            ("    for", "    new: post\n    for", "5:10: new stands beside while"),
            ("    for", "    from: until\n    for", "5:5: from belongs to another pattern"),
            ("    for", "    before: P9D\n    for", "5:5: before belongs to another pattern"),
            ("    for", "    absent: Died\n    for", "2:5: both absent and while are in this rule"),
            ("    for", "    then: Died\n    for", "2:5: both while and then are in this rule"),
            (
                "    for",
                "    where: {then.post: x}\n    for",
                '5:24: "then" in then.post is not a fact of this pattern',
            ),
            ("    for", "    where: {any: [{same: post}]}\n    for", "5:12: same or new is in this where"),
            ("{anchor.occurred}", "{then.occurred}", "7:47: {then.occurred} is not a placeholder here"),
        ],
    )
    def test_a_mistake_is_named_with_its_place(self, old: str, new: str, message: str) -> None:
        """File, line and column, the finding, and the wanted value."""
        messages = problems(LASTING_RULE.replace(old, new, 1))

        assert any(problem.startswith(f"rules.yaml:{message}") for problem in messages), messages

    @pytest.mark.parametrize("text", [SILENCE, SEQUENCE])
    def test_while_is_a_pattern_of_its_own(self, text: str) -> None:
        """It does not stand beside another pattern."""
        (problem, *_) = problems(text + "    while: {service: suspended}\n")

        assert "while" in problem
        assert "are in this rule" in problem
