"""
The container files are consistent with the program; no container engine is needed for these tests.

An engine would be needed to test that the images start and reach each other. This is not tested here.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.settings import Settings, delivery_file, variable
from services.workers.supervisor import PARTS
from tests.support.commands import COMMAND, environment, start
from tests.support.kafka import SCRIPT, free_port
from tests.support.places import ROOT
from tests.support.waiting import wait_until
from tests.support.wheels import build, contents, wanted

COMPOSE = ROOT / "docker-compose.yml"
# Kafka's image reads these variables itself; every other KAFKA_ variable is a setting of the broker.
NOT_SETTINGS = {"KAFKA_HEAP_OPTS", "KAFKA_OPTS", "KAFKA_JMX_OPTS", "KAFKA_LOG4J_OPTS"}


def services() -> dict[str, dict[str, Any]]:
    """Return the services of docker-compose.yml, with their common parts merged in."""
    document: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())
    return document["services"]


def instructions(name: str) -> list[str]:
    """Return the arguments of every instruction *name* of the Dockerfile, with continued lines joined."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    return [line.removeprefix(f"{name} ").strip() for line in text.splitlines() if line.startswith(f"{name} ")]


def copied() -> list[str]:
    """Return the files and folders of the checkout that the Dockerfile copies."""
    local = [words for words in map(str.split, instructions("COPY")) if not words[0].startswith("--from")]
    return [source for words in local for source in words[:-1]]


def test_the_file_fits_the_schema_of_compose() -> None:
    """The compose file fits the JSON schema of the compose specification."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]

    checked = subprocess.run(command, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_no_password_has_a_default() -> None:
    """Every password comes from the environment, and without it no container starts."""
    variables = {
        f"{service}: {name}": value
        for service, options in services().items()
        for name, value in options.get("environment", {}).items()
        if "PASSWORD" in name or "@postgres" in value
    }

    assert variables
    for value in variables.values():
        assert re.search(r"^(postgresql\+psycopg://casetrail:)?\$\{POSTGRES_PASSWORD:\?[^}]+\}(@.*)?$", value)


def test_nothing_is_reachable_from_other_machines() -> None:
    """A published port is bound to 127.0.0.1, and the database publishes none."""
    published = {name: options["ports"] for name, options in services().items() if "ports" in options}

    assert set(published) == {"kafka"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_services_restart_and_have_a_health_check() -> None:
    """Every service but the one-shot job restarts after a failure and has a health check."""
    lasting = {name: options for name, options in services().items() if name != "setup"}

    assert {options["restart"] for options in lasting.values()} == {"unless-stopped"}
    assert all(options["healthcheck"]["test"][0] == "CMD" for options in lasting.values())


def test_nothing_starts_before_its_tables_and_topics_are_there() -> None:
    """The job waits for the broker and the database, and the processes wait for the job."""
    options_by_service = services()
    waits = {name: options["depends_on"] for name, options in options_by_service.items() if "depends_on" in options}

    assert waits["setup"] == {name: {"condition": "service_healthy"} for name in ("kafka", "postgres")}
    assert waits["projector"] == waits["service"] == {"setup": {"condition": "service_completed_successfully"}}


def test_projectors_can_be_scaled() -> None:
    """The projector has no fixed name or port, so it can run twice."""
    projector = services()["projector"]

    assert not {"container_name", "hostname", "ports", "volumes"} & set(projector)
    assert projector["deploy"]["replicas"] >= 2


def test_every_part_of_the_service_runs() -> None:
    """The containers together run every part of the program, so that rules across people are judged too."""
    commands = [options["command"] for options in services().values() if options.get("command", [""])[0] == "run"]

    assert sorted(PARTS) == sorted(part for command in commands for part in command[1:])


def test_the_receivers_are_optional_and_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program looks for delivery.yaml in a folder of the host. Neither this file nor the secrets have to exist."""
    service = services()["service"]
    source, target, mode = service["volumes"][0].split(":")

    assert (service["working_dir"], "ro") == (target, mode)
    assert [{"path": f"{source.removeprefix('./')}/secrets.env", "required": False}] == service["env_file"]
    assert f"/{source.removeprefix('./')}/" in (ROOT / ".gitignore").read_text().split()
    monkeypatch.chdir(tmp_path)
    assert delivery_file(Settings()) is None
    (tmp_path / "delivery.yaml").touch()
    assert delivery_file(Settings()) == Path("delivery.yaml")


def test_the_data_outlives_the_containers() -> None:
    """The broker and the database write their data to named volumes."""
    options = services()
    volumes = {name: options[name]["volumes"] for name in ("kafka", "postgres")}

    assert volumes == {"kafka": ["kafka:/var/lib/kafka/data"], "postgres": ["postgres:/var/lib/postgresql"]}
    assert options["kafka"]["environment"]["KAFKA_LOG_DIRS"] == "/var/lib/kafka/data"
    # Before version 18 the image kept its data elsewhere, and this volume would be empty.
    assert int(options["postgres"]["image"].removeprefix("postgres:")) >= 18


