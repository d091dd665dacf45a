"""A machine is judged before its figures are believed: made-up rounds, and which of them are thrown away."""

from dataclasses import replace

import pytest

from benchmarks import judge
from benchmarks.judge import CONTROL, LEAST
from benchmarks.results import Conditions, Operation, Results, Sample, Taken

QUIET = Conditions(steal=0, others=0.02, load_core=0.5, late_ms=0.1, generator_us=6)
ROUNDS = 7


def sample(subject: str, number: int, operation: Operation = "get") -> Sample:
    return Sample(
        experiment="matrix", subject=subject, operation=operation, round=number, connections=64, peak_share=None,
        rate=500, seconds=1, failures={}, cpu_seconds=0.02, database_cpu_seconds=0.01, memory_mib=0,
        histogram={500: 990, 900: 10}, conditions=QUIET,
    )  # fmt: skip


def run(round_of_change: int = 3, subject: str = CONTROL, **change: object) -> Results:
    """Return seven quiet rounds of a control and a service, with one sample changed."""
    samples = [sample(each, number) for number in range(1, ROUNDS + 1) for each in (CONTROL, "service")]
    changed = [
        replace(each, **change)  # type: ignore[arg-type]
        if (each.round, each.subject) == (round_of_change, subject)
        else each
        for each in samples
    ]
    return Results({"matrix": Taken("2026-01-01T00:00:00Z", "abc")}, False, {}, {}, [], changed)


def faults(results: Results) -> dict[int, str]:
    [cell] = judge.cells(results).values()
    return {number: fault for number, fault in judge.faults(cell).items() if fault}


def test_quiet_rounds_are_good() -> None:
    assert faults(run()) == {}
    assert judge.good(run()) == run()
    assert judge.refusals(run()) == []


@pytest.mark.parametrize(
    ("subject", "change", "why"),
    [
        (CONTROL, {"cpu_seconds": 0.0254}, "the control's CPU was 1.27 times its median"),
        (CONTROL, {"cpu_seconds": 0.0158}, "the control's CPU was 0.79 times its median"),
        (CONTROL, {"histogram": {760: 990, 900: 10}}, "the control's p50 was 1.52 times its median"),
        (CONTROL, {"histogram": {500: 900, 1100: 100}}, "the control's p99 was 2.20 times its median"),
        (CONTROL, {"conditions": replace(QUIET, late_ms=3.5)}, "the generator was 3.5 ms late"),
        ("service", {"conditions": replace(QUIET, steal=0.04)}, "steal 4.0 %"),
        ("service", {"conditions": replace(QUIET, others=0.3)}, "others used 30 % of the servers' cores"),
        (CONTROL, {"histogram": {}, "failures": {"connection refused": 1000}}, "no control"),
    ],
)
def test_a_round_on_a_noisy_machine_is_thrown_away_with_its_reason(
    subject: str, change: dict[str, object], why: str
) -> None:
    results = run(3, subject, **change)
    assert faults(results) == {3: why}
    assert {each.round for each in judge.good(results).samples} == {1, 2, 4, 5, 6, 7}


def test_a_subject_that_is_slow_or_whose_load_fills_the_loads_core_is_a_figure_and_no_fault() -> None:
    slow = run(3, "service", cpu_seconds=0.5, histogram={90_000: 1_000})
    assert faults(slow) == {}
    assert faults(run(3, "service", conditions=replace(QUIET, load_core=1, late_ms=20))) == {}


def test_a_cell_with_too_few_good_rounds_is_not_published_and_says_why() -> None:
    results = run()
    noisy = [
        replace(each, conditions=replace(QUIET, steal=0.05)) if each.round > LEAST - 1 else each
        for each in results.samples
    ]
    [why] = judge.refusals(replace(results, samples=noisy))
    assert why.startswith("matrix, get, 500/s: 5 of 7 rounds were good, 6 are needed. steal 5.0 %")


def test_cells_are_judged_on_their_own() -> None:
    results = run(3, CONTROL, conditions=replace(QUIET, steal=0.05))
    others = [sample(each, number, "post") for number in range(1, ROUNDS + 1) for each in (CONTROL, "service")]
    good = judge.good(replace(results, samples=[*results.samples, *others]))
    assert len(good.of("matrix", "service", "get")) == 6
    assert len(good.of("matrix", "service", "post")) == 7


def test_rounds_without_notes_of_the_machine_are_not_judged() -> None:
    results = run()
    unjudged = [replace(each, conditions=None) for each in results.samples if each.subject == "service"]
    assert judge.good(replace(results, samples=unjudged)).samples == unjudged
    assert judge.refusals(replace(results, samples=unjudged[:4])) == []
