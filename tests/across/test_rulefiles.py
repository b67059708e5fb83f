"""Rule files with `count` and `of`: their reading, their stored form, and a message for each mistake."""

from datetime import timedelta
from pathlib import Path

import pytest

from projections.rules.files.loading import notes
from projections.rules.patterns.across import CountRule, OfRule
from projections.rules.rulebook import Rulebook
from tests.support.rules import SEQUENCE, SILENCE, book, problems, schema_problems

COUNT = """\
rules:
  - id: officials-of-one-agency
    title: Several officials of one agency
    on: [Detained, Arrested]
    count: {distinct: subject, at_least: 3, by: agency, within: P90D}
    explain: "{count} officials of {group} were detained or arrested between {first.occurred} and {last.occurred}."
"""
OF = """\
rules:
  - id: relatives
    title: A relative
    on: [Detained, Arrested]
    then: [Wanted, Detained, Arrested]
    of: [sibling, spouse, parent, child, relative]
    within: P180D
    explain: "{name} was {anchor.type} ({anchor.occurred});
      {then.relation} {then.name} was {then.type} ({then.occurred})."
"""
LIMITS = """\
limits:
  - {name: stay, jurisdiction: KZ, from: 2020-01-01, value: P9D, longest: P20D, source: Law}
"""
OF_LAW = (
    COUNT.replace("P90D}", "{limit: stay}}").replace("{count} off", "{limit.value}, {limit.source}: {count} off")
    + LIMITS,
    OF.replace("P180D", "{limit: stay}").replace("{name} was", "{limit.value}, {limit.source}: {name} was") + LIMITS,
)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of the test."""
    monkeypatch.chdir(tmp_path)


def test_the_examples_of_the_contract_are_read() -> None:
    """The two examples are rules across people, and no projector is asked about them."""
    count, of = book(COUNT + OF.partition("\n")[2]).across

    assert isinstance(count, CountRule)
    assert isinstance(of, OfRule)
    assert (count.count.at_least, count.count.by, count.count.within) == (3, "agency", timedelta(days=90))
    assert of.of == {"sibling", "spouse", "parent", "child", "relative"}
    assert book(COUNT).rules == ()
    assert book(COUNT).anchors == frozenset()


def test_one_file_has_rules_of_every_kind() -> None:
    """Rules of one history and rules across people stand in one book, with one version, and are stored together."""
    every = book("rules:\n" + "".join(text.partition("\n")[2] for text in (SILENCE, COUNT, SEQUENCE, OF)))

    assert [rule.id for rule in every.rules] == ["sequence", "silence"]
    assert [rule.id for rule in every.across] == ["officials-of-one-agency", "relatives"]
    assert [rule.id for rule in every.every] == ["officials-of-one-agency", "relatives", "sequence", "silence"]
    assert Rulebook.from_json(every.as_json()) == every
    assert Rulebook.from_json(every.as_json()).version == every.version != Rulebook(every.rules).version


@pytest.mark.parametrize(
    "text",
    [
        COUNT,
        OF,
        OF.replace("[sibling, spouse, parent, child, relative]", "by"),
        OF.replace("[sibling, spouse, parent, child, relative]", "[by]"),
        OF.replace("[sibling, spouse, parent, child, relative]", "associate"),
        OF + "    same: case_id\n    over: Released\n    certainty: possible\n    where: {then.authority: A}\n",
        COUNT + "    certainty: possible\n    jurisdiction: KZ\n    where: {anchor.authority: A}\n",
        COUNT + "    unless: {custody: bailed}\n    why: A reason.\n",
        COUNT
        + "    retracted_explain: '{count} {group} {first.type} {last.occurred}'\n    ended_explain: '{count}.'\n",
        OF + "    ended_explain: '{name} {subject} {then.name} {then.relation} {then.type} {anchor.post}'\n",
        OF + "    retracted_explain: '{name} {subject} {anchor.occurred}'\n",
        *OF_LAW,
        *(COUNT.replace("agency,", f"{by},") for by in ("region", "post", "jurisdiction", "case_id")),
    ],
)
def test_what_is_taken_fits_the_schema_and_is_stored(text: str) -> None:
    """Each key that a rule takes is in the schema, and the stored rulebook reads back equal."""
    read = book(text)

    assert [] == schema_problems(text)
    assert Rulebook.from_json(read.as_json()) == read


MISTAKES_IN_COUNT = [
    ("{distinct: subject, at_least: 3, by: agency, within: P90D}", "3", '5:12: "3" is not what count takes (want'),
    ("{distinct: subject, at_least: 3, by: agency, within: P90D}", "{}", "5:12: distinct is missing (want subject"),
    ("{distinct: subject, at_least: 3, by: agency, within: P90D}", "", "5:11: nothing is not what count takes"),
    ("distinct: subject, ", "", "5:12: distinct is missing (want subject: each person counts once)"),
    ("distinct: subject", "distinct: post", '5:23: "post" is not a thing to count (want subject'),
    ("distinct:", "distinkt:", '5:13: unknown key "distinkt" (want distinct)'),
    ("at_least: 3, ", "", "5:12: at_least is missing (want a whole number of people, 2 or more)"),
    ("at_least: 3", "at_least: 1", '5:42: "1" is not a number of people (want a whole number of people, 2 or'),
    ("at_least: 3", "at_least: 0", '5:42: "0" is not a number of people'),
    ("at_least: 3", "at_least: -3", '5:42: "-3" is not a number of people'),
    ("at_least: 3", "at_least: 2.5", '5:42: "2.5" is not a number of people'),
    ("at_least: 3", "at_least: true", '5:42: "true" is not a number of people'),
    ("at_least: 3", "at_least: [3]", "5:42: a list is not a number of people"),
    ("at_least: 3", "at_least: ٣", '5:42: "٣" is not a number of people'),
    ("at_least: 3", "at_least: 1000000", '5:42: "1000000" is not a number of people'),
    ("by: agency, ", "", "5:12: by is missing (want one of agency, region, post, jurisdiction, case_id)"),
    ("by: agency", "by: agancy", '5:49: "agancy" is not a field to group by (want agency)'),
    ("by: agency", "by: place", '5:49: "place" is not a field to group by (want one of agency, region, post'),
    ("by: agency", "by: [agency]", "5:49: a list is not a field to group by"),
    (", within: P90D", "", "5:12: within is missing (want weeks, days"),
    ("within: P90D", "within: P3M", '5:65: "P3M" has months or years'),
    ("within: P90D", "within: P0D", "5:65: the time is zero or less"),
    ("P90D}", "P90D, same: post}", '5:71: unknown key "same" (want one of distinct, at_least, by, within)'),
    ("    explain", "    within: P9D\n    explain", "6:5: within belongs to"),
    ("    explain", "    same: post\n    explain", "6:11: same is in a rule that counts (want the rule without"),
    ("    explain", "    new: post\n    explain", "6:10: new is in a rule that counts"),
    ("    explain", "    of: sibling\n    explain", "2:5: both count and of are in this rule"),
    (
        "    explain",
        "    then: Detained\n    within: P9D\n    explain",
        "2:5: both count and then are in this rule",
    ),
    ("    explain", "    where: {then.post: A}\n    explain", '6:24: "then" in then.post is not a fact of this'),
    ("    explain", "    where: {any: [{same: post}]}\n    explain", "6:12: same and new compare with a follow-up"),
    ("{count}", "{name}", "6:15: {name} is not a placeholder here (want {count}, {group}, {first.occurred})"),
    ("{count}", "{subject}", "6:15: {subject} is not a placeholder here"),
    ("{count}", "{cuont}", "6:15: {cuont} is not a placeholder here (want {count})"),
    ("{first.occurred}", "{anchor.occurred}", "6:78: {anchor.occurred} is not a placeholder here"),
    ("{first.occurred}", "{first.name}", "6:78: {first.name} is not a placeholder here"),
    ("    on: [Detained, Arrested]\n", "", "2:5: on is missing"),
    ("P90D", "{limit: stey}", '5:65: "stey" is not a limit of the table (want'),
    ("P90D", "{limits: stay}", '5:65: "limits" is in the place of a limit (want {limit: NAME}'),
    ("{count} officials", "{limit.value}", "6:15: {limit.value} stands in a rule without a limit"),
    (
        "    explain",
        "    retracted_explain: '{anchor.type}'\n    explain",
        "6:25: {anchor.type} is not a placeholder",
    ),
    ("    explain", "    ended_explain: '{then.type}'\n    explain", "6:21: {then.type} is not a placeholder"),
]
MISTAKES_IN_OF = [
    ("[sibling, spouse, parent, child, relative]", "[siblin]", '6:10: "siblin" is not a relation (want sibling)'),
    ("[sibling, spouse, parent, child, relative]", "friend", '6:9: "friend" is not a relation (want one of by'),
    ("[sibling, spouse, parent, child, relative]", "[]", "6:9: nothing is here (want a word or a list of words)"),
    ("[sibling, spouse, parent, child, relative]", "", "6:8: nothing is here"),
    ("[sibling, spouse, parent, child, relative]", "{a: b}", "6:9: a mapping is here"),
    ("[sibling,", "[by,", "6:9: by stands beside relations (want by alone, or relations alone)"),
    ("    then: [Wanted, Detained, Arrested]\n", "", "2:5: then is missing"),
    ("    within: P180D\n", "", "2:5: within is missing"),
    ("P180D", "{limit: stey}", '7:13: "stey" is not a limit of the table'),
    (
        "    within",
        "    retracted_explain: '{then.type}'\n    within",
        "7:25: {then.type} is not a placeholder here",
    ),
    (
        "    within",
        "    retracted_explain: '{then.name}'\n    within",
        "7:25: {then.name} is not a placeholder here",
    ),
    ("    within", "    ended_explain: '{count}'\n    within", "7:21: {count} is not a placeholder here"),
    ("    within", "    new: post\n    within", "7:10: new is in a rule with of (want the rule without new)"),
    ("    within", "    where: {any: [{new: post}]}\n    within", "7:12: new speaks of one history, and of of two"),
    (
        "{then.relation}",
        "{then.relative}",
        "9:7: {then.relative} is not a placeholder here (want {then.relation})",
    ),
    ("{then.relation}", "{count}", "9:7: {count} is not a placeholder here (want {name}, {subject}, {then.name}"),
    (
        "    within",
        "    absent: Died\n    for: P9D\n    within",
        "2:5: both absent and of and then are in this rule",
    ),
]


@pytest.mark.parametrize(
    ("text", "old", "new", "message"),
    [*((COUNT, *mistake) for mistake in MISTAKES_IN_COUNT), *((OF, *mistake) for mistake in MISTAKES_IN_OF)],
)
def test_the_place_of_a_mistake(text: str, old: str, new: str, message: str) -> None:
    """Each mistake is named with its line, its column and the wanted value."""
    messages = problems(text.replace(old, new, 1))

    assert any(problem.startswith(f"rules.yaml:{message}") for problem in messages), messages


@pytest.mark.parametrize("text", OF_LAW)
def test_another_value_of_a_limit_is_another_version(text: str) -> None:
    """The rule holds the entries of its limit, and a jurisdiction without one is listed."""
    (rule,), (other,) = book(text).across, book(text.replace("P20D", "P21D")).across
    Path("mine.yaml").write_text(text, "utf-8")

    assert rule.version != other.version
    assert [f"{rule.id} speaks in KZ alone, since the limit stay has no other entry"] == [
        note.what for note in notes(Path("mine.yaml"))
    ]


def test_a_sentence_that_no_alert_can_have_is_noted() -> None:
    """A count is retracted and never resolved; with `of`, an alert can be resolved."""
    for text in (COUNT, OF):
        Path(f"{len(text)}.yaml").write_text(text + "    ended_explain: Over.\n", "utf-8")

    (note,) = notes(Path(f"{len(COUNT)}.yaml"))
    assert str(note).endswith(
        ":7:20: note: no alert of officials-of-one-agency is ever resolved, so that none has the sentence of"
        " ended_explain (want retracted_explain, for a count that is not upheld)"
    )
    assert [] == notes(Path(f"{len(OF)}.yaml"))


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        (OF_LAW[0], "limit: stay", "limits: stay"),
        (COUNT, "at_least: 3", "at_least: 1"),
        (COUNT, "by: agency", "by: place"),
        (COUNT, "distinct: subject, ", ""),
        (COUNT, "P90D}", "P90D, x: y}"),
        (COUNT, "    explain", "    same: post\n    explain"),
        (COUNT, "    explain", "    then: Detained\n    explain"),
        (OF, "[sibling,", "[by,"),
        (OF, "[sibling,", "[friend,"),
        (OF, "    within", "    new: post\n    within"),
        (OF, "    then: [Wanted, Detained, Arrested]\n", ""),
    ],
)
def test_a_mistake_does_not_fit_the_schema(text: str, old: str, new: str) -> None:
    """An editor marks the mistakes that the program refuses."""
    changed = text.replace(old, new, 1)

    assert schema_problems(changed)
    assert problems(changed)
