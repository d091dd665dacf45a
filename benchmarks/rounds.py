"""Measures cells in interleaved rounds, each beside the control, until enough rounds are good."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from benchmarks import judge
from benchmarks.keeping import Keep
from benchmarks.load import Load
from benchmarks.options import Options
from benchmarks.results import Experiment, Operation, Sample
from benchmarks.subjects import Running

if TYPE_CHECKING:  # tests of the rounds have no database
    from benchmarks.bench import Bench

Extra: TypeAlias = Callable[[int], Awaitable[Sample]]
T = TypeVar("T")

_HOPELESS: Final = 3  # rounds without a good one, after which no more are tried
OVERHEAD_SECONDS: Final = 0.35
"""Of a load, beyond its own seconds: restoring the rows and starting the generator."""
_TURN_OVERHEAD_SECONDS: Final = 0.02


@dataclass(frozen=True)
class Plan:
    """A cell of an experiment: the subjects that take an operation in turn.

    Attributes:
        extra: measures what is its own load, given the number of the round.
    """

    experiment: Experiment
    operation: Operation
    load: Load
    subjects: Sequence[Running]
    extra: Extra | None = None


def planned_seconds(load: Load, loads: int) -> float:
    """Return the planned duration of a round with so many loads, that of the control among them."""
    return loads * (load.warm_up + load.turns * (load.seconds + _TURN_OVERHEAD_SECONDS) + OVERHEAD_SECONDS)


async def measure(options: Options, bench: "Bench", keep: Keep, control: Running, plans: Sequence[Plan]) -> None:
    """Measure all cells once a round, and repeat those with too few good rounds, up to a bound."""
    for number in range(1, options.most_rounds + 1):
        for plan in plans:
            subjects = in_turn([control, *plan.subjects], number)
            planned = planned_seconds(plan.load, len(subjects) + bool(plan.extra))
            if number > options.rounds:
                if judge.good_rounds(_cell(keep, plan)) >= options.rounds:
                    continue
                keep.plan(planned)
            what = f"{plan.experiment}, round {number}: {plan.operation}, {plan.load.name}"
            with keep.step(what, planned):
                for sample in await bench.round(plan.experiment, subjects, plan.operation, number, plan.load):
                    keep.add(sample)
                if plan.extra:
                    keep.add(await plan.extra(number))
            if fault := judge.faults(_cell(keep, plan))[number]:
                keep.say(f"{what} is thrown away: {fault}")
        keep.save()
        if number == _HOPELESS and not any(judge.good_rounds(_cell(keep, plan)) for plan in plans):
            keep.say(f"{plans[0].experiment}: no round of {number} was good, so it is not measured further.")
            return


def _cell(keep: Keep, plan: Plan) -> list[Sample]:
    wanted = (plan.experiment, plan.operation, plan.load.name)
    return [each for each in keep.results.samples if (each.experiment, each.operation, each.load) == wanted]


def in_turn(running: Sequence[T], number: int) -> list[T]:
    """Rotate the order for each round, so that no item always follows the same other one."""
    first = number % len(running)
    return [*running[first:], *running[:first]]
