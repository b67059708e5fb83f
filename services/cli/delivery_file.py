"""The configured delivery.yaml, and the receivers that commands name."""

from pathlib import Path
from typing import Annotated

import typer

from events.errors import BadInput
from services.delivery.config.model import DeliveryConfig, Receiver
from services.settings import delivery_file, load_settings, variable
from services.words.terms import safe

Name = Annotated[str, typer.Argument(metavar="RECEIVER", help="Its name in delivery.yaml.")]


def configured_file(file: Path | None = None) -> Path:
    """
    Return *file*; if it is None, the file that is configured.

    Raises:
        BadInput: if there is none.
    """
    found = file or delivery_file(load_settings())
    if found is None:
        raise BadInput("there is no delivery.yaml", "a file with receivers and routes", variable("delivery"))
    return found


def known_receiver(config: DeliveryConfig, name: str, place: str = "RECEIVER") -> Receiver:
    """
    Return the receiver *name*.

    Raises:
        BadInput: if the file has no such receiver; the error names the *place* of the word.
    """
    if name not in config.receivers:
        raise BadInput(
            f'"{safe(name)}" is not a receiver', ", ".join(config.receivers) or "one in delivery.yaml", place
        )
    return config.receivers[name]
