"""Rounds that are thrown away are repeated, up to a bound, and no others. The bench is made up: it tells when it was
noisy."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import judge
from benchmarks.keeping import Keep
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


def rounds(noisy: set[int], folder: Path, *, everywhere: bool = False) -> tuple[Results, dict[str, int]]:
    """Measure GET and POST, and return how many rounds each took."""
    control, service = (SimpleNamespace(subject=SimpleNamespace(name=name)) for name in (judge.CONTROL, "service"))
    plans = [Plan("matrix", each, Load(4, 1, 0), [service]) for each in ("get", "post")]  # type: ignore[list-item]
    keep = Keep(Results({}, False, {}, {}), folder / "results.json")
    asyncio.run(measure(OPTIONS, NoisyBench(noisy, everywhere), keep, control, plans))  # type: ignore[arg-type]
    cells = judge.cells(keep.results).items()
    return keep.results, {str(cell.operation): len({each.round for each in of}) for cell, of in cells}


def test_without_noise_each_cell_is_measured_as_often_as_wanted(tmp_path: Path) -> None:
    assert rounds(set(), tmp_path)[1] == {"get": OPTIONS.rounds, "post": OPTIONS.rounds}


def test_a_round_that_is_thrown_away_is_repeated_for_its_cell_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, found = rounds({2, 10}, tmp_path)
    assert found == {"get": OPTIONS.rounds + 2, "post": OPTIONS.rounds}
    assert "matrix, round 2: get, 4 connections is thrown away: steal 10.0 %\n" in capsys.readouterr().out


def test_repeating_ends(tmp_path: Path) -> None:
    results, found = rounds({*range(1, 100)}, tmp_path)
    assert found == {"get": OPTIONS.most_rounds, "post": OPTIONS.rounds}
    [why] = judge.refusals(results)
    assert "0 of 12 rounds were good" in why


def test_an_experiment_without_a_good_round_is_not_measured_to_its_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, found = rounds({*range(1, 100)}, tmp_path, everywhere=True)
    assert found == {"get": 3, "post": 3}
    assert capsys.readouterr().out.endswith("matrix: no round of 3 was good, so it is not measured further.\n")


def test_progress_tells_the_time_that_is_left_and_each_round_is_saved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results, _ = rounds(set(), tmp_path)
    told = [line for line in capsys.readouterr().out.splitlines() if line.endswith("left")]
    assert told[0] == f"matrix: 1 of {OPTIONS.rounds} rounds are done, about 0 min left"
    assert len(told) == OPTIONS.rounds - 1
    assert Results.load(tmp_path / "results.json") == results
