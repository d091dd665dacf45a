"""A service with commands: `python -m tests.chassis.commands NAME`."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import structlog
from aiohttp import ClientSession
from pydantic import Field

from chassis.command_line import main
from chassis.database import Database
from chassis.errors import NotFoundError
from chassis.service import Service
from chassis.settings import Settings

log = structlog.get_logger()


class Colour(Enum):
    """A choice whose values are not its names."""

    RED = "red"
    BLUE = 2


def show(**values: Any) -> None:
    """Write values to stdout, one JSON object."""
    sys.stdout.write(json.dumps(values, default=str) + "\n")
    sys.stdout.flush()


async def every_kind(
    number: int,
    colour: Colour,
    paths: list[Path],
    settings: Settings,
    *,
    size: Literal[1, 2] = 1,
    rate: Annotated[Decimal, Field(gt=0, lt=100)] = Decimal("1.5"),
    since: date | None = None,
    ids: Sequence[UUID] = (),
    command: str = "100 %",
    dry_run: bool = False,
    check: bool = True,
) -> None:
    """Show what it is given; 100 % of it.

    More about it.

    Args:
        number: how many, at least
            one.
        rate: in %, below 100.
        settings: of the service.
    """
    assert settings.database_pool_size
    show(
        number=number,
        colour=colour.name,
        paths=paths,
        size=size,
        rate=rate,
        since=since,
        ids=ids,
        command=command,
        dry_run=dry_run,
        check=check,
    )


async def count(database: Database, client: ClientSession) -> None:
    """Ask the database."""
    rows = await database.fetch("SELECT 1 AS number UNION ALL SELECT 2")
    show(numbers=[row["number"] for row in rows], client=client.closed)


async def end(status: int) -> int:
    """Return a status."""
    return status


async def leave(status: str) -> None:
    """End as a script does."""
    sys.exit(int(status) if status.isdecimal() else status)


async def refuse() -> None:
    """Raise an error with a message for people."""
    raise NotFoundError("There is no price list.")


async def fail() -> None:
    """Raise an error that nobody expects."""
    raise RuntimeError("a bug")


async def work(
    seconds: float, database: Database, *, on_cancel: Literal["end", "fail", "ignore", "block"] = "end"
) -> None:
    """Work for some time, in a transaction."""
    try:
        async with database.transaction() as connection:
            await connection.execute("CREATE TEMPORARY TABLE numbers (number int) ON COMMIT DROP")
            log.info("working")
            await asyncio.sleep(seconds)
            log.info("worked")
    except asyncio.CancelledError:
        log.info("cancelled")
        if on_cancel == "fail":
            raise RuntimeError("a bug in the cleaning up") from None
        if on_cancel == "block":
            await asyncio.sleep(0)
            time.sleep(3600)  # noqa: ASYNC251
        while on_cancel == "ignore":
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)
        raise


async def work_in_a_thread() -> None:
    """Work where nothing can be cancelled."""
    log.info("working")
    await asyncio.to_thread(time.sleep, 3600)


async def interrupt_itself(*, returns: int = 0) -> int:
    """Get a SIGTERM, and end by itself."""
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0.05)
    return returns


SERVICE = Service(
    settings=Settings,
    routes=(),
    commands=[every_kind, count, end, leave, refuse, fail, work, work_in_a_thread, interrupt_itself],
)

if __name__ == "__main__":
    main(SERVICE)
