"""What was measured: kept as JSON, shown as a page."""

import json
import os
import platform
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from faults.bench import REPOSITORY, SETTINGS, SLACK_SECONDS
from faults.postgres import postgres_version
from faults.row import Row

_HEAD = f"""# Fault experiments

`make faults` writes this page: each row is an experiment on real processes, a real PostgreSQL and real signals.
`make faults ONLY=database` runs those whose names begin like this and replaces their rows; `QUICK=1` scales all down
and leaves the page alone. A failed request is one without an answer, or with another one than 2xx; no client retries,
but for the writers. Recovery counts from the end of the fault to the last failure (to the first success, where none
failed any more). A time may be {SLACK_SECONDS} s over its bound, for slow machines. – is not measured.
"""
_COLUMNS = ("fault", "load", "requests", "failures", "recovery time", "writes lost", "writes doubled", "also measured",
            "promise", "verdict")  # fmt: skip


def entry(row: Row, seconds: float) -> dict[str, Any]:
    """A result with what it was measured on."""
    return {
        "row": asdict(row),
        "date": datetime.now(UTC).date().isoformat(),
        "commit": _commit(),
        "minutes": round(seconds / 60, 1),
        "machine": _machine(),
        "versions": _versions(),
        "settings": SETTINGS,
    }


def write(results: dict[str, dict[str, Any]], page: Path) -> None:
    """Writes the results and the page that shows them, beside each other."""
    page.parent.mkdir(parents=True, exist_ok=True)
    page.with_suffix(".json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    page.write_text(_page(results), encoding="utf-8")


def read(page: Path) -> dict[str, dict[str, Any]]:
    """The results of earlier runs."""
    kept = page.with_suffix(".json")
    return json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}


def _page(results: dict[str, dict[str, Any]]) -> str:
    rows = [(name, Row(**each["row"])) for name, each in results.items()]
    runs: dict[tuple[str, ...], list[str]] = {}
    for name, each in results.items():
        runs.setdefault((each["date"], each["commit"], each["machine"], each["versions"]), []).append(name)
    settings = {f"`{name.upper()}={value}`" for each in results.values() for name, value in each["settings"].items()}
    return "\n".join(
        [
            _HEAD,
            _table(_COLUMNS, [_cells(row) for _, row in rows]),
            "",
            "## Measured on",
            "",
            _table(
                ("experiments", "minutes", "date", "commit", "machine", "versions"),
                [
                    (", ".join(names), f"{sum(results[name]['minutes'] for name in names):.0f}", *run)
                    for run, names in runs.items()
                ],
            ),
            "",
            f"Settings in force, where a row's load names no others: {', '.join(sorted(settings))}.",
            "",
        ]
    )


def _cells(row: Row) -> tuple[str, ...]:
    recovery = None if row.recovery_seconds is None else f"{row.recovery_seconds:.2f} s"
    numbers = (row.requests, row.failures, recovery, row.lost, row.doubled)
    return (
        row.fault,
        row.load or "–",
        *("–" if each is None else f"{each:,}" if isinstance(each, int) else each for each in numbers),
        row.measured or "–",
        row.promise or "–",
        row.verdict,
    )


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', '∣').replace(chr(10), ' ') for cell in line)} |" for line in lines
    )


def _commit() -> str:
    commit = _git("describe", "--always", "--exclude=*")
    changed = _git("status", "--porcelain", "--", ".", ":!docs/faults.*")  # but for the results themselves
    return (commit or "unknown") + ("-dirty" if changed else "")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _machine() -> str:
    found = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
    model = next((value.strip() for name, value in found.items() if name.strip() == "model name"), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}"


def _versions() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("aiohttp", "asyncpg", "uvloop", "gunicorn"))
    return f"Python {platform.python_version()}, {packages}, {postgres_version()}"
