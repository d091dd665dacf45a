"""Runs experiments one after the other, and reports their results."""

import asyncio
import re
import shutil
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from harness.console import say
from harness.report import FIGURES, Report
from harness.repository import REPOSITORY
from harness.row import Row

_STATUS_SECONDS = 5
_FOLDERS = re.compile(r"(?<![\w:/])(/[\w.+-]+)+/")  # paths of this machine, which are removed from the results


@dataclass(kw_only=True)
class Place:
    """The environment of an experiment.

    Attributes:
        logs: a folder for the output of its processes.
        quick: whether the experiment is scaled down, to test the harness.
        status: the progress, which is printed periodically.
        started: resources that are released at the end of the experiment.
    """

    logs: Path
    quick: bool
    status: str = "starting"
    started: AsyncExitStack = field(default_factory=AsyncExitStack)

    def count(self, full: int, quick: int) -> int:
        """Return the number for a full or for a quick run."""
        return quick if self.quick else full


P = TypeVar("P", bound=Place)


def chosen(scenarios: Mapping[str, object], beginnings: list[str]) -> list[str]:
    """Return the names that start with one of the beginnings; without beginnings, all names.

    Raises:
        SystemExit: no name matches.
    """
    names = [name for name in scenarios if name.startswith(tuple(beginnings) or "")]
    if not names:
        sys.exit(f"There is no such experiment; there are {', '.join(scenarios)}.")
    return names


async def run(
    scenarios: Mapping[str, Callable[[P], Awaitable[Row]]],
    names: list[str],
    place: Callable[[str], P],
    report: Report,
) -> int:
    """Run the chosen experiments, each in a new environment. Return 1 if a promise did not hold."""
    broken = False
    for name in names:
        begun = time.monotonic()
        here = place(name)
        shutil.rmtree(here.logs, ignore_errors=True)
        here.logs.mkdir(parents=True)
        row = await _run(name, scenarios[name], here)
        say(f"{name}: {row.verdict} ({time.monotonic() - begun:.0f} s)\n  {_figures(row)}")
        report.add(name, row, time.monotonic() - begun, scenarios)
        broken |= bool(row.broken)
    say(f"{report.page.relative_to(REPOSITORY)} is written.")
    return int(broken)


async def _run(name: str, scenario: Callable[[P], Awaitable[Row]], place: P) -> Row:
    """Run an experiment, print its progress periodically, and release its resources."""
    begun = time.monotonic()

    async def tell() -> None:
        while True:
            say(f"{name}: {time.monotonic() - begun:.0f} s, {place.status}")
            await asyncio.sleep(_STATUS_SECONDS)

    telling = asyncio.create_task(tell())
    try:
        async with place.started:
            return await scenario(place)
    except Exception as error:  # the other experiments still run
        (place.logs / "traceback.log").write_text(traceback.format_exc())
        reason = _FOLDERS.sub("…/", f"{type(error).__name__}: {error}")
        return Row(name, broken=[f"the experiment broke off: {reason}"])
    finally:
        telling.cancel()


def _figures(row: Row) -> str:
    names = ("requests", "failures", "recovery time", "writes lost", "writes doubled")
    found = [(name, FIGURES[name](row)) for name in names]
    return "; ".join([*(f"{name} {value}" for name, value in found if value is not None), row.measured])
