"""Why Kafka or PostgreSQL cannot be used, in plain words and without a secret."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, TopicPartition
from sqlalchemy import make_url

from events.errors import BadInput
from services.log.kafka.diagnosis import trouble
from services.operate.doctor.doctor import examine
from services.settings import Settings, load_settings
from tests.support.builders import dismissed, suspended
from tests.support.commands import fact_line, ready, run
from tests.support.secured import PASSWORD, Secured, secured_broker
from tests.support.topic import drained, home, migrated, send, variables
from tests.support.waiting import wait_until

WRONG = "geheim"

UNTRUSTED = "its certificate is signed by nobody whom we trust"

ANSWERS: dict[str, tuple[str, dict[str, Any]]] = {
    "in the clear": ("PLAINTEXT", {}),
    "TLS": ("SSL", {}),
    "TLS with our certificate": ("MUTUAL", {"ssl_cert_file": "client"}),
    "PLAIN": ("SASL_SSL", {"sasl_mechanism": "PLAIN"}),
    "SCRAM-SHA-256": ("SASL_SSL", {}),
    "SCRAM-SHA-512": ("SASL_SSL", {"sasl_mechanism": "SCRAM-SHA-512"}),
    "SCRAM in the clear": ("SASL_PLAINTEXT", {}),
}
"""The listener and what else is set."""

TROUBLES: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "name": ("PLAINTEXT", {"host": "nowhere.invalid"}, "no machine has that name", "correct the name"),
    "signer": ("SSL", {"ssl_ca_file": "other"}, UNTRUSTED, "KAFKA_SSL_CA_FILE"),
    "signer, of the system's": ("SSL", {"ssl_ca_file": None}, UNTRUSTED, "KAFKA_SSL_CA_FILE"),
    "host name": ("SSL", {"host": "localhost"}, "certificate is for another name", "use a name that its certificate"),
    "expired": ("EXPIRED", {}, "not valid at this time: certificate has expired", "renew it"),
    "no certificate of ours": ("MUTUAL", {}, "wants a certificate of ours", "KAFKA_SSL_CERT_FILE"),
    "TLS expected": ("PLAINTEXT", {"protocol": "SSL"}, "does not speak TLS", "SECURITY_PROTOCOL=PLAINTEXT"),
    "TLS not expected": ("SSL", {"protocol": "PLAINTEXT"}, "speaks TLS, and", "SECURITY_PROTOCOL=SSL"),
    "password, PLAIN": (
        "SASL_SSL",
        {"sasl_mechanism": "PLAIN", "sasl_password": WRONG},
        "does not let desk in by PLAIN",
        "KAFKA_SASL_PASSWORD",
    ),
    "password, SCRAM": ("SASL_SSL", {"sasl_password": WRONG}, "does not let desk in by SCRAM", "KAFKA_SASL_PASSWORD"),
    "user": ("SASL_SSL", {"sasl_username": "nobody"}, "does not let nobody in", "KAFKA_SASL_USERNAME"),
    "mechanism": ("SASL_PLAINTEXT", {"sasl_mechanism": "PLAIN"}, "takes no login by PLAIN", "KAFKA_SASL_MECHANISM"),
    "login not expected there": ("PLAINTEXT", {"protocol": "SASL_PLAINTEXT"}, "takes no login", "=PLAINTEXT or SSL"),
    "login expected there": ("SASL_PLAINTEXT", {"protocol": "PLAINTEXT"}, "closes the connection", "=SASL_PLAINTEXT"),
    "sent elsewhere": ("ELSEWHERE", {}, "sends us on to nowhere.invalid:9092", "advertised.listeners"),
}
"""The listener, what is set otherwise, what is found, and what to do."""


@pytest.fixture(scope="module")
def secured(kafka_programs: None) -> Iterator[Secured]:  # noqa: ARG001 - asked for, that it may skip
    """A broker with every kind of listener."""
    with secured_broker() as broker:
        yield broker


def of(secured: Secured, listener: str, said: dict[str, Any]) -> Settings:
    """The settings with the names of certificates made files."""
    files = {name: secured.file(value) for name, value in said.items() if name.endswith("_file") and value}
    return secured.settings(listener, **said | files)


def environment(chosen: Settings) -> dict[str, str]:
    """The same settings as variables."""
    given = {name: getattr(chosen, name) for name in chosen.model_fields_set}
    plain = {name: value.get_secret_value() if name.endswith("password") else value for name, value in given.items()}
    return {f"CASETRAIL_{name.upper()}": str(value) for name, value in plain.items()}


@pytest.fixture
def chosen_by(monkeypatch: pytest.MonkeyPatch, sqlite_url: str, kafka_server: str) -> Callable[..., Settings]:
    """Choose a topic, and a database of the test's, for this process."""

    def choose(topic: str, **more: Any) -> Settings:
        env = variables(kafka_server, topic, sqlite_url, clock_margin_seconds=60, **more)
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        return load_settings()

    return choose


