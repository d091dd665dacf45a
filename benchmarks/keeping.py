"""Collects results in a file, and tells the progress."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.results import Results
from harness.console import say


class Keep:
    """Collects results, and prints the progress of the run.

    Args:
        results: the results to add to.
        file: the file that the results are saved in.
    """

    def __init__(self, results: Results, file: Path) -> None:
        self.results = results
        self._file = file

    def describe(self, **what: str) -> None:
        """Add to the description of the machine in the results."""
        self.results = replace(self.results, machine={**self.results.machine, **what})

    def save(self) -> None:
        """Write the results so far."""
        self.results.save(self._file)

    def rounds(self, what: str, wanted: int, most: int = 0) -> Iterator[int]:
        """Count rounds from 1. Save the results after each, and tell how much time is left.

        Args:
            wanted: rounds that the time is told for.
            most: rounds in all, if some may have to be repeated.
        """
        begun = time.monotonic()
        for number in range(1, max(wanted, most) + 1):
            yield number
            self.save()  # an interrupted run loses at most one round
            if number < wanted:
                left = (time.monotonic() - begun) / number * (wanted - number) / 60
                say(f"{what}: {number} of {wanted} rounds are done, about {left:.0f} min left")


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
