"""Problems with the connection to Kafka or PostgreSQL, in plain words and without a secret."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, TopicPartition
from sqlalchemy import make_url

from events.errors import BadInput
from services.log.kafka.diagnosis import diagnose
from services.operate.doctor.doctor import examine
from services.settings import Settings, load_settings
from tests.support.builders import dismissed, suspended
from tests.support.commands import fact_line, ready, run
from tests.support.secured import PASSWORD, Secured, secured_broker
from tests.support.topic import drained, home, migrated, send, variables
from tests.support.waiting import wait_until

WRONG = "geheim"

UNTRUSTED = "its certificate is signed by an authority not trusted here"

ANSWERS: dict[str, tuple[str, dict[str, Any]]] = {
    "in the clear": ("PLAINTEXT", {}),
    "TLS": ("SSL", {}),
    "TLS with our certificate": ("MUTUAL", {"ssl_cert_file": "client"}),
    "PLAIN": ("SASL_SSL", {"sasl_mechanism": "PLAIN"}),
    "SCRAM-SHA-256": ("SASL_SSL", {}),
    "SCRAM-SHA-512": ("SASL_SSL", {"sasl_mechanism": "SCRAM-SHA-512"}),
    "SCRAM in the clear": ("SASL_PLAINTEXT", {}),
}
"""The listener and the other settings of each working connection."""

TROUBLES: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "name": ("PLAINTEXT", {"host": "nowhere.invalid"}, "no machine has that name", "correct the name"),
    "signer": ("SSL", {"ssl_ca_file": "other"}, UNTRUSTED, "KAFKA_SSL_CA_FILE"),
    "signer, of the system's": ("SSL", {"ssl_ca_file": None}, UNTRUSTED, "KAFKA_SSL_CA_FILE"),
    "host name": ("SSL", {"host": "localhost"}, "certificate is for another name", "use a name that its certificate"),
    "expired": ("EXPIRED", {}, "not valid at this time: certificate has expired", "renew it"),
    "no certificate of ours": ("MUTUAL", {}, "requires a client certificate", "KAFKA_SSL_CERT_FILE"),
    "TLS expected": ("PLAINTEXT", {"protocol": "SSL"}, "does not speak TLS", "SECURITY_PROTOCOL=PLAINTEXT"),
    "TLS not expected": ("SSL", {"protocol": "PLAINTEXT"}, "speaks TLS, and", "SECURITY_PROTOCOL=SSL"),
    "password, PLAIN": (
        "SASL_SSL",
        {"sasl_mechanism": "PLAIN", "sasl_password": WRONG},
        "refuses the login of desk by PLAIN",
        "KAFKA_SASL_PASSWORD",
    ),
    "password, SCRAM": (
        "SASL_SSL",
        {"sasl_password": WRONG},
        "refuses the login of desk by SCRAM",
        "KAFKA_SASL_PASSWORD",
    ),
    "user": ("SASL_SSL", {"sasl_username": "nobody"}, "refuses the login of nobody", "KAFKA_SASL_USERNAME"),
    "mechanism": ("SASL_PLAINTEXT", {"sasl_mechanism": "PLAIN"}, "takes no login by PLAIN", "KAFKA_SASL_MECHANISM"),
    "login not expected there": ("PLAINTEXT", {"protocol": "SASL_PLAINTEXT"}, "takes no login", "=PLAINTEXT or SSL"),
    "login expected there": ("SASL_PLAINTEXT", {"protocol": "PLAINTEXT"}, "closes the connection", "=SASL_PLAINTEXT"),
    "sent elsewhere": ("ELSEWHERE", {}, "redirects to nowhere.invalid:9092", "advertised.listeners"),
}
"""The listener, the changed settings, the finding, and the advice."""


@pytest.fixture(scope="module")
def secured(kafka_programs: None) -> Iterator[Secured]:  # noqa: ARG001 - asked for, that it may skip
    """Yield a broker with every kind of listener."""
    with secured_broker() as broker:
        yield broker


def of(secured: Secured, listener: str, changes: dict[str, Any]) -> Settings:
    """Return the settings of a connection; the names of certificates become files."""
    files = {name: secured.file(value) for name, value in changes.items() if name.endswith("_file") and value}
    return secured.settings(listener, **changes | files)


def environment(settings: Settings) -> dict[str, str]:
    """Return the settings as variables."""
    values = {name: getattr(settings, name) for name in settings.model_fields_set}
    plain = {name: value.get_secret_value() if name.endswith("password") else value for name, value in values.items()}
    return {f"CASETRAIL_{name.upper()}": str(value) for name, value in plain.items()}


@pytest.fixture
def use_topic(monkeypatch: pytest.MonkeyPatch, sqlite_url: str, kafka_server: str) -> Callable[..., Settings]:
    """Return a function that sets a topic and the database of the test for this process."""

    def use(topic: str, **more: Any) -> Settings:
        env = variables(kafka_server, topic, sqlite_url, clock_margin_seconds=60, **more)
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        return load_settings()

    return use


def found(*names: str) -> list[tuple[str, str]]:
    """Return the state and the finding of each check with one of *names*."""
    return [(check.state, check.found) for check in examine() if check.name in names]


@pytest.mark.slow
class TestBroker:
    """Tests of the broker's address, TLS and the login."""

    @pytest.mark.parametrize("way", ANSWERS)
    def test_every_kind_of_connection_works(self, secured: Secured, way: str) -> None:
        """Correct settings have no finding."""
        assert diagnose(of(secured, *ANSWERS[way])) is None

    @pytest.mark.parametrize("mistake", TROUBLES)
    def test_each_mistake_has_its_own_words(self, secured: Secured, mistake: str) -> None:
        """The finding names the place, and the advice names the setting or the repair."""
        listener, changes, words, advice = TROUBLES[mistake]
        chosen = of(secured, listener, changes)
        before = threading.active_count()
        met = diagnose(chosen, seconds=4)
        # The broker's answer to a login may be lost with the connection that it closes.
        unsaid = "SASL" in chosen.kafka_security_protocol and "closes the connection at the login" in str(met)
        wait_until(lambda: threading.active_count() <= before)

        assert met is not None
        assert met.what.startswith(chosen.kafka_bootstrap_servers)
        assert unsaid or words in met.what
        assert advice in met.wanted
        assert PASSWORD not in str(met)
        assert WRONG not in str(met)

    def test_where_nothing_listens(self, secured: Secured) -> None:
        """This is the most common problem."""
        assert "127.0.0.1:1: nothing listens" in str(
            diagnose(secured.settings("PLAINTEXT", bootstrap_servers="127.0.0.1:1"))
        )

    def test_one_working_address_of_several_is_enough(self, secured: Secured, tmp_path: Path) -> None:
        """One broker of several may be away."""
        servers = f"127.0.0.1:1, 127.0.0.1:{secured.broker.port}"
        done = run("doctor", tmp_path, env=environment(secured.settings("PLAINTEXT", bootstrap_servers=servers)))

        assert f"ok      kafka      {servers} answers, PLAINTEXT" in done.stdout

    def test_a_broker_that_hangs_differs_from_one_that_is_away(self, secured: Secured) -> None:
        """It accepts the connection and does not answer."""
        secured.broker.freeze()
        met = diagnose(secured.settings("PLAINTEXT"))
        secured.broker.thaw()

        assert "does not answer" in str(met)

    def test_a_missing_file_is_named_by_its_variable(self, secured: Secured, tmp_path: Path) -> None:
        """The error comes before a connection is tried."""
        env = environment(secured.settings("SSL", ssl_ca_file=tmp_path / "no.pem"))
        done = run("doctor", ready(tmp_path), env=env)

        assert 2 == done.returncode
        assert f"error   kafka      CASETRAIL_KAFKA_SSL_CA_FILE: {tmp_path}/no.pem: No such file" in done.stdout

    def test_the_whole_way_over_tls_with_a_login(self, secured: Secured, tmp_path: Path) -> None:
        """Topics, facts and the doctor work as in production; the password is never shown."""
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

    def test_a_refused_login_is_reported(self, secured: Secured, tmp_path: Path) -> None:
        """It is one line, with the exit code of the infrastructure and not of the facts."""
        env = environment(of(secured, "SASL_SSL", {"sasl_password": WRONG}))
        done = run("publish -", ready(tmp_path), fact_line(), env)

        assert (3, "") == (done.returncode, done.stdout)
        assert "the login of desk by SCRAM-SHA-256" in done.stderr
        assert WRONG not in done.stderr
        assert 1 == len(done.stderr.splitlines())


