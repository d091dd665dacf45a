"""Collects results in a file, and shows a progress bar with the remaining time."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from benchmarks.results import Footprint, Results, Sample

_TICK_SECONDS = 1.0  # infrequent, because the harness shares its cores with the load
_TRUSTED_SECONDS = 20  # after this time the pace so far is a better estimate than the plan


class Keep:
    """Collects results, and shows the progress of the run.

    Args:
        results: the results to add to.
        file: the file that `save` writes.
        planned_seconds: planned duration of all steps.
    """

    def __init__(self, results: Results, file: Path, planned_seconds: float) -> None:
        self.results = results
        self._file = file
        self._planned, self._done = planned_seconds, 0.0
        self._begun = time.monotonic()
        self._console = Console()
        self._progress = Progress(
            BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[left]}"), TextColumn("{task.description}"),
            console=self._console, refresh_per_second=1,
        )  # fmt: skip
        self._task = self._progress.add_task("", total=planned_seconds, left="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def add(self, result: Sample | Footprint) -> None:
        """Add a result."""
        if isinstance(result, Sample):
            self.results.samples.append(result)
        else:
            self.results.footprints.append(result)

    def save(self) -> None:
        """Write the results so far, so that an interrupted run loses at most one round."""
        self.results.save(self._file)

    def describe(self, **what: str) -> None:
        """Add to the description of the machine in the results."""
        self.results = replace(self.results, machine={**self.results.machine, **what})

    def say(self, text: str) -> None:
        """Write a line above the progress bar."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def plan(self, more_seconds: float) -> None:
        """Change the planned duration; a negative number shortens it."""
        self._planned += more_seconds

    @asynccontextmanager
    async def step(self, text: str, seconds: float) -> AsyncIterator[None]:
        """Show the step that runs, and advance the bar during the block, by the planned duration at most."""
        if not self._console.is_terminal:
            self.say(f"{self._left(0)} left: {text}")
        moving = asyncio.create_task(self._move(text, seconds))
        try:
            yield
        finally:
            moving.cancel()
            self._done += seconds
            self._show(text, 0)

    async def _move(self, text: str, seconds: float) -> None:
        begun = time.monotonic()
        while True:
            self._show(text, min(time.monotonic() - begun, seconds))
            await asyncio.sleep(_TICK_SECONDS)

    def _show(self, text: str, within: float) -> None:
        done = self._done + within
        left = f"{self._left(within)} left"
        self._progress.update(self._task, description=text, total=self._planned, completed=done, left=left)

    def _left(self, within: float) -> str:
        done = self._done + within
        pace = (time.monotonic() - self._begun) / done if done > _TRUSTED_SECONDS else 1
        minutes, seconds = divmod(round(max(0, self._planned - done) * pace), 60)
        return f"{minutes}:{seconds:02}"


def continued(fresh: Results, file: Path) -> Results:
    """Return the new results, together with the results in the file of the other experiments.

    If the scale, the processor or the version of a program differs, the file is renamed and its results are not used.
    """
    if not file.exists():
        return fresh
    earlier = Results.load(file)
    if _comparable(earlier) != _comparable(fresh):
        file.rename(file.with_name(f"{file.stem}-{file.stat().st_mtime:.0f}{file.suffix}"))
        return fresh
    return replace(
        fresh,
        taken={**earlier.taken, **fresh.taken},
        machine={**earlier.machine, **fresh.machine},
        samples=[each for each in earlier.samples if each.experiment not in fresh.taken],
        footprints=[] if "matrix" in fresh.taken else earlier.footprints,
    )


def _comparable(results: Results) -> tuple[object, ...]:
    return results.quick, results.limits, results.versions, results.machine.get("processor")
