"""Saves the results as JSON and renders them as a page."""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import machine
from harness.markdown import table
from harness.repository import commit
from harness.row import Row

FIGURES: Mapping[str, Callable[[Row], str | int | None]] = {
    "load": lambda row: row.load,
    "requests": lambda row: row.requests,
    "failures": lambda row: row.failures,
    "recovery time": lambda row: None if row.recovery_seconds is None else f"{row.recovery_seconds:.2f} s",
    "writes lost": lambda row: row.lost,
    "writes doubled": lambda row: row.doubled,
    "also measured": lambda row: row.measured,
    "promise": lambda row: row.promise,
    "verdict": lambda row: row.verdict,
}
"""The columns that a page can have, after the first one, which describes the experiment."""


@dataclass(frozen=True)
class Report:
    """The results of all experiments, saved after each one.

    Attributes:
        page: the path of the page. The JSON file is next to it.
        head: the beginning of the page.
        what: the name of the first column.
        columns: names from `FIGURES`.
        versions: the software versions that the results depend on.
        settings: they apply unless a row's load names others.
    """

    page: Path
    head: str
    what: str
    columns: tuple[str, ...]
    versions: str
    settings: Mapping[str, float] = field(default_factory=dict)

    def add(self, name: str, row: Row, seconds: float, order: Iterable[str]) -> None:
        """Save a result and replace an earlier one. Delete results that are no longer in `order`."""
        results = self._read()
        results[name] = {
            "row": asdict(row),
            "date": datetime.now(UTC).date().isoformat(),
            "commit": commit(),
            "minutes": round(seconds / 60, 1),
            "machine": _machine(),
            "versions": self.versions,
            "settings": self.settings,
        }
        results = {known: results[known] for known in order if known in results}
        self.page.parent.mkdir(parents=True, exist_ok=True)
        self._kept.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        self.page.write_text(self._page(results), encoding="utf-8")

    @property
    def _kept(self) -> Path:
        return self.page.with_suffix(".json")

    def _read(self) -> dict[str, dict[str, Any]]:
        return json.loads(self._kept.read_text(encoding="utf-8")) if self._kept.exists() else {}

    def _page(self, results: dict[str, dict[str, Any]]) -> str:
        rows = [Row(**each["row"]) for each in results.values()]
        runs: dict[tuple[str, ...], list[str]] = {}
        for name, each in results.items():
            runs.setdefault((each["date"], each["commit"], each["machine"], each["versions"]), []).append(name)
        settings = {
            f"`{name.upper()}={value}`" for each in results.values() for name, value in each["settings"].items()
        }
        lines = [
            self.head,
            *table((self.what, *self.columns), [(row.what, *self._cells(row)) for row in rows]),
            "## Measured on",
            "",
            *table(
                ("experiments", "minutes", "date", "commit", "machine", "versions"),
                [
                    (", ".join(names), f"{sum(results[name]['minutes'] for name in names):.0f}", *run)
                    for run, names in runs.items()
                ],
            ),
        ]
        if settings:
            lines += [f"Settings, unless the load column of a row names others: {', '.join(sorted(settings))}.", ""]
        return "\n".join(lines)

    def _cells(self, row: Row) -> list[str]:
        figures = [FIGURES[name](row) for name in self.columns]
        return [f"{each:,}" if isinstance(each, int) else each or "–" for each in figures]


def _machine() -> str:
    cores = len(os.sched_getaffinity(0))
    return f"{machine.processor()}, {cores} cores, {machine.memory()}, {machine.kernel()}"
