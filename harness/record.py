"""A record of the responses to a load."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from harness.http import Answer


class Outcome(NamedTuple):
    """The figures that are kept of a response."""

    begun: float
    ended: float
    status: int

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def seconds(self) -> float:
        return self.ended - self.begun


@dataclass
class Record:
    """The responses to all requests of a load."""

    outcomes: list[Outcome] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, answer: Answer) -> None:
        self.outcomes.append(Outcome(answer.begun, answer.ended, answer.status))
        if not answer.ok:
            self.errors[answer.error or str(answer.status)] += 1

    @property
    def failures(self) -> int:
        return self.errors.total()

    @property
    def unexpected(self) -> str:
        """Describe the failures other than 503."""
        return ", ".join(f"{count} × {error}" for error, count in self.errors.items() if error != "503")

    def slowest(self) -> float:
        return max((each.seconds for each in self.outcomes), default=0)

    def seconds(self, *, status: int | None = None) -> list[float]:
        """Return the latencies of the responses with a status; by default, of all successful ones."""
        return [each.seconds for each in self.outcomes if (each.ok if status is None else each.status == status)]

    def recovery(self, since: float) -> float | None:
        """Return the seconds from `since` to the last failure or to the first later success; None without a success."""
        after = [each for each in self.outcomes if each.ended >= since]
        first = min((each.ended for each in after if each.ok), default=None)
        return None if first is None else max([first, *(each.ended for each in after if not each.ok)]) - since


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least this percentage of the values do not exceed; NaN for no values."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1] if values else math.nan
