"""Alerts across people on Kafka: the people of one group lie in different partitions of the topic."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.commands import run, start
from tests.support.correlating import ministry
from tests.support.reading import answer
from tests.support.topic import PARTITIONS, send, subject_at, variables
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

RULES = """\
rules:
  - id: officials
    title: Officials of one agency
    on: [Detained, Arrested]
    count: {distinct: subject, at_least: 3, by: agency, within: P90D}
    explain: "{count} officials of {group} were detained."
"""


def test_people_of_three_partitions_raise_one_alert(
    kafka_server: str, kafka_topics: Callable[..., str], database_url: str, tmp_path: Path
) -> None:
    """The correlator judges the partitions together, tells once, and a rebuild concludes the same."""
    topic = kafka_topics(PARTITIONS, {"retention.ms": "-1"})
    (tmp_path / "rules.yaml").write_text(RULES)
    env = variables(kafka_server, topic, database_url, rules=tmp_path / "rules.yaml")
    people = [subject_at(partition) for partition in range(PARTITIONS)]
    names = dict(zip("abc", people, strict=True))
    lines = [
        {name: value for name, value in line.items() if name != "recorded"} | {"subject": names[line["subject"]]}
        for line in ministry("abc")
    ]
    run("init", tmp_path, env=env)

    with start("run projector", tmp_path, env), start("run correlator", tmp_path, env):
        send(
            kafka_server, topic, [{name: value for name, value in line.items() if name != "recorded"} for line in lines]
        )
        wait_until(lambda: bool(answer("alerts", tmp_path, **env)))
    (alert,) = answer("alerts", tmp_path, **env)

    assert ("agency", "Ministry", sorted(people)) == (alert["group_by"], alert["group"], alert["subjects"])
    assert [("open", "followed")] == [(change["state"], change["cause"]) for change in alert["life"]]
    assert 0 == run("rebuild --check", tmp_path, env=env).returncode
