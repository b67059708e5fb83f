"""topics: creation of the topics of Kafka."""

from typing import TYPE_CHECKING

import typer
from typing_extensions import TypedDict

from services.delivery.statuses.receiver import wants_statuses
from services.log.open import uses_kafka
from services.settings import load_settings

from .app import app
from .options import JsonOption
from .output import emit, say

if TYPE_CHECKING:
    from services.log.kafka.topics import CreateResult

topics_app = typer.Typer(
    help="The topics of Kafka, with CASETRAIL_LOG=kafka.",
    epilog="\b\nExample:\n  CASETRAIL_LOG=kafka casetrail topics create",
    no_args_is_help=True,
)
app.add_typer(topics_app, name="topics")


class TopicJson(TypedDict):
    """A topic, and whether this command created it."""

    topic: str
    partitions: int
    replicas: int
    created: bool


@topics_app.command("create", epilog="\b\nExample:\n  CASETRAIL_LOG=kafka casetrail topics create")
def create_topics(as_json: JsonOption = False) -> None:
    """
    Create the topics of facts and of alerts. Safe to repeat.

    The topic of statuses is created too, if a receiver in delivery.yaml names it.

    A topic that exists is not changed. If its settings would lose or reorder facts, the command names them and ends
    with exit code 3.
    """
    from services.log.kafka.topics import create, create_status_topic  # noqa: PLC0415 - Kafka's client loads long

    settings = load_settings()
    results = [*create(settings), *(create_status_topic(settings) if wants_statuses(settings) else ())]
    if as_json:
        emit([_topic_json(result) for result in results])
        return
    for topic, created in results:
        word = "created" if created else "exists already"
        say(f"{topic.name}: {word}, {topic.partitions} partitions, replicas of each: {topic.replicas}")
        if topic.partitions != settings.kafka_partitions:
            say(f"  this number is not changed, although CASETRAIL_KAFKA_PARTITIONS is {settings.kafka_partitions}")
    if not uses_kafka(settings):
        say("CASETRAIL_LOG is local: the topics are not used until it is kafka")


def _topic_json(result: "CreateResult") -> TopicJson:
    topic, created = result
    return {"topic": topic.name, "partitions": topic.partitions, "replicas": topic.replicas, "created": created}
