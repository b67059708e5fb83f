"""The receiver of statuses in the configuration."""

from collections.abc import Iterable

from events.errors import BadInput
from services.delivery.config.loading import load_delivery
from services.delivery.config.model import KafkaTopic, Receiver
from services.log.open import uses_kafka
from services.settings import Settings, delivery_file


def status_receiver(settings: Settings, receivers: Iterable[Receiver]) -> Receiver | None:
    """
    Return the receiver that names the topic of statuses; None: there is none.

    A receiver may also name the topic of alerts. It changes nothing, since all notices go there anyway.

    Raises:
        BadInput: if a receiver names another topic, two name the same one, or the log is not in Kafka.
    """
    own = {settings.kafka_alerts_topic, settings.kafka_status_topic}
    by_topic: dict[str, Receiver] = {}
    for receiver in receivers:
        if not isinstance(receiver.target, KafkaTopic):
            continue
        topic = receiver.target.topic
        if not uses_kafka(settings):
            raise BadInput(
                "the receiver is a topic of Kafka, and the log is local", "CASETRAIL_LOG=kafka", receiver.name
            )
        if topic not in own:
            raise BadInput(f"{topic} is not a topic of casetrail", " or ".join(sorted(own)), receiver.name)
        if by_topic.setdefault(topic, receiver) is not receiver:
            raise BadInput(f"{topic} is the topic of {by_topic[topic].name} too", "one receiver", receiver.name)
    return by_topic.get(settings.kafka_status_topic)


def wants_statuses(settings: Settings) -> bool:
    """
    Return whether a receiver of the configuration names the topic of statuses.

    Raises:
        BadInput: if the configuration is wrong.
    """
    file = delivery_file(settings)
    receivers = load_delivery(file).receivers.values() if file and uses_kafka(settings) else ()
    return status_receiver(settings, receivers) is not None