def found(*names: str) -> list[tuple[str, str]]:
    """State and finding of what the doctor looked at under these names."""
    return [(check.state, check.found) for check in examine() if check.name in names]


@pytest.mark.slow
class TestBroker:
    """The broker's address, TLS and the login."""

    @pytest.mark.parametrize("way", ANSWERS)
    def test_every_way_in_is_found_good(self, secured: Secured, way: str) -> None:
        """With everything set as it has to be there is nothing to say."""
        assert trouble(of(secured, *ANSWERS[way])) is None

    @pytest.mark.parametrize("mistake", TROUBLES)
    def test_each_mistake_has_its_own_words(self, secured: Secured, mistake: str) -> None:
        """What is found names the place, and the advice what to set or mend."""
        listener, said, words, advice = TROUBLES[mistake]
        chosen = of(secured, listener, said)
        before = threading.active_count()
        met = trouble(chosen, seconds=4)
        # What the broker says of a login may be lost with the connection that it closes.
        unsaid = "SASL" in chosen.kafka_security_protocol and "without a word" in str(met)
        wait_until(lambda: threading.active_count() <= before)

        assert met is not None
        assert met.found.startswith(chosen.kafka_bootstrap_servers)
        assert unsaid or words in met.found
        assert advice in met.advice
        assert PASSWORD not in str(met)
        assert WRONG not in str(met)

    def test_where_nothing_listens(self, secured: Secured) -> None:
        """The commonest of all."""
        assert "127.0.0.1:1: nothing listens" in str(
            trouble(secured.settings("PLAINTEXT", bootstrap_servers="127.0.0.1:1"))
        )

    def test_of_several_addresses_one_that_is_well_is_enough(self, secured: Secured, tmp_path: Path) -> None:
        """One broker of several may be away."""
        servers = f"127.0.0.1:1, 127.0.0.1:{secured.broker.port}"
        done = run("doctor", tmp_path, env=environment(secured.settings("PLAINTEXT", bootstrap_servers=servers)))

        assert f"ok      kafka      {servers} answers, PLAINTEXT" in done.stdout

    def test_one_that_hangs_is_told_from_one_that_is_away(self, secured: Secured) -> None:
        """It takes the connection and does not answer."""
        secured.broker.freeze()
        met = trouble(secured.settings("PLAINTEXT"))
        secured.broker.thaw()

        assert "does not answer" in str(met)

    def test_a_file_that_is_not_there_is_named_by_its_variable(self, secured: Secured, tmp_path: Path) -> None:
        """Before anybody is asked."""
        env = environment(secured.settings("SSL", ssl_ca_file=tmp_path / "no.pem"))
        done = run("doctor", ready(tmp_path), env=env)

        assert 2 == done.returncode
        assert f"error   kafka      CASETRAIL_KAFKA_SSL_CA_FILE: {tmp_path}/no.pem: No such file" in done.stdout

    def test_the_whole_way_over_tls_with_a_login(self, secured: Secured, tmp_path: Path) -> None:
        """Topics, facts and the doctor, as in production; the password is shown nowhere."""
        env = environment(of(secured, "SASL_SSL", {"sasl_mechanism": "SCRAM-SHA-512"}))
        env |= {"CASETRAIL_KAFKA_PARTITIONS": "1"}
        ready(tmp_path)
        done = [
            run("topics create", tmp_path, env=env),
            run("publish -", tmp_path, fact_line(), env),
            run("project", tmp_path, env=env),
            run("doctor", tmp_path, env=env),
        ]

        assert [0, 0, 0, 0] == [each.returncode for each in done], done
        assert "SASL_SSL as desk" in done[3].stdout
        assert "1 records, 0 of them not projected yet" in done[3].stdout
        assert "it has one replica" in done[3].stdout
        assert not any(PASSWORD in each.stdout + each.stderr for each in done)

    def test_a_command_that_is_not_let_in_says_so(self, secured: Secured, tmp_path: Path) -> None:
        """In one line, with the exit code of the machine, not of the facts."""
        env = environment(of(secured, "SASL_SSL", {"sasl_password": WRONG}))
        done = run("publish -", ready(tmp_path), fact_line(), env)

        assert (3, "") == (done.returncode, done.stdout)
        assert re.search("does not let desk in by SCRAM-SHA-256|the login of desk by SCRAM-SHA-256", done.stderr)
        assert WRONG not in done.stderr
        assert 1 == len(done.stderr.splitlines())