@pytest.mark.slow
class TestTopics:
    """Tests of the topics and of the positions in them."""

    def test_a_missing_topic_or_a_wrong_setting_is_an_error(
        self, use_topic: Callable[..., Settings], kafka_topics: Callable[..., str]
    ) -> None:
        """Each fault is listed by itself, beside the warnings."""
        topic = kafka_topics(2, {"retention.ms": "1000", "cleanup.policy": "compact"})
        use_topic(topic, kafka_alerts_topic="casetrail.no")
        checks = found("topic")

        assert ["error"] * 3 + ["warning"] == sorted(state for state, _ in checks)
        assert ("error", "there is no casetrail.no") in checks
        assert any(f"{topic}, 2 partitions: cleanup.policy is compact" in words for _, words in checks)
        assert any("retention.ms is 1000" in words for _, words in checks)
        assert any("it has one replica" in words for _, words in checks)

    def test_the_topic_of_statuses_is_checked_if_a_receiver_names_it(
        self,
        use_topic: Callable[..., Settings],
        kafka_topics: Callable[..., str],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """It has to exist and to be compacted; without such a receiver nobody needs it."""
        facts, alerts, deleted = (kafka_topics(1, {"retention.ms": "-1"}) for _ in range(3))
        compacted = kafka_topics(1, {"cleanup.policy": "compact"})
        file = tmp_path / "delivery.yaml"
        monkeypatch.chdir(tmp_path)
        answers = {}
        for topic in ("casetrail.no", deleted, compacted):
            use_topic(facts, kafka_alerts_topic=alerts, kafka_status_topic=topic)
            file.unlink(missing_ok=True)
            without = found("topic")
            file.write_text(f"receivers: {{stream: {{kafka: {topic}}}}}\nroutes: []\n", "utf-8")
            answers[topic] = [check for check in found("topic", "delivery") if check not in without]

        _, missing = answers["casetrail.no"]
        _, wrong, *_ = answers[deleted]
        assert ("error", "there is no casetrail.no") == missing
        assert ("error", f"{deleted}, 1 partitions: cleanup.policy is delete (want compact, or") == (
            wrong[0],
            wrong[1].partition(" statuses")[0],
        )
        assert not any("error" in state for state, _ in answers[compacted])
        file.write_text("receivers: {stream: {kafka: another}}\nroutes: []\n", "utf-8")
        assert any(
            state == "error" and "another is not a topic of casetrail" in words for state, words in found("delivery")
        )

    def test_lost_records_are_detected(
        self, use_topic: Callable[..., Settings], kafka_topics: Callable[..., str], kafka_server: str
    ) -> None:
        """A topic that was made again ends before the position; a topic that was emptied begins after it."""
        topic, remade, more = (kafka_topics(count, {"retention.ms": "-1"}) for count in (3, 3, 4))
        chosen = use_topic(topic)
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
        use_topic(remade)
        assert [("error", f"partition {number} ends at 0, yet was read up to 2: records are gone")] == found("log")
        use_topic(more)
        assert [("error", "has 4 partitions, yet 3 were read: subjects would map to other partitions")] == found("log")


@pytest.mark.parametrize(
    ("changes", "variable"),
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
def test_settings_that_do_not_fit_are_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], variable: str
) -> None:
    """The error has the problem and the wanted value; a password is not shown."""
    for name, value in changes.items():
        monkeypatch.setenv(f"CASETRAIL_{name}", value)

    with pytest.raises(BadInput) as refused:
        load_settings()
    assert f"CASETRAIL_{variable}" == refused.value.where
    assert refused.value.wanted
    assert WRONG not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("LOG", "nope", """CASETRAIL_LOG: "nope" does not fit (want 'local' or 'kafka')"""),
        ("KAFKA_PARTITIONS", "many", 'CASETRAIL_KAFKA_PARTITIONS: "many" does not fit (want a valid integer)'),
        ("KAFKA_PARTITIONS", "0", 'CASETRAIL_KAFKA_PARTITIONS: "0" does not fit (want greater than or equal to 1)'),
    ],
)
def test_a_setting_that_does_not_fit_is_refused_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    """The sentence has the variable, the problem and the wanted value."""
    monkeypatch.setenv(f"CASETRAIL_{name}", value)

    with pytest.raises(BadInput) as refused:
        load_settings()
    assert sentence == str(refused.value)


@pytest.mark.parametrize("name", ["...", "a", "f" * 249, "Desk_1.facts-v1"])
def test_any_topic_name_of_kafka_is_accepted(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The rule is that of Kafka, and not a narrower one."""
    monkeypatch.setenv("CASETRAIL_KAFKA_TOPIC", name)

    assert name == load_settings().kafka_topic


@pytest.mark.parametrize("servers", ["broker", "broker:9092", "10.0.0.1:9092, [::1]:9092"])
def test_common_forms_of_addresses_are_accepted(monkeypatch: pytest.MonkeyPatch, servers: str) -> None:
    """The default port is that of Kafka."""
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
def test_each_problem_with_postgresql_has_its_advice(
    postgres_server: str, tmp_path: Path, change: dict[str, Any], words: str, advice: str
) -> None:
    """The finding has the server's words and the advice has the next step; neither has the password."""
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
