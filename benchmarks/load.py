"""What is asked, and what came of it."""

import base64
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from benchmarks.results import STEP_MS, Operation

ROWS: Final = 1_000
"""Items that there are before a load, with the ids from 1 on."""
ITEM: Final = {"name": "Lamp", "description": "Bright", "price_cents": 1999}


@dataclass(frozen=True)
class Request:
    """A request that a load generator sends again and again."""

    method: str
    url: str
    body: str = ""

    def as_target(self) -> dict[str, Any]:
        """As vegeta reads it."""
        told: dict[str, Any] = {"method": self.method, "url": self.url}
        if self.body:
            told["header"] = {"Content-Type": ["application/json"]}
            told["body"] = base64.b64encode(self.body.encode()).decode()
        return told


def requests(operation: Operation, urls: Sequence[str], count: int = ROWS) -> list[Request]:
    """Requests for so many rows, in a random order that is always the same; the servers take turns."""
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
    """What came of a load.

    Attributes:
        seconds: how long it took.
        histogram: successful answers by latency, in steps of `STEP_MS`.
        failures: the other requests, by status or error.
    """

    seconds: float
    histogram: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def requests(self) -> int:
        return self.histogram.total() + self.failures.total()

    def count(self, milliseconds: float, status: int, error: str = "") -> None:
        """Counts a request; it has failed unless its status is 2xx and it was answered completely."""
        if 200 <= status < 300 and not error:
            self.histogram[int(milliseconds / STEP_MS)] += 1
        else:
            self.failures[str(status) if status and not 200 <= status < 300 else error] += 1

    def add(self, other: "Outcome") -> None:
        """Adds what another load found that ran at the same time."""
        self.seconds = max(self.seconds, other.seconds)
        self.histogram.update(other.histogram)
        self.failures.update(other.failures)


Recording: TypeAlias = Callable[[], Outcome]
"""Reads what a load generator has recorded; that takes its time, and so comes after the load."""