@pytest.mark.slow
class TestTopics:
    """The topics, and how far they were read."""

    def test_what_is_missing_or_wrong_is_an_error(
        self, chosen_by: Callable[..., Settings], kafka_topics: Callable[..., str]
    ) -> None:
        """Each fault by itself, beside what is not safe."""
        topic = kafka_topics(2, {"retention.ms": "1000", "cleanup.policy": "compact"})
        chosen_by(topic, kafka_alerts_topic="casetrail.no")
        told = found("topic")

        assert ["error"] * 3 + ["warning"] == sorted(state for state, _ in told)
        assert ("error", "there is no casetrail.no") in told
        assert any(f"{topic}, 2 partitions: cleanup.policy is compact" in words for _, words in told)
        assert any("retention.ms is 1000" in words for _, words in told)
        assert any("it has one replica" in words for _, words in told)

    def test_records_that_are_gone_are_found(
        self, chosen_by: Callable[..., Settings], kafka_topics: Callable[..., str], kafka_server: str
    ) -> None:
        """A topic that was made anew ends before what was read, one that was emptied begins after it."""
        topic, anew, more = (kafka_topics(count, {"retention.ms": "-1"}) for count in (3, 3, 4))
        chosen = chosen_by(topic)
        engine = migrated(chosen.database_url)
        send(kafka_server, topic, [dismissed("2022-03-27"), suspended("2022-03-28")])
        drained(engine, chosen)
        engine.dispose()
        number = home("a")
        send(kafka_server, topic, [dismissed("2022-03-29")])
        before = found("log")
        with closing(KafkaAdminClient(bootstrap_servers=kafka_server)) as admin:
            admin.delete_records({TopicPartition(topic, number): 3})
        emptied = found("log")

        assert [("ok", "3 records, 1 of them not projected yet")] == before
        assert [("error", f"partition {number} begins at 3, yet was read up to 2: records are gone")] == emptied
        chosen_by(anew)
        assert [("error", f"partition {number} ends at 0, yet was read up to 2: records are gone")] == found("log")
        chosen_by(more)
        assert [("error", "has 4 partitions, yet 3 were read: people would change places")] == found("log")


