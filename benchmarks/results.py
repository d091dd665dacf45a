"""What a run of the benchmark measured: one file, from which every chart and every table is made."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Literal, Self

Experiment = Literal["article", "open-loop", "comparison", "cluster"]
Operation = Literal["get", "post", "put", "page"]

STEP_MS = 0.1
"""The width of a histogram's step."""


@dataclass(frozen=True)
class Sample:
    """One load on one subject.

    Attributes:
        experiment: what it is a part of.
        subject: what answered, by its name in `benchmarks.subjects`.
        operation: what was asked: an item by id, a new item, an update of an item, a page of 50 items.
        round: from 1 on; the subjects take turns within a round.
        connections: how many the load had open.
        peak_share: in an open loop, at which share of the peak that a closed loop found requests were begun;
            None in a closed loop.
        rate: in an open loop, requests/s that were begun; None in a closed one.
        seconds: how long the load took.
        failures: requests by what went wrong: a status, or the error's name.
        cpu_seconds: CPU time of all the subject's processes during the load.
        database_cpu_seconds: of PostgreSQL's.
        memory_mib: proportional set size of all the subject's processes at the end of the load.
        histogram: successful answers by latency, in steps of `STEP_MS`: step n counts those of n × STEP_MS up to
            (n + 1) × STEP_MS. In an open loop the latency counts from when the request was due.
    """

    experiment: Experiment
    subject: str
    operation: Operation
    round: int
    connections: int
    peak_share: float | None
    rate: float | None
    seconds: float
    failures: Mapping[str, int]
    cpu_seconds: float
    database_cpu_seconds: float
    memory_mib: float
    histogram: Mapping[int, int]

    @property
    def succeeded(self) -> int:
        return sum(self.histogram.values())

    @property
    def requests(self) -> int:
        return self.succeeded + sum(self.failures.values())

    @property
    def per_second(self) -> float:
        """Successful answers a second."""
        return self.succeeded / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of the subject's CPU a request."""
        return self.cpu_seconds * 1e6 / self.requests

    @property
    def database_cpu_us(self) -> float:
        """Microseconds of PostgreSQL's CPU a request."""
        return self.database_cpu_seconds * 1e6 / self.requests


@dataclass(frozen=True)
class Start:
    """One start of a subject, from the command to the first answer, and what it takes when nobody asks."""

    subject: str
    seconds: float
    idle_mib: float


@dataclass(frozen=True)
class Taken:
    """When an experiment began, and on what.

    Attributes:
        at: RFC 3339.
        commit: of the template; with `-dirty` where the work tree differed from it.
        reservation: what a reader has to know before relying on the figures, in words; mostly nothing.
    """

    at: str
    commit: str
    reservation: str = ""


@dataclass(frozen=True)
class Results:
    """What was measured on one machine with the same versions of all programs, be it in one run or part by part.

    Attributes:
        taken: by experiment.
        quick: scaled down, so not to be quoted.
        machine: what it ran on, by name: processor, cores, memory, kernel, python, server_cores, load_cores, …
        versions: of the programs and libraries, by name.
        scale: how the article's pods and limits were scaled, in words.
        limits: CPU cores and MiB that each of the article's deployments may take, all its pods together.
    """

    taken: Mapping[Experiment, Taken]
    quick: bool
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    scale: str
    limits: Mapping[str, tuple[float, float]]
    starts: list[Start] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)

    def of(
        self, experiment: Experiment, subject: str, operation: Operation, peak_share: float | None = None
    ) -> list[Sample]:
        """The rounds of one measurement; `peak_share` where it is an open loop."""
        wanted = (experiment, subject, operation, peak_share)
        return [one for one in self.samples if (one.experiment, one.subject, one.operation, one.peak_share) == wanted]

    def save(self, file: Path) -> None:
        """Writes it all as JSON; of a histogram each step's distance from the one before, and its count."""
        told = asdict(self)
        told["samples"] = [each | {"histogram": _distances(each["histogram"])} for each in told["samples"]]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(told, separators=(",", ":")) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> Self:
        """Reads what `save` wrote."""
        told = json.loads(file.read_text(encoding="utf-8"))
        told["taken"] = {experiment: Taken(**each) for experiment, each in told["taken"].items()}
        told["starts"] = [Start(**each) for each in told["starts"]]
        told["samples"] = [Sample(**each | {"histogram": _steps(each["histogram"])}) for each in told["samples"]]
        told["limits"] = {name: (cpu, memory) for name, (cpu, memory) in told["limits"].items()}
        return cls(**told)


def _distances(histogram: Mapping[int, int]) -> list[int]:
    steps = sorted(histogram)
    return [
        value for before, step in zip([0, *steps], steps, strict=False) for value in (step - before, histogram[step])
    ]


def _steps(told: list[int]) -> dict[int, int]:
    return dict(zip(accumulate(told[::2]), told[1::2], strict=True))


def together(samples: Iterable[Sample]) -> Counter[int]:
    """The histogram of several samples."""
    counts = Counter[int]()
    for each in samples:
        counts.update(each.histogram)
    return counts


def quantile(histogram: Mapping[int, int], share: float, failures: int = 0) -> float:
    """Milliseconds within which a share of the requests was answered, to the upper end of its step.

    A failure counts as a request that was never answered, so it may be infinite.
    """
    wanted = share * (sum(histogram.values()) + failures)
    seen = 0
    for step in sorted(histogram):
        seen += histogram[step]
        if seen >= wanted:
            return (step + 1) * STEP_MS
    return float("inf")
