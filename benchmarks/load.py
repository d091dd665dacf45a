"""The requests of a load, and its outcome."""

import base64
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from benchmarks.results import STEP_MS, Operation
from harness.items import ITEM

ROWS: Final = 1_000
"""Number of items before a load; their ids start at 1."""


@dataclass(frozen=True)
class Request:
    """A request that a load generator sends repeatedly."""

    method: str
    url: str
    body: str = ""

    def as_target(self) -> dict[str, Any]:
        """Return the request as a target in vegeta's JSON format."""
        told: dict[str, Any] = {"method": self.method, "url": self.url}
        if self.body:
            told["header"] = {"Content-Type": ["application/json"]}
            told["body"] = base64.b64encode(self.body.encode()).decode()
        return told


def requests(operation: Operation, urls: Sequence[str], count: int = ROWS) -> list[Request]:
    """Return requests for `count` rows, in a fixed random order, distributed over the servers in turn."""
    ids = list(range(1, ROWS + 1))
    random.Random(1).shuffle(ids)
    return [_request(operation, urls[number % len(urls)], item_id) for number, item_id in enumerate(ids[:count])]


def _request(operation: Operation, url: str, item_id: int) -> Request:
    match operation:
        case "get":
            return Request("GET", f"{url}/v1/items/{item_id}")
        case "post":
            return Request("POST", f"{url}/v1/items", json.dumps(ITEM))
        case "put":
            return Request("PUT", f"{url}/v1/items/{item_id}", json.dumps(ITEM))
        case "page":
            return Request("GET", f"{url}/v1/items?limit=50")


@dataclass
class Outcome:
    """The outcome of a load.

    Attributes:
        seconds: duration of the load.
        histogram: successful answers by latency, in steps of `STEP_MS`.
        failures: all other requests, by status or error.
    """

    seconds: float
    histogram: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def requests(self) -> int:
        return self.histogram.total() + self.failures.total()

    def count(self, milliseconds: float, status: int, error: str = "") -> None:
        """Count a request. It succeeded if its status is 2xx and its answer is complete."""
        if 200 <= status < 300 and not error:
            self.histogram[int(milliseconds / STEP_MS)] += 1
        else:
            self.failures[str(status) if status and not 200 <= status < 300 else error] += 1

    def add(self, other: "Outcome") -> None:
        """Add the outcome of another load that ran at the same time."""
        self.seconds = max(self.seconds, other.seconds)
        self.histogram.update(other.histogram)
        self.failures.update(other.failures)


Recording: TypeAlias = Callable[[], Outcome]
"""Reads the recording of a load generator. Reading is slow, so it happens after the load."""