@pytest.mark.parametrize(
    ("given", "variable"),
    [
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_PASSWORD": WRONG}, "KAFKA_SASL_USERNAME"),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_SASL_USERNAME": "desk"}, "KAFKA_SASL_PASSWORD"),
        ({"KAFKA_SSL_KEY_FILE": "desk.key"}, "KAFKA_SSL_CERT_FILE"),
        ({"KAFKA_BOOTSTRAP_SERVERS": "kafka://broker:9092"}, "KAFKA_BOOTSTRAP_SERVERS"),
        ({"KAFKA_BOOTSTRAP_SERVERS": "broker:9092,"}, "KAFKA_BOOTSTRAP_SERVERS"),
        ({"KAFKA_BOOTSTRAP_SERVERS": "broker:99999"}, "KAFKA_BOOTSTRAP_SERVERS"),
        ({"KAFKA_TOPIC": "facts", "KAFKA_ALERTS_TOPIC": "facts"}, "KAFKA_ALERTS_TOPIC"),
        ({"KAFKA_TOPIC": "the.facts", "KAFKA_ALERTS_TOPIC": "the_facts"}, "KAFKA_ALERTS_TOPIC"),
        ({"KAFKA_TOPIC": ""}, "KAFKA_TOPIC"),
        ({"KAFKA_TOPIC": "the facts"}, "KAFKA_TOPIC"),
        ({"KAFKA_TOPIC": "facts\n"}, "KAFKA_TOPIC"),
        ({"KAFKA_TOPIC": "f" * 250}, "KAFKA_TOPIC"),
        ({"KAFKA_TOPIC": ".."}, "KAFKA_TOPIC"),
        ({"KAFKA_ALERTS_TOPIC": "."}, "KAFKA_ALERTS_TOPIC"),
        ({"KAFKA_ALERTS_TOPIC": "тревоги"}, "KAFKA_ALERTS_TOPIC"),
        ({"KAFKA_GROUP": " "}, "KAFKA_GROUP"),
    ],
)
def test_settings_that_do_not_go_together_are_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], variable: str
) -> None:
    """With what is wrong and what it is for; a password is not shown."""
    for name, value in given.items():
        monkeypatch.setenv(f"CASETRAIL_{name}", value)

    with pytest.raises(BadInput) as refused:
        load_settings()
    assert f"CASETRAIL_{variable}" == refused.value.where
    assert refused.value.wanted
    assert WRONG not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LOG", "nope", """CASETRAIL_LOG: "nope" does not fit (want 'local' or 'kafka')"""),
        ("KAFKA_PARTITIONS", "many", 'CASETRAIL_KAFKA_PARTITIONS: "many" does not fit (want a valid integer)'),
        ("KAFKA_PARTITIONS", "0", 'CASETRAIL_KAFKA_PARTITIONS: "0" does not fit (want greater than or equal to 1)'),
    ],
)
def test_a_setting_that_does_not_fit_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    """Where, what and what was wanted."""
    monkeypatch.setenv(f"CASETRAIL_{name}", value)

    with pytest.raises(BadInput) as refused:
        load_settings()
    assert said == str(refused.value)


@pytest.mark.parametrize("name", ["...", "a", "f" * 249, "Desk_1.facts-v1"])
def test_any_name_that_kafka_takes_is_taken(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Kafka's own rule, and no narrower one."""
    monkeypatch.setenv("CASETRAIL_KAFKA_TOPIC", name)

    assert name == load_settings().kafka_topic


@pytest.mark.parametrize("servers", ["broker", "broker:9092", "10.0.0.1:9092, [::1]:9092"])
def test_addresses_as_people_write_them_are_taken(monkeypatch: pytest.MonkeyPatch, servers: str) -> None:
    """Without a port it is Kafka's own."""
    monkeypatch.setenv("CASETRAIL_KAFKA_BOOTSTRAP_SERVERS", servers)

    assert servers == load_settings().kafka_bootstrap_servers


@pytest.mark.parametrize(
    ("change", "words", "advice"),
    [
        ({"database": "nowhere"}, 'database "nowhere" does not exist', "CREATE DATABASE"),
        ({"username": "nobody"}, 'role "nobody" does not exist', "CREATE ROLE"),
        ({"host": "nowhere.invalid"}, "nowhere.invalid", "correct the name of the machine"),
        ({"host": "127.0.0.1", "port": 1}, "Connection refused", "start the server"),
        ({"query": {"sslmode": "require"}}, "SSL", "?sslmode"),
    ],
)
def test_what_is_wrong_with_postgresql_has_its_advice(
    postgres_server: str, tmp_path: Path, change: dict[str, Any], words: str, advice: str
) -> None:
    """The server's words, and what to do in ours; never the password."""
    url = make_url(postgres_server)
    changed = url.set(**{"password": WRONG, **change}).update_query_dict(
        {
            name: value
            for name, value in url.query.items()
            if "host" not in change and name not in change.get("query", {})
        }
    )
    shown = changed.render_as_string(hide_password=False)
    done = run("doctor --json", tmp_path, env={"CASETRAIL_DATABASE_URL": shown})
    last = json.loads(done.stdout)[-1]

    assert (3, "database", "error") == (done.returncode, last["name"], last["state"])
    assert words in last["found"]
    assert advice in last["advice"]
    assert WRONG not in done.stdout + done.stderr
