"""Rounds that are thrown away are repeated, up to a bound, and no others. The bench is made up: it tells when it was
noisy."""

import asyncio
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from benchmarks import judge
from benchmarks.load import Load
from benchmarks.options import Options
from benchmarks.results import Conditions, Results, Sample
from benchmarks.rounds import Plan, measure

OPTIONS = Options(quick=False, target="local", only=("matrix",))


@dataclass
class NoisyBench:
    """A bench on which the host takes a tenth of the time in some rounds, of GET or of all operations."""

    noisy: set[int]
    everywhere: bool

    async def round(self, experiment: Any, subjects: Any, operation: Any, number: int, _: Any) -> list[Sample]:
        steal = 0.1 if number in self.noisy and (self.everywhere or operation == "get") else 0
        return [
            Sample(
                experiment=experiment, subject=running.subject.name, operation=operation, round=number, connections=4,
                peak_share=None, rate=None, seconds=1, failures={}, cpu_seconds=1, database_cpu_seconds=1,
                memory_mib=0, histogram={100: 1000}, conditions=Conditions(steal, 0, 0.5, 0, 6),
            )
            for running in subjects
        ]  # fmt: skip


@dataclass
class Kept:
    """Keeps results like `Keep`, without a file and a progress bar."""

    results: Results = field(default_factory=lambda: Results({}, False, {}, {}))
    told: list[str] = field(default_factory=list)

    def add(self, sample: Sample) -> None:
        self.results.samples.append(sample)

    def step(self, *_: Any) -> AbstractContextManager[None]:
        return nullcontext()

    def say(self, text: str) -> None:
        self.told.append(text)

    def plan(self, _: float) -> None: ...

    def save(self) -> None: ...


def rounds(noisy: set[int], *, everywhere: bool = False) -> tuple[Kept, dict[str, int]]:
    """Measure GET and POST, and return how many rounds each took."""
    control, service = (SimpleNamespace(subject=SimpleNamespace(name=name)) for name in (judge.CONTROL, "service"))
    plans = [Plan("matrix", each, Load(4, 1, 0), [service]) for each in ("get", "post")]  # type: ignore[list-item]
    keep = Kept()
    asyncio.run(measure(OPTIONS, NoisyBench(noisy, everywhere), keep, control, plans))  # type: ignore[arg-type]
    cells = judge.cells(keep.results).items()
    return keep, {str(cell.operation): len({each.round for each in of}) for cell, of in cells}


def test_without_noise_each_cell_is_measured_as_often_as_wanted() -> None:
    assert rounds(set())[1] == {"get": OPTIONS.rounds, "post": OPTIONS.rounds}


def test_a_round_that_is_thrown_away_is_repeated_for_its_cell_only() -> None:
    keep, found = rounds({2, 10})
    assert found == {"get": OPTIONS.rounds + 2, "post": OPTIONS.rounds}
    assert keep.told[0] == "matrix, round 2: get, 4 connections is thrown away: steal 10.0 %"


def test_repeating_ends() -> None:
    keep, found = rounds({*range(1, 100)})
    assert found == {"get": OPTIONS.most_rounds, "post": OPTIONS.rounds}
    [why] = judge.refusals(keep.results)
    assert "0 of 12 rounds were good" in why


def test_an_experiment_without_a_good_round_is_not_measured_to_its_end() -> None:
    keep, found = rounds({*range(1, 100)}, everywhere=True)
    assert found == {"get": 3, "post": 3}
    assert keep.told[-1] == "matrix: no round of 3 was good, so it is not measured further."
