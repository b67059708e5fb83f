"""The channel of a feed: readers fetch its entries, so a message is delivered as soon as it is written down."""

from services.delivery.message import Attempt, Message


class FeedChannel:
    """A way to the readers of a feed."""

    def compose(self, message: Message) -> bytes | None:  # noqa: ARG002 - the protocol
        """Return nothing to store: the feed is built of the rows."""
        return None

    def send(self, message: Message) -> Attempt:  # noqa: ARG002 - the protocol
        """Count the message as delivered: the feed has it from now on."""
        return Attempt("delivered", "in the feed", sent_whole=True, takes_place=True)

    def close(self) -> None:
        """Do nothing: there is no connection."""