def test_the_broker_is_of_the_version_that_the_tests_run() -> None:
    """The image and the jars have the same version of Kafka."""
    tested = re.search(
        r"<artifactId>kafka_2.13</artifactId>\s*<version>(.+)</version>", SCRIPT.with_name("kafka-pom.xml").read_text()
    )

    assert tested
    assert services()["kafka"]["image"] == f"apache/kafka:{tested[1]}"


def test_every_setting_is_one_of_the_programs() -> None:
    """Every CASETRAIL_ variable of the file is a setting of the program, so none is ignored."""
    names = {name for options in services().values() for name in options.get("environment", {})}

    assert {name for name in names if name.startswith("CASETRAIL_")} <= {
        variable(name) for name in Settings.model_fields
    }


@pytest.mark.slow
def test_the_commands_of_the_file_work(
    kafka_server: str, kafka_topics: Callable[..., str], postgres_url: str, tmp_path: Path
) -> None:
    """The commands of the file work as processes, beside a real broker and database instead of containers."""
    options, port = services(), str(free_port())
    topic, alerts = (f"{kafka_topics(partitions=1)}.{kind}" for kind in ("facts", "alerts"))
    addresses = {
        "CASETRAIL_DATABASE_URL": postgres_url,
        "CASETRAIL_KAFKA_BOOTSTRAP_SERVERS": kafka_server,
        "CASETRAIL_METRICS_PORT": port,
    }
    names = {"CASETRAIL_KAFKA_TOPIC": topic, "CASETRAIL_KAFKA_ALERTS_TOPIC": alerts, "CASETRAIL_KAFKA_GROUP": topic}
    path = {"PATH": f"{programs(tmp_path)}:{os.environ['PATH']}"}

    def variables(service: str) -> dict[str, str]:
        file_variables = options[service]["environment"]
        assert addresses.keys() <= file_variables.keys()
        return {**file_variables, **addresses, **names, **path}

    setup = subprocess.run(
        [*options["setup"]["entrypoint"], *options["setup"]["command"]], env=environment(tmp_path, variables("setup")),
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert setup.returncode == 0, setup.stderr
    for service in ("projector", "service"):
        check = [word.replace("9464", port) for word in options[service]["healthcheck"]["test"][1:]]
        env = variables(service)
        with start(" ".join(options[service]["command"]), tmp_path, env) as running:
            wait_until(lambda check=check, env=env: subprocess.run(check, env=env, capture_output=True).returncode == 0)  # type: ignore[misc] # noqa: PLW1510
            running.process.terminate()
            code, _, errors = running.end()
        assert code == 0, errors


def programs(folder: Path) -> Path:
    """Return a folder with the programs of the image: casetrail, and the python that runs it."""
    here = folder / "bin"
    here.mkdir()
    for name, command in {"casetrail": COMMAND, "python": (sys.executable,)}.items():
        (here / name).write_text(f'#!/bin/sh\nexec {" ".join(command)} "$@"\n')
        (here / name).chmod(0o755)
    return here


@pytest.mark.slow
@pytest.mark.usefixtures("kafka_programs")
def test_kafka_takes_the_brokers_settings(tmp_path: Path) -> None:
    """Kafka's storage tool accepts the settings as the image would write them, and formats its data."""
    environment = services()["kafka"]["environment"]
    settings = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in environment.items()
        if name.startswith("KAFKA_") and name not in NOT_SETTINGS
    }
    properties = tmp_path / "server.properties"
    properties.write_text(
        "".join(f"{name}={value}\n" for name, value in {**settings, "log.dirs": str(tmp_path)}.items())
    )
    jars = subprocess.run([SCRIPT, "jars"], capture_output=True, text=True, check=True).stdout.strip()
    tool = ["java", "-cp", f"{jars}/*", "kafka.tools.StorageTool", "format"]

    formatted = subprocess.run(
        [*tool, "-t", environment["CLUSTER_ID"], "-c", str(properties)], capture_output=True, text=True, check=False
    )

    assert formatted.returncode == 0, formatted.stdout + formatted.stderr
    assert (tmp_path / "meta.properties").exists()


@pytest.mark.slow
def test_the_image_holds_the_whole_program(tmp_path: Path) -> None:
    """The Dockerfile copies enough to build the wheel, and this wheel is the one that is tested."""
    for source in copied():
        target = tmp_path / "source" / source
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(ROOT / source, target)
    (tmp_path / "wheel").mkdir()

    assert contents(build(tmp_path / "source", "wheel", tmp_path / "wheel")) == wanted()


def test_nothing_else_reaches_the_builder() -> None:
    """The builder sees only the copied files, and so neither a password in .env nor a database."""
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]

    assert rules[0] == "*"
    assert {rule.removeprefix("!") for rule in rules if rule.startswith("!")} == set(copied())


def test_the_image_is_not_root_and_installs_by_hash() -> None:
    """The process has a fixed number of its own, and every package except casetrail comes from the locks."""
    installs = [command for run in instructions("RUN") for command in run.split("&&") if " install " in command]
    packages = [command for command in installs if command.strip().startswith("pip")]

    assert len(instructions("FROM")) == 2
    assert instructions("USER") == ["10001:10001"]
    assert packages
    assert all("--require-hashes" in command or "--no-index" in command for command in packages)
