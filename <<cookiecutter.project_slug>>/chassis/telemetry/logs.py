"""Logs: one JSON object a line on stdout, from this code and from every library alike."""

import logging
import sys
from typing import Literal, TextIO, cast

import structlog
from structlog.typing import Processor

from chassis.telemetry.stdout import NonBlockingStdout

json_lines: NonBlockingStdout | None = None
"""Output for lines that are JSON already, without structlog; None if the format or the level does not allow them."""


def configure_logs(level: str, log_format: Literal["json", "console"]) -> None:
    """Send structlog and the standard library's logging through the same processors to stdout.

    Args:
        level: the lowest level that is written, such as `INFO`.
        log_format: `json` for machines, `console` for people.
    """
    global json_lines
    lines = NonBlockingStdout()
    json_lines = lines if log_format == "json" and level in {"DEBUG", "INFO"} else None
    output = cast(TextIO, lines)
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    rendering: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if log_format == "json"
        # Where the library rich is installed, the default takes long, and prints hundreds of lines with all locals.
        else [
            structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    )
    structlog.configure(
        processors=[*common, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(output),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*common, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # chassis.migrations.run logs each step itself
