"""The texts of one language, by structured keys, from `LANGUAGE.yaml` in this folder."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from events.errors import BadInput
from projections.rules.files.yaml_source import read

ORIGINAL: Final = "en"
"""The language with which the keys and placeholders of the others are compared."""

_PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")
_SUFFIX: Final = ".yaml"


class Messages(NamedTuple):
    """
    The texts of one language.

    Attributes:
        language: its code.
        texts: each text by its key, such as `title.open`, with placeholders such as `{name}`.
    """

    language: str
    texts: Mapping[str, str]

    def say(self, key: str, **values: object) -> str:
        """
        Return the text of *key* with *values* for its placeholders.

        The values are put in once: a value with braces stays as it is.

        Raises:
            KeyError: if there is no such text, or a placeholder of it has no value.
        """
        return _PLACEHOLDER.sub(lambda match: str(values[match[1]]), self.texts[key])

    def has(self, key: str) -> bool:
        """Return whether there is a text of *key*."""
        return key in self.texts


def languages() -> list[str]:
    """Return the code of each language that has a file."""
    names = (entry.name for entry in files(__package__).iterdir())
    return sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))


@cache
def load(language: str) -> Messages:
    """
    Return the texts of *language*.

    Raises:
        BadInput: if it has no file, or the file is not a mapping of texts.
    """
    if language not in languages():
        raise BadInput(f'"{language}" has no texts', f"one of {', '.join(languages())}")
    name = f"{language}{_SUFFIX}"
    return parsed(language, files(__package__).joinpath(name).read_bytes())


def parsed(language: str, content: bytes) -> Messages:
    """
    Return the texts in the *content* of the file of *language*.

    Raises:
        BadInput: if it is not a mapping of texts.
    """
    source = read(f"{language}{_SUFFIX}", content)
    if source.problems:
        first = min(source.problems)
        raise BadInput(f"{first.file}:{first.line}:{first.column}: {first.what}", first.wanted)
    texts: dict[str, str] = {}
    for key, value in _flat(source.data, ""):
        if not isinstance(value, str) or not value.strip():
            raise BadInput(f"{source.file}: {key or 'the file'} is not a text", "a text in quotes for each key")
        texts[key] = value
    return Messages(language, texts)


def problems(messages: Messages, original: Messages) -> list[str]:
    """Return each difference between the keys and placeholders of *messages* and those of *original*."""
    own, wanted = messages.texts, original.texts
    missing = [f"{messages.language}: {key} is missing" for key in wanted.keys() - own.keys()]
    unknown = [f"{messages.language}: {key} is not in {original.language}" for key in own.keys() - wanted.keys()]
    differing = [
        f"{messages.language}: {key} has the placeholders {_placeholders(own[key])} (want {_placeholders(wanted[key])})"
        for key in own.keys() & wanted.keys()
        if _placeholders(own[key]) != _placeholders(wanted[key])
    ]
    return sorted([*missing, *unknown, *differing])


def _placeholders(text: str) -> list[str]:
    return sorted(_PLACEHOLDER.findall(text))


def _flat(value: Any, key: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - any YAML value
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else name)
    else:
        yield key, value
