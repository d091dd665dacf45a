"""Logs: one JSON object a line on stdout, from this code and from every library alike."""

import logging
import sys
import time
from functools import lru_cache
from typing import Literal, TextIO, cast

import structlog
from structlog.contextvars import get_contextvars
from structlog.typing import Processor

from chassis.output import Output

log = structlog.get_logger()

_PLAIN = {"request_id", "trace_id", "problem"}  # what the chassis binds; handlers may bind more
_request_lines: Output | None = None  # where they go without structlog


def log_request(method: str, route: str, status: int, seconds: float, size: int | None) -> None:
    """Writes the line of a request, with what is bound to the context.

    Args:
        method: one of HTTP's.
        route: as it is written in the routes.
        status: of the answer.
        seconds: from the request's head to its answer.
        size: of the answer's body, in bytes, where it is known.
    """
    bound = get_contextvars()
    if _request_lines is None or not {"request_id"} <= bound.keys() <= _PLAIN:
        log.info("request", method=method, route=route, status=status, duration_ms=round(seconds * 1000, 2), bytes=size)
        return
    # Most lines are these, and hold nothing that JSON would have escaped: 5 µs instead of 27 through structlog.
    known = "".join([f'"{name}":"{value}",' for name, value in bound.items()])
    now = time.time()
    second = int(now)
    _request_lines.write(
        f'{{"method":"{method}","route":"{route}","status":{status},"duration_ms":{seconds * 1000:.2f},'
        f'"bytes":{"null" if size is None else size},{known}'
        f'"event":"request","level":"info","timestamp":"{_second(second)}.{int((now - second) * 1_000_000):06d}Z"}}\n'
    )


@lru_cache(2)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def configure_logs(level: str, log_format: Literal["json", "console"]) -> None:
    """Sends structlog and the standard library's logging through the same processors."""
    global _request_lines
    lines = Output()
    _request_lines = lines if log_format == "json" and level in {"DEBUG", "INFO"} else None
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
        else [structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())]
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
    logging.getLogger("alembic").setLevel(logging.WARNING)  # chassis.migrate has a line for each step
