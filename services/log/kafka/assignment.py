"""The partitions that the consumer group has assigned to one of its members."""

import threading
from collections.abc import Iterable, Sequence

import structlog
from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

logger = structlog.get_logger()


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc] # kafka-python carries no types
    """
    The partitions assigned to a member. The client's own thread calls the listener, so no method here may wait.

    Args:
        consumer: the member of the group.
    """

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer
        self._lock = threading.Lock()
        self._count = 0
        self._owned: frozenset[int] = frozenset()
        self._revoked: frozenset[int] = frozenset()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Add *assigned*, and pause them until their positions in the database are known."""
        places = [*assigned]
        pause(self._consumer, places)
        for place in places:
            self._consumer.seek(place, 0)
        with self._lock:
            self._owned |= {place.partition for place in places}
            self._count += bool(places)

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Remove *revoked*, which belong to another member now."""
        with self._lock:
            partitions = {place.partition for place in revoked}
            self._owned -= partitions
            self._revoked |= partitions

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        """Remove *lost*, which have belonged to another member for a while."""
        self.on_partitions_revoked(lost)

    def owned(self) -> frozenset[int]:
        """Return the partitions that are assigned now."""
        with self._lock:
            return self._owned

    def counted(self) -> tuple[int, frozenset[int]]:
        """Return the number of assignments so far, and the partitions that are assigned now."""
        with self._lock:
            return self._count, self._owned

    def take_revoked(self) -> tuple[frozenset[int], frozenset[int]]:
        """Return the partitions assigned now, and those revoked since the last call, even if assigned again since."""
        with self._lock:
            revoked, self._revoked = self._revoked, frozenset()
            return self._owned, revoked


def pause(consumer: KafkaConsumer, places: Sequence[TopicPartition]) -> None:
    """Pause *places* in *consumer*. One that was revoked at this very moment cannot be paused and is left alone."""
    try:
        consumer.pause(*places)
    except (KafkaError, KeyError, ValueError) as problem:
        logger.debug("partition_not_paused", error=type(problem).__name__)
