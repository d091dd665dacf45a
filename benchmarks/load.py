"""A load: how it is put on a subject, and its requests."""

import random
from dataclasses import dataclass
from typing import Final

from benchmarks.results import Operation, Sample, load_in_words
from harness.http import request
from harness.items import ITEM
from harness.load_generator import NEW_KEY

ROWS: Final = 1_000
"""Number of items before a load; their ids start at 1."""
_BUSIEST_LOAD_CORE: Final = 0.8  # the core of PostgreSQL and the load
WRITES: Final[tuple[Operation, ...]] = ("post", "put", "keyed-post")


@dataclass(frozen=True)
class Load:
    """How the subjects are loaded.

    Attributes:
        connections: of a closed loop, or the most of an open one.
        seconds: duration of a turn.
        warm_up: seconds of the load that are not counted.
        rate: requests a second of an open loop; None for a closed loop.
        peak_share: the rate as a share of the peak, if that determined it.
        turns: how often each subject of a round is loaded. Other subjects take their turns between.
    """

    connections: int
    seconds: float
    warm_up: float
    rate: float | None = None
    peak_share: float | None = None
    turns: int = 1

    @property
    def name(self) -> str:
        return load_in_words(self.connections, self.rate, self.peak_share)


def requests(operation: Operation, host: str = "localhost") -> list[bytes]:
    """Return the requests that are sent in turn: for all rows, in a fixed random order, so that PUTs do not collide."""
    ids = list(range(1, ROWS + 1))
    random.Random(1).shuffle(ids)
    match operation:
        case "get":
            return [request("GET", f"/v1/items/{each}", Host=host) for each in ids]
        case "post":
            return [request("POST", "/v1/items", ITEM, Host=host)]
        case "keyed-post":
            return [request("POST", "/v1/items", ITEM, Host=host, Idempotency_Key=NEW_KEY)]
        case "put":
            return [request("PUT", f"/v1/items/{each}", ITEM, Host=host) for each in ids]
        case "page":
            return [request("GET", "/v1/items?limit=50", Host=host)]


def carried(sample: Sample) -> int:
    """Return the rate of an open loop, or a lower one that leaves a part of the load's core free."""
    assert sample.rate
    assert sample.conditions
    busy = sample.conditions.load_core
    if busy <= _BUSIEST_LOAD_CORE:
        return round(sample.rate)
    return round(min(sample.rate, sample.per_second) * (_BUSIEST_LOAD_CORE - 0.05) / busy)
