"""Logs as events with fields, on stderr: stdout belongs to what a command was asked for."""

import logging
import sys

import structlog
from structlog.typing import Processor

from .settings import Settings


def configure(chosen: Settings) -> None:
    """Log from now on as CASETRAIL_LOG_LEVEL and CASETRAIL_LOG_FORMAT say."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *_rendering(chosen.log_format),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[chosen.log_level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _rendering(log_format: str) -> list[Processor]:
    for_people = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    if for_people:
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    return [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
