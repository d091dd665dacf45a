"""`python -m faults [NAME …]`: runs the experiments whose names start with an argument; without arguments, all."""

import os
import platform
import resource
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import uvloop

from faults.bench import SETTINGS, SLACK_SECONDS, Bench
from faults.postgres import postgres_version
from faults.report import FIGURES, REPOSITORY, Report
from faults.run import chosen, run
from faults.scenarios import SCENARIOS

_OUTPUT = REPOSITORY / "build" / "faults"
_HEAD = f"""# Fault experiments

`make faults` writes this page: each row is an experiment on real processes, a real PostgreSQL and real signals.
`make faults ONLY=database` runs those whose names begin like this and replaces their rows; `QUICK=1` scales all down
and leaves the page alone. A failed request is one without an answer, or with another one than 2xx; no client retries,
but for the writers. Recovery counts from the end of the fault to the last failure (to the first success, where none
failed any more). A time may be {SLACK_SECONDS} s over its bound, for slow machines. – is not measured.
"""


async def main() -> int:
    """Run the experiments. Return 1 if a promise did not hold."""
    quick = bool(os.environ.get("QUICK"))
    names = chosen(SCENARIOS, sys.argv[1:])
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # one socket for each of a thousand slow clients
    # A quick run only tests the harness, so its figures do not go into the documentation.
    page = (_OUTPUT if quick else REPOSITORY / "docs") / "faults.md"
    report = Report(page, _HEAD, "fault", tuple(FIGURES), _versions(), SETTINGS)
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL may run as another user
        return await run(SCENARIOS, names, lambda name: Bench(quick, Path(folder), _OUTPUT / "logs" / name), report)


def _versions() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("aiohttp", "asyncpg", "uvloop", "gunicorn"))
    return f"Python {platform.python_version()}, {packages}, {postgres_version()}"


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
