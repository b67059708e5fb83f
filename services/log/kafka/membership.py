"""Tie a consumer group to one database and one topic, by an id in the metadata of its committed offsets."""

from collections.abc import Callable, Iterable, Mapping

import structlog
from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import IllegalGenerationError, KafkaError, RebalanceInProgressError, UnknownMemberIdError
from kafka.structs import OffsetAndMetadata

from events.errors import Infrastructure
from projections.tables.origin import Origin, compare_ids
from services.settings import Settings

from .topics import ANSWER_SECONDS, admin_client, id_of, retrying

CHECK_SECONDS = 2.0
NAME = "casetrail database "

NOT_EMPTY = (IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError)
"""Kafka's errors for a commit by a client that is not a member, while the group has members."""

logger = structlog.get_logger()


class Membership:
    """
    The consumer group of the projectors of one database, on its topic.

    Args:
        settings: the settings, which name the group.
        origin: the topic and the database.

    Attributes:
        name: the name of the database, which its projectors commit as metadata.
    """

    def __init__(self, settings: Settings, origin: Origin) -> None:
        self.name = NAME + origin.database_id
        self._settings = settings
        self._origin = origin

    def claim(self, positions: Mapping[int, int]) -> None:
        """
        Claim the group for this database if it has no members. If it has members, check that they are this database's.

        Kafka takes offsets from outside only for a group without members, so only one of two databases can succeed.

        Args:
            positions: the position up to which each partition has been projected.

        Raises:
            Infrastructure: if projectors of another database are members.
            Unreachable: if the broker does not answer.
        """
        with admin_client(self._settings, ANSWER_SECONDS) as client:
            before = self._names(client, positions)
            if before == {self.name}:
                return
            offsets = {
                TopicPartition(self._origin.topic, partition): OffsetAndMetadata(position, self.name, -1)
                for partition, position in positions.items()
            }
            if retrying(lambda: _commit_from_outside(client, self._settings.kafka_group, offsets)):
                if others := self._other_names(before):
                    logger.warning("group_taken_over", group=self._settings.kafka_group, by=self.name, of=others)
                return
            self._refuse_others(self._names(client, positions))

    def check(self, partitions: Iterable[int]) -> None:
        """
        Check that the topic is still the same one, and that the offsets of *partitions* bear no other database's name.

        Raises:
            Infrastructure: if another database has taken the group over, or the topic was created again.
            Unreachable: if the broker does not answer.
        """
        topic = self._origin.topic
        with admin_client(self._settings, CHECK_SECONDS) as client:
            (description,) = retrying(lambda: client.describe_topics([topic]))
            compare_ids(topic, self._origin.topic_id, id_of(description))
            self._refuse_others(self._names(client, partitions))

    def _names(self, client: KafkaAdminClient, partitions: Iterable[int]) -> set[str]:
        """Return the names in the metadata of the group's committed offsets; an empty one for an offset without."""
        places = [TopicPartition(self._origin.topic, partition) for partition in partitions]
        group = self._settings.kafka_group
        offsets = retrying(lambda: client.list_group_offsets({group: places}))[group]
        return {offset.metadata or "" for offset in offsets.values()}

    def _other_names(self, names: Iterable[str]) -> list[str]:
        return sorted(name for name in names if name.startswith(NAME) and name != self.name)

    def _refuse_others(self, names: Iterable[str]) -> None:
        if others := self._other_names(names):
            group, topic = self._settings.kafka_group, self._origin.topic
            what = f"the consumer group {group} reads {topic} for the {', '.join(others)}, but this is {self.name}"
            harm = "each would miss the partitions that the other gets"
            wanted = "set CASETRAIL_KAFKA_GROUP to another group for one of them; a projector that was killed stays"
            last = "a member for CASETRAIL_KAFKA_SESSION_TIMEOUT_SECONDS"
            raise Infrastructure(f"{what}: {harm}", f"{wanted} {last}")


def _commit_from_outside(
    client: KafkaAdminClient, group: str, offsets: Mapping[TopicPartition, OffsetAndMetadata]
) -> bool:
    """Commit *offsets* for a group without members. Return False if it has members."""
    answers: set[Callable[[], KafkaError]] = set(client.alter_group_offsets(group, offsets).values())
    for error in (answer() for answer in answers):
        if isinstance(error, NOT_EMPTY):
            return False
        if error.errno:
            raise error
    return True
