"""The results of a benchmark run: one file, the source of all charts and tables."""

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
"""Width of a histogram step."""


@dataclass(frozen=True)
class Sample:
    """One load on one subject.

    Attributes:
        experiment: the experiment that the load is part of.
        subject: the name of the subject in `benchmarks.subjects`.
        operation: the request: read an item by id, create an item, update an item, or read a page of 50 items.
        round: number of the round, from 1; the subjects take turns within a round.
        connections: number of open connections of the load.
        peak_share: in an open loop, the request rate as a share of the peak rate that a closed loop found;
            None in a closed loop.
        rate: in an open loop, requests/s that were sent; None in a closed loop.
        seconds: duration of the load.
        failures: failed requests by status, or by name of the error.
        cpu_seconds: CPU time of all processes of the subject during the load.
        database_cpu_seconds: CPU time of all processes of PostgreSQL during the load.
        memory_mib: proportional set size of all processes of the subject at the end of the load.
        histogram: successful answers by latency, in steps of `STEP_MS`: step n counts latencies from n × STEP_MS to
            (n + 1) × STEP_MS. In an open loop the latency is measured from the time when the request was due.
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
        """Successful answers per second."""
        return self.succeeded / self.seconds

    @property
    def cpu_us(self) -> float:
        """CPU time of the subject per request, in µs."""
        return self.cpu_seconds * 1e6 / self.requests

    @property
    def database_cpu_us(self) -> float:
        """CPU time of PostgreSQL per request, in µs."""
        return self.database_cpu_seconds * 1e6 / self.requests


@dataclass(frozen=True)
class Start:
    """One start of a subject: the time from the command to the first answer, and the idle memory."""

    subject: str
    seconds: float
    idle_mib: float


@dataclass(frozen=True)
class Taken:
    """The start time of an experiment, and the commit that it measured.

    Attributes:
        at: the start time, as in RFC 3339.
        commit: the commit of the template, with `-dirty` if the work tree differed from it.
        reservation: a caveat about the figures, for the reader; usually empty.
    """

    at: str
    commit: str
    reservation: str = ""


@dataclass(frozen=True)
class Results:
    """Results of one machine and one set of program versions, from one run or from several partial runs.

    Attributes:
        taken: start time and commit, by experiment.
        quick: whether the run was scaled down, so that its figures must not be quoted.
        machine: the machine's properties by name: processor, cores, memory, kernel, python, server_cores, load_cores, …
        versions: versions of the programs and libraries, by name.
        scale: how the article's pods and limits were scaled, as text.
        limits: CPU cores and MiB that all pods of an article's deployment may use together, by deployment.
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
        """Return the rounds of one measurement; `peak_share` selects an open loop."""
        wanted = (experiment, subject, operation, peak_share)
        return [one for one in self.samples if (one.experiment, one.subject, one.operation, one.peak_share) == wanted]

    def save(self, file: Path) -> None:
        """Write the results as JSON. A histogram step is stored as its distance to the previous one, and its count."""
        told = asdict(self)
        told["samples"] = [each | {"histogram": _distances(each["histogram"])} for each in told["samples"]]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(told, separators=(",", ":")) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read a file that `save` wrote."""
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
    """Return the combined histogram of several samples."""
    counts = Counter[int]()
    for each in samples:
        counts.update(each.histogram)
    return counts


def quantile(histogram: Mapping[int, int], share: float, failures: int = 0) -> float:
    """Return the latency quantile in ms: the upper end of its histogram step.

    A failed request counts as never answered, so the quantile may be infinite.
    """
    wanted = share * (sum(histogram.values()) + failures)
    seen = 0
    for step in sorted(histogram):
        seen += histogram[step]
        if seen >= wanted:
            return (step + 1) * STEP_MS
    return float("inf")
