"""A message that is marked as a test, sent to each address of a receiver at once; it is not recorded."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from typing import NamedTuple
from uuid import uuid4

from services.delivery.config.model import Receiver
from services.delivery.message import Channel, Message
from services.delivery.surroundings import addresses_of
from services.words.messages.operations import word_test


class Tested(NamedTuple):
    """The result of a test: the address (empty: the receiver has one), the outcome of the try, and the answer."""

    address: str
    outcome: str
    answer: str


def send_test(receiver: Receiver, channel: Channel, now: datetime) -> Iterator[Tested]:
    """Send a test to each address of *receiver*, and yield each result as it comes; close the channel at the end."""
    text, notice_id = word_test(receiver.name, receiver.language), str(uuid4())
    with closing(channel):
        for address in addresses_of(receiver):
            message = Message(receiver.name, address, "test", notice_id, 0, now, None, (), text)
            attempt = channel.send(message._replace(stored=channel.compose(message)))
            yield Tested(address, attempt.outcome, attempt.answer)
