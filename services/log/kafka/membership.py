"""Whose a consumer group is: one database's, whose name its committed offsets bear, and that of one topic."""

from collections.abc import Callable, Iterable, Mapping

import structlog
from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import IllegalGenerationError, KafkaError, RebalanceInProgressError, UnknownMemberIdError
from kafka.structs import OffsetAndMetadata

from events.errors import Infrastructure
from projections.tables.origin import Origin, compare_ids
from services.settings import Settings

from .topics import ANSWER_SECONDS, asking, id_of, retrying

LOOK_SECONDS = 2.0
NAME = "casetrail database "

NOT_EMPTY = (IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError)
"""What Kafka says to whoever commits for a group without being a member, while it has members."""

log = structlog.get_logger()


class Membership:
    """
    The group of the projectors of one database, on its topic.

    Args:
        settings: the settings, which name the group.
        origin: the topic and the database.

    Attributes:
        name: that of the database, in what its projectors commit.
    """

    def __init__(self, settings: Settings, origin: Origin) -> None:
        self.name = NAME + origin.database_id
        self._settings = settings
        self._origin = origin

    def claim(self, positions: Mapping[int, int]) -> None:
        """
        Give the group to this database where nobody is in it; see that it is ours where somebody is.

        Kafka takes offsets from outside for a group without members only, so that of two databases one is too late.

        Args:
            positions: how far each partition has been projected.

        Raises:
            Infrastructure: if projectors of another database are in it.
            Unreachable: if the broker does not answer.
        """
        with asking(self._settings, ANSWER_SECONDS) as client:
            before = self._names(client, positions)
            if before == {self.name}:
                return
            offsets = {
                TopicPartition(self._origin.topic, partition): OffsetAndMetadata(position, self.name, -1)
                for partition, position in positions.items()
            }
            if retrying(lambda: _taken(client, self._settings.kafka_group, offsets)):
                if others := self._others(before):
                    log.warning("group_taken_over", group=self._settings.kafka_group, by=self.name, of=others)
                return
            self._see_no_others(self._names(client, positions))

    def check(self, partitions: Iterable[int]) -> None:
        """
        See that the group is ours still, as far as *partitions* say, and the topic the one that it was.

        Raises:
            Infrastructure: if another database has taken the group over, or the topic was made again.
            Unreachable: if the broker does not answer.
        """
        topic = self._origin.topic
        with asking(self._settings, LOOK_SECONDS) as client:
            (found,) = retrying(lambda: client.describe_topics([topic]))
            compare_ids(topic, self._origin.topic_id, id_of(found))
            self._see_no_others(self._names(client, partitions))

    def _names(self, client: KafkaAdminClient, partitions: Iterable[int]) -> set[str]:
        """Return the names that the group's committed offsets bear, an empty one where there is none."""
        places = [TopicPartition(self._origin.topic, partition) for partition in partitions]
        group = self._settings.kafka_group
        found = retrying(lambda: client.list_group_offsets({group: places}))[group]
        return {at.metadata or "" for at in found.values()}

    def _others(self, names: Iterable[str]) -> list[str]:
        return sorted(name for name in names if name.startswith(NAME) and name != self.name)

    def _see_no_others(self, names: Iterable[str]) -> None:
        if others := self._others(names):
            group, topic = self._settings.kafka_group, self._origin.topic
            msg = (
                f"the consumer group {group} reads {topic} for the {', '.join(others)}, and this is {self.name}: each "
            )
            what = (
                "would miss what the other is given (want CASETRAIL_KAFKA_GROUP to name another group for one of them; "
            )
            wait = "a projector that was killed counts for CASETRAIL_KAFKA_SESSION_TIMEOUT_SECONDS more)"
            raise Infrastructure(msg + what + wait)


def _taken(client: KafkaAdminClient, group: str, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> bool:
    """Commit *offsets* for a group without members; return False if it has some."""
    answers: set[Callable[[], KafkaError]] = set(client.alter_group_offsets(group, offsets).values())
    for error in (answer() for answer in answers):
        if isinstance(error, NOT_EMPTY):
            return False
        if error.errno:
            raise error
    return True
