"""Judges the machine before its figures are believed.

In each round the control, `floor-static`, takes the same load as its subjects. It has no database and always answers
the same, so what changes its figures is the machine. A round whose control is off, or during which the machine was
used by others, is thrown away as a whole. Less than that affects all subjects of a round alike, because they take short
turns, and is allowed for by comparing them within rounds.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from statistics import median
from typing import Final, NamedTuple

from benchmarks.results import Experiment, Operation, Results, Sample, quantile
from benchmarks.statistics import percent

CONTROL: Final = "floor-static"
STEAL: Final = 0.03
OTHERS: Final = 0.15
LATE_MS: Final = 3.0
CPU: Final = 1.25
P50: Final = 1.5
P99: Final = 2.0
LEAST: Final = 6
"""Good rounds of a cell. With fewer, the extremes of the rounds enclose the median less often than in 95 % of cases."""


class Cell(NamedTuple):
    """An operation under one load."""

    experiment: Experiment
    operation: Operation
    load: str


def cells(results: Results) -> dict[Cell, list[Sample]]:
    """Return the samples of each cell."""
    found = defaultdict[Cell, list[Sample]](list)
    for each in results.samples:
        found[_cell(each)].append(each)
    return dict(found)


def _cell(sample: Sample) -> Cell:
    return Cell(sample.experiment, sample.operation, sample.load)


def faults(samples: Collection[Sample]) -> dict[int, str]:
    """Return why each round of a cell has to be thrown away, by its number; empty for a good round.

    Rounds without conditions, as on a cluster, are not judged.
    """
    rounds = defaultdict[int, list[Sample]](list)
    for each in samples:
        rounds[each.round].append(each)
    controls = [each for each in samples if each.subject == CONTROL and each.conditions and each.histogram]
    return {number: "; ".join(_faults(of, controls)) for number, of in rounds.items()}


def good_rounds(samples: Collection[Sample]) -> int:
    """Return the number of good rounds of a cell."""
    return sum(not fault for fault in faults(samples).values())


def good(results: Results) -> Results:
    """Return the results without the rounds that have to be thrown away."""
    told = {cell: faults(of) for cell, of in cells(results).items()}
    return replace(results, samples=[each for each in results.samples if not told[_cell(each)][each.round]])


def refusals(results: Results) -> list[str]:
    """Return why the results cannot be published: the cells with too few good rounds."""
    found = []
    for cell, samples in cells(results).items():
        told = [*faults(samples).values()]
        bad = sorted(filter(None, told))
        if len(told) - len(bad) < LEAST and any(each.conditions for each in samples):
            were = f"{len(told) - len(bad)} of {len(told)} rounds were good, {LEAST} are needed"
            found.append(f"{cell.experiment}, {cell.operation}, {cell.load}: {were}. {'; '.join(bad)}".strip())
    return found


def _faults(of: Sequence[Sample], controls: Sequence[Sample]) -> list[str]:
    judged = [each.conditions for each in of if each.conditions]
    if not judged:
        return []
    control = next((each for each in of if each in controls), None)
    if control is None or control.conditions is None:
        return ["no control"]
    found = []
    if (steal := max(each.steal for each in judged)) > STEAL:
        found.append(f"steal {percent(steal, 1)}")
    if (others := max(each.others for each in judged)) > OTHERS:
        found.append(f"others used {percent(others)} of the servers' cores")
    if control.conditions.late_ms > LATE_MS:
        found.append(f"the generator was {control.conditions.late_ms:.1f} ms late")
    for what, most, least, own, usual in (
        ("CPU", CPU, 1 / CPU, control.cpu_us, median(each.cpu_us for each in controls)),
        ("p50", P50, 1 / P50, *_quantiles(control, controls, 0.5)),
        ("p99", P99, 0, *_quantiles(control, controls, 0.99)),
    ):
        if not least * usual <= own <= most * usual:
            found.append(f"the control's {what} was {own / usual:.2f} times its median")
    return found


def _quantiles(control: Sample, controls: Sequence[Sample], share: float) -> tuple[float, float]:
    return quantile(control.histogram, share), median(quantile(each.histogram, share) for each in controls)
