"""delivery feed: a feed as files, for any server of files."""

from pathlib import Path
from typing import Annotated

import typer
from typing_extensions import TypedDict

from events.errors import BadInput, Infrastructure
from services.delivery.config.loading import load_delivery
from services.delivery.config.model import Feed, Receiver
from services.delivery.feeds.serving import export_feed
from services.settings import delivery_file, load_settings, variable
from services.words.terms import safe

from .app import database
from .options import JsonOption
from .output import emit, say


class ExportedJson(TypedDict):
    """The result of `delivery feed`: the pages, and the files that were written because they have changed."""

    pages: int
    written: int


def feed(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the feed in delivery.yaml.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder of the files; it is created.")],
    base_url: Annotated[
        str, typer.Option(metavar="URL", help="The address of that folder. The links are relative without it.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """
    Write a feed as files: NAME.atom and NAME.json, with the archives NAME.1.atom, NAME.2.atom and so on.

    Each entry is one alert in its latest state. Repeat the command to update the files.
    """
    if base_url and not base_url.startswith(("http://", "https://")):
        raise BadInput(f'"{safe(base_url)}" is not an address', "such as https://desk.example/feeds", "--base-url")
    receiver = _receiver(name)
    engine = database(load_settings())
    try:
        out.mkdir(parents=True, exist_ok=True)
        exported = export_feed(engine, receiver, out, base_url)
    except OSError as problem:
        raise Infrastructure(f"cannot write to {out}: {problem.strerror}", "name a folder that is writable") from None
    if as_json:
        emit(ExportedJson(pages=exported.pages, written=exported.written))
    else:
        say(f"{exported.pages} pages of {name} in {out}; files written: {exported.written}")


def _receiver(name: str) -> Receiver:
    file = delivery_file(load_settings())
    if file is None:
        raise BadInput("there is no delivery.yaml", "a file with a feed", variable("delivery"))
    receivers = load_delivery(file).receivers.values()
    feeds = {receiver.target.name: receiver for receiver in receivers if isinstance(receiver.target, Feed)}
    if name not in feeds:
        wanted = ", ".join(feeds) or "a receiver {feed: NAME}"
        raise BadInput(f'"{safe(name)}" is not the name of a feed', wanted, "NAME")
    return feeds[name]
