"""`python -m faults [NAME …]`: runs the experiments whose names begin like this, all where none is named."""

import asyncio
import os
import re
import resource
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

import uvloop

from faults import report
from faults.bench import REPOSITORY, Bench, say
from faults.row import Row, Scenario
from faults.scenarios import SCENARIOS

_PAGE = REPOSITORY / "docs" / "faults.md"
_OUTPUT = REPOSITORY / "build" / "faults"
_STATUS_SECONDS = 5
_FOLDERS = re.compile(r"(?<![\w:/])(/[\w.+-]+)+/")  # this machine's, which are nobody's business


async def main() -> int:
    """Returns 1 if a promise did not hold."""
    quick = bool(os.environ.get("QUICK"))
    # A quick run's figures are for trying the harness, not for the page.
    page = _OUTPUT / "faults.md" if quick else _PAGE
    chosen = [name for name in SCENARIOS if name.startswith(tuple(sys.argv[1:]) or "")]
    if not chosen:
        sys.exit(f"There is no such experiment; there are {', '.join(SCENARIOS)}.")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a thousand slow clients have a thousand sockets
    rows = []
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL's user may be another one
        for name in chosen:
            begun = time.monotonic()
            bench = Bench(quick, Path(folder), _OUTPUT / "logs" / name)
            shutil.rmtree(bench.logs, ignore_errors=True)
            bench.logs.mkdir(parents=True)
            row = await _run(name, SCENARIOS[name], bench)
            say(f"{name}: {row.verdict} ({time.monotonic() - begun:.0f} s)\n  {_figures(row)}")
            results = report.read(page)
            results[name] = report.entry(row, time.monotonic() - begun)
            report.write({known: results[known] for known in SCENARIOS if known in results}, page)
            rows.append(row)
    say(f"{page.relative_to(REPOSITORY)} is written.")
    return int(any(row.broken for row in rows))


async def _run(name: str, scenario: Scenario, bench: Bench) -> Row:
    """Runs an experiment, says now and again how far it is, and ends what it has started."""
    begun = time.monotonic()

    async def tell() -> None:
        while True:
            say(f"{name}: {time.monotonic() - begun:.0f} s, {bench.status}")
            await asyncio.sleep(_STATUS_SECONDS)

    telling = asyncio.create_task(tell())
    try:
        async with bench.started:
            return await scenario(bench)
    except Exception as error:  # the others go on
        (bench.logs / "traceback.log").write_text(traceback.format_exc())
        reason = _FOLDERS.sub("…/", f"{type(error).__name__}: {error}")
        return Row(name, broken=[f"the experiment broke off: {reason}"])
    finally:
        telling.cancel()


def _figures(row: Row) -> str:
    figures = {
        "requests": row.requests, "failures": row.failures, "recovery": row.recovery_seconds,
        "lost": row.lost, "doubled": row.doubled,
    }  # fmt: skip
    known = [f"{name} {value:.2f}" if isinstance(value, float) else f"{name} {value}" for name, value in figures.items()
             if value is not None]  # fmt: skip
    return "; ".join([*known, row.measured])


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
