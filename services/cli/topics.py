"""Kafka's topics: topics create."""

from typing import TYPE_CHECKING

import typer

from services.settings import load_settings

from .app import Json, app
from .output import emit, say

if TYPE_CHECKING:
    from services.log.kafka.topics import Made

topics_app = typer.Typer(
    help="The topics of Kafka, with CASETRAIL_LOG=kafka.",
    epilog="\b\nExample:\n  CASETRAIL_LOG=kafka casetrail topics create",
    no_args_is_help=True,
)
app.add_typer(topics_app, name="topics")


@topics_app.command("create", epilog="\b\nExample:\n  CASETRAIL_LOG=kafka casetrail topics create")
def create_topics(as_json: Json = False) -> None:
    """
    Make the topics of facts and of notices as they have to be. Safe to repeat.

    A topic that is there stays as it is; if its settings would lose or reorder facts they are named, and the exit code
    is 3.
    """
    from services.log.kafka.topics import create  # noqa: PLC0415 - Kafka's client takes long to load

    settings = load_settings()
    made = create(settings)
    if as_json:
        emit([_plain(each) for each in made])
        return
    for topic, created in made:
        word = "created" if created else "is there already"
        say(f"{topic.name}: {word}, {topic.partitions} partitions, replicas of each: {topic.replicas}")
        if topic.partitions != settings.kafka_partitions:
            say(f"  that number stays, though CASETRAIL_KAFKA_PARTITIONS is {settings.kafka_partitions}")
    if settings.log != "kafka":
        say("CASETRAIL_LOG is local: nothing uses them before it is kafka")


def _plain(made: "Made") -> dict[str, str | int | bool]:
    topic, created = made
    return {"topic": topic.name, "partitions": topic.partitions, "replicas": topic.replicas, "created": created}
