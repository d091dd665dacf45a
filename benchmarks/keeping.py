"""Collects results in a file, and tells the progress and the remaining time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.results import Footprint, Results, Sample

_TRUSTED_SECONDS = 60  # after this time the pace so far is a better estimate than the plan


class Keep:
    """Collects results, and prints the progress of the run.

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
        """Print a line at once."""
        print(text, flush=True)

    def plan(self, more_seconds: float) -> None:
        """Change the planned duration; a negative number shortens it."""
        self._planned += more_seconds

    @contextmanager
    def step(self, text: str, seconds: float) -> Iterator[None]:
        """Tell what runs in the block, how long it was planned to take, and how much time is left."""
        pace = (time.monotonic() - self._begun) / self._done if self._done > _TRUSTED_SECONDS else 1
        minutes, rest = divmod(round(max(0, self._planned - self._done) * pace), 60)
        self.say(f"{minutes}:{rest:02} left: {text}")
        try:
            yield
        finally:
            self._done += seconds


def continued(fresh: Results, file: Path) -> Results:
    """Return the new results, together with the results in the file of the other experiments.

    If the processor, its cores or the version of a program differ, the file is renamed and its results are not used.
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
    return results.quick, results.versions, *(results.machine.get(each) for each in ("processor", "cores"))
