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
from harness.console import say

if TYPE_CHECKING:  # tests of the rounds have no database
    from benchmarks.bench import Bench

Extra: TypeAlias = Callable[[int], Awaitable[Sample]]
T = TypeVar("T")

_HOPELESS: Final = 3  # rounds without a good one, after which no more are tried


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


async def measure(options: Options, bench: "Bench", keep: Keep, control: Running, plans: Sequence[Plan]) -> None:
    """Measure all cells once a round, and repeat those with too few good rounds, up to a bound."""
    experiment = plans[0].experiment
    for number in keep.rounds(experiment, options.rounds, options.most_rounds):
        for plan in plans:
            if number > options.rounds and judge.good_rounds(_cell(keep, plan)) >= options.rounds:
                continue
            what = f"{experiment}, round {number}: {plan.operation}, {plan.load.name}"
            say(what)
            subjects = in_turn([control, *plan.subjects], number)
            keep.results.samples.extend(await bench.round(experiment, subjects, plan.operation, number, plan.load))
            if plan.extra:
                keep.results.samples.append(await plan.extra(number))
            if fault := judge.faults(_cell(keep, plan))[number]:
                say(f"{what} is thrown away: {fault}")
        if number == _HOPELESS and not any(judge.good_rounds(_cell(keep, plan)) for plan in plans):
            say(f"{experiment}: no round of {number} was good, so it is not measured further.")
            return


def _cell(keep: Keep, plan: Plan) -> list[Sample]:
    wanted = (plan.experiment, plan.operation, plan.load.name)
    return [each for each in keep.results.samples if (each.experiment, each.operation, each.load) == wanted]


def in_turn(running: Sequence[T], number: int) -> list[T]:
    """Rotate the order for each round, so that no item always follows the same other one."""
    first = number % len(running)
    return [*running[first:], *running[:first]]
