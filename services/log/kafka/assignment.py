"""The partitions that the consumer group has given to one of its members."""

import threading
from collections.abc import Iterable, Sequence

import structlog
from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

log = structlog.get_logger()


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc] # kafka-python carries no types
    """
    What the group has given us. The client's own thread tells of it, so that nothing here may wait.

    Args:
        consumer: the member of the group.
    """

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer
        self._lock = threading.Lock()
        self._times = 0
        self._ours: frozenset[int] = frozenset()
        self._gone: frozenset[int] = frozenset()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Read nothing of them before their positions in the database are known."""
        places = [*assigned]
        pause(self._consumer, places)
        for place in places:
            self._consumer.seek(place, 0)
        with self._lock:
            self._ours |= {place.partition for place in places}
            self._times += bool(places)

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Note that they are another's."""
        with self._lock:
            gone = {place.partition for place in revoked}
            self._ours -= gone
            self._gone |= gone

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        """Note that they have been another's for a while."""
        self.on_partitions_revoked(lost)

    def now(self) -> frozenset[int]:
        """Return what is ours."""
        with self._lock:
            return self._ours

    def times(self) -> tuple[int, frozenset[int]]:
        """Return how often partitions have come to us, and which are ours since."""
        with self._lock:
            return self._times, self._ours

    def take(self) -> tuple[frozenset[int], frozenset[int]]:
        """Return what is ours, and what has gone since this was last asked, whether or not it has come back."""
        with self._lock:
            gone, self._gone = self._gone, frozenset()
            return self._ours, gone


def pause(consumer: KafkaConsumer, places: Sequence[TopicPartition]) -> None:
    """Have *consumer* read nothing of *places*, those that were taken away this very moment apart."""
    try:
        consumer.pause(*places)
    except (KafkaError, KeyError, ValueError) as problem:
        log.debug("partition_not_paused", error=type(problem).__name__)
