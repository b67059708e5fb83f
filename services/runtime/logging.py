"""Logs as events with fields, on stderr: stdout belongs to what a command was asked for."""

import logging
import sys
import time

import structlog
from structlog.typing import Processor

from services.settings import Settings

OURS = "casetrail"
AGAIN_SECONDS = 60.0
MESSAGES = 1000

_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

# Without any handler Python would print what a library says over whatever a command prints.
logging.getLogger().addHandler(logging.NullHandler())


def configure(settings: Settings) -> None:
    """Log what concerns whoever waits for a command: warnings, and all that we have to say at ``debug``."""
    _configure(settings, logging.DEBUG if settings.log_level == "debug" else logging.WARNING)


def configure_service(settings: Settings) -> None:
    """
    Log as CASETRAIL_LOG_LEVEL and CASETRAIL_LOG_FORMAT say, and the libraries in the same form.

    Of those their warnings, and more of Kafka at ``debug``; what one of them says again and again once a minute.
    """
    _configure(settings, logging.getLevelNamesMapping()[settings.log_level.upper()])
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    handler = _handler(settings)
    handler.addFilter(Seldom())
    root.handlers = [handler]
    # Below a warning they tell of statements and records with all that is in them, names too; Kafka below `info`.
    root.setLevel(logging.WARNING)
    logging.getLogger("kafka").setLevel(logging.INFO if settings.log_level == "debug" else logging.WARNING)


def _configure(settings: Settings, level: int) -> None:
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_ours,
    )
    ours = logging.getLogger(OURS)
    ours.setLevel(level)
    ours.propagate = False
    ours.handlers = [_handler(settings)]


class Seldom(logging.Filter):
    """Lets a message through at most once a minute: a client says ten times a second that a broker is away."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it was not said within the last minute, whatever its values."""
        said, now = (record.name, str(record.msg)), time.monotonic()
        if len(self._said) > MESSAGES:
            self._said.clear()
        again = said in self._said and now - self._said[said] < AGAIN_SECONDS
        if not again:
            self._said[said] = now
        return not again


def _ours(*_: object) -> logging.Logger:
    return logging.getLogger(OURS)


def _handler(settings: Settings) -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(settings.log_format)],
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_SHARED],
        )
    )
    return handler


def _rendering(log_format: str) -> list[Processor]:
    for_people = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    # Without the local variables, which hold whom it is about, and passwords.
    if for_people:
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [structlog.processors.ExceptionRenderer(tracebacks), structlog.processors.JSONRenderer()]
