"""The results of a benchmark run: one file, the source of all charts and tables."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal, Self

from benchmarks.scale import Deployment

Experiment = Literal["article", "matrix", "tails", "cluster"]
Operation = Literal["get", "post", "put", "page", "keyed-post"]


@dataclass(frozen=True)
class Conditions:
    """What else happened on the machine during a round, and what a load took of it.

    Attributes:
        steal: share of the cores' time that the host gave to other machines.
        others: share of the servers' cores that programs used that were not loaded.
        load_core: share of the load's cores that PostgreSQL and the generator used.
        late_ms: how late the generator sent requests of an open loop although a connection was free: the 99th
            percentile. 0 in a closed loop.
        generator_us: CPU time of the generator per request, in µs.
    """

    steal: float
    others: float
    load_core: float
    late_ms: float
    generator_us: float


@dataclass(frozen=True)
class Sample:
    """One load on one subject.

    Attributes:
        experiment: the experiment that the load is part of.
        subject: the name of the subject in `benchmarks.subjects`, or of a peer.
        operation: the request: read an item by id, create one, with an idempotency key or without, update one, or read
            a page of 50. The control gets GETs by id in any case; its operation is that of its round.
        round: number of the round, from 1; the subjects take turns within a round.
        connections: number of open connections of a closed loop, the most of an open one.
        peak_share: in an open loop, the rate as a share of the peak that a closed loop found, if that determined it.
        rate: in an open loop, requests/s that were sent; None in a closed loop.
        seconds: duration of the load.
        failures: failed requests by status, or by name of the error.
        cpu_seconds: CPU time of all processes of the subject during the load.
        database_cpu_seconds: CPU time of all processes of PostgreSQL during the load.
        memory_mib: proportional set size of all processes of the subject at the end of the load.
        histogram: successful answers by latency in µs. A key is the upper end of a step, as in
            `harness.load_generator.Outcome`. In an open loop the latency counts from when the request was due.
        conditions: what was noted of the machine, if anything.
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
    conditions: Conditions | None = None

    @property
    def load(self) -> str:
        return load_in_words(self.connections, self.rate, self.peak_share)

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


def load_in_words(connections: int, rate: float | None = None, peak_share: float | None = None) -> str:
    """Name a load: `16 connections`, `500/s`, `70 % of the peak`."""
    if peak_share:
        return f"{100 * peak_share:.0f} % of the peak"
    return f"{rate:,.0f}/s" if rate else f"{connections} connection{'s' * (connections > 1)}"


@dataclass(frozen=True)
class Footprint:
    """One start of a subject, while no other one ran.

    Attributes:
        seconds: time from the command to the first answer.
        idle_mib: memory before the first load.
        loaded_mib: memory after loads with 64 connections.
    """

    subject: str
    seconds: float
    idle_mib: float
    loaded_mib: float


@dataclass(frozen=True)
class Taken:
    """The start time of an experiment, and the commit that it measured.

    Attributes:
        at: the start time, as in RFC 3339.
        commit: the commit of the template, with `-dirty` if the work tree differed from it.
        deployments: the article's deployments as they were scaled to the machine, by name.
    """

    at: str
    commit: str
    deployments: Mapping[str, Deployment] = field(default_factory=dict)


@dataclass(frozen=True)
class Results:
    """Results of one machine and one set of program versions, from one run or from several partial runs.

    Attributes:
        taken: start time and commit, by experiment.
        quick: whether the run was scaled down, so that its figures must not be quoted.
        machine: the machine's properties by name: processor, cores, memory, kernel, python, server_cores, load_cores, …
        versions: versions of the programs and libraries, by name.
    """

    taken: Mapping[Experiment, Taken]
    quick: bool
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    footprints: list[Footprint] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)

    def of(self, experiment: Experiment, subject: str, operation: Operation, load: str | None = None) -> list[Sample]:
        """Return the rounds of one measurement; without a load, those of all loads of the experiment."""
        return [
            one
            for one in self.samples
            if (one.experiment, one.subject, one.operation) == (experiment, subject, operation)
            and load in {None, one.load}
        ]

    def save(self, file: Path) -> None:
        """Write the results as JSON: samples as rows, a histogram as distances to the step before and counts."""
        told = asdict(self) | {"samples": [[each.name for each in fields(Sample)], *map(_row, self.samples)]}
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(told, separators=(",", ":")) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read a file that `save` wrote."""
        told = json.loads(file.read_text(encoding="utf-8"))
        for experiment, of in told["taken"].items():
            here = {name: Deployment(**each) for name, each in of.get("deployments", {}).items()}  # not in 0.4.0
            told["taken"][experiment] = Taken(of["at"], of["commit"], here)
        told["footprints"] = [Footprint(**each) for each in told["footprints"]]
        names, *rows = told["samples"]
        told["samples"] = [_sample(dict(zip(names, row, strict=True))) for row in rows]
        return cls(**told)


def _row(sample: Sample) -> list[Any]:
    told = asdict(sample)
    steps = sorted(sample.histogram)
    told["histogram"] = [
        value
        for before, step in zip([0, *steps], steps, strict=False)
        for value in (step - before, sample.histogram[step])
    ]
    told["conditions"] = list(told["conditions"].values()) if sample.conditions else None
    return [round(each, 6) if isinstance(each, float) else each for each in told.values()]


def _sample(told: dict[str, Any]) -> Sample:
    distances = told["histogram"]
    told["histogram"] = dict(zip(accumulate(distances[::2]), distances[1::2], strict=True))
    told["conditions"] = told["conditions"] and Conditions(*told["conditions"])
    return Sample(**told)


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
            return step / 1000
    return float("inf")
