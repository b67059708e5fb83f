"""
Secrets by their names: the variable CASETRAIL_SECRET_NAME, or the file that CASETRAIL_SECRET_NAME_FILE names.

No value is ever part of an error or of a repr, nor is the path of a file: somebody may have put a secret in its place.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic_settings import DotEnvSettingsSource

from events.errors import BadInput
from services.settings import Settings

PREFIX: Final = "CASETRAIL_SECRET_"
FILE_SUFFIX: Final = "_FILE"
_NAME: Final = re.compile(rf"(?!\w*{FILE_SUFFIX}\Z)[A-Z][A-Z0-9_]{{0,59}}", re.ASCII)
_LARGEST_BYTES: Final = 65_536


def is_secret_name(text: str) -> bool:
    """Return whether *text* can name a secret. A name in `_FILE` would be that of a file with another secret."""
    return bool(_NAME.fullmatch(text))


class Secrets:
    """
    The secrets of an installation.

    Args:
        variables: variables and their values; the case of their names is ignored. The default is the environment, and
            behind it the file `.env` of the working directory.
    """

    def __init__(self, variables: Mapping[str, str | None] | None = None) -> None:
        if variables is None:
            # The names of `.env` are in small letters here.
            environment = {name.lower(): value for name, value in os.environ.items()}
            variables = {**DotEnvSettingsSource(Settings).env_vars, **environment}
        self._variables = {key.upper(): value for key, value in variables.items() if key.upper().startswith(PREFIX)}

    def __repr__(self) -> str:
        return "Secrets()"

    def values(self, name: str) -> tuple[str, ...]:
        """
        Return the values of the secret *name*: one, or several while it is rotated. Blanks stand between them.

        A file is read at each call.

        Raises:
            BadInput: if it has no value, both variables are set, or its file cannot be read.
        """
        variable, file_variable = PREFIX + name, PREFIX + name + FILE_SUFFIX
        text, file = self._variables.get(variable), self._variables.get(file_variable)
        if text and file:
            raise BadInput(f"{file_variable} is set too", "one of the two", variable)
        if not text and not file:
            raise BadInput("not set", f"the secret, or {file_variable} with the path of a file that holds it", variable)
        values = tuple((text or _content(file_variable, Path(file or ""))).split())
        if not values:
            raise BadInput("only blanks are here", "the secret", file_variable if file else variable)
        return values


def _content(variable: str, file: Path) -> str:
    """Return the text of *file*, which *variable* names."""
    text = problem = ""
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST_BYTES + 1)
        problem = "the file is over 64 kB" if len(content) > _LARGEST_BYTES else ""
        text = content.decode()
    except UnicodeDecodeError:
        problem = "the file is not UTF-8"
    except OSError as error:
        problem = f"the file is not readable: {error.strerror}"
    except ValueError:
        problem = "this is not a path"
    if problem:
        # Raised out here, so that the error has no context with the path or the content in it.
        raise BadInput(problem, "the path of a file with the secret", variable)
    return text
