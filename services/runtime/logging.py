"""Logs as events with fields, on stderr: stdout is for the result of a command."""

import logging
import sys
import time

import structlog
from structlog.typing import Processor

from services.settings import Settings

LOGGER = "casetrail"
REPEAT_SECONDS = 60.0
MESSAGES = 1000

_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

# Without any handler, Python would print messages of libraries among the output of a command.
logging.getLogger().addHandler(logging.NullHandler())


def configure(settings: Settings) -> None:
    """Configure the log of a command that ends by itself: warnings, or all events of casetrail at ``debug``."""
    _configure(settings, logging.DEBUG if settings.log_level == "debug" else logging.WARNING)


def configure_service(settings: Settings) -> None:
    """
    Configure the log of a service by CASETRAIL_LOG_LEVEL and CASETRAIL_LOG_FORMAT.

    Libraries log in the same form: their warnings, and more of Kafka at ``debug``. A message that a library repeats is
    logged once a minute.
    """
    _configure(settings, logging.getLevelNamesMapping()[settings.log_level.upper()])
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    handler = _handler(settings)
    handler.addFilter(RepeatFilter())
    root.handlers = [handler]
    # Below `warning`, libraries log whole statements and records, names of persons included; Kafka does below `info`.
    root.setLevel(logging.WARNING)
    logging.getLogger("kafka").setLevel(logging.INFO if settings.log_level == "debug" else logging.WARNING)


def _configure(settings: Settings, level: int) -> None:
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_logger,
    )
    logger = logging.getLogger(LOGGER)
    logger.setLevel(level)
    logger.propagate = False
    logger.handlers = [_handler(settings)]


class RepeatFilter(logging.Filter):
    """Passes a message at most once a minute: Kafka's client reports ten times a second that a broker is away."""

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the message, without its values, was not passed within the last minute."""
        message, now = (record.name, str(record.msg)), time.monotonic()
        if len(self._passed) > MESSAGES:
            self._passed.clear()
        is_repeated = message in self._passed and now - self._passed[message] < REPEAT_SECONDS
        if not is_repeated:
            self._passed[message] = now
        return not is_repeated


def _logger(*_: object) -> logging.Logger:
    return logging.getLogger(LOGGER)


def _handler(settings: Settings) -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(settings.log_format)],
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_SHARED],
        )
    )
    return handler


def _renderers(log_format: str) -> list[Processor]:
    is_for_people = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    # Without the local variables: they hold names of persons, and passwords.
    if is_for_people:
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [structlog.processors.ExceptionRenderer(tracebacks), structlog.processors.JSONRenderer()]
