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
from faults.scenarios import SCENARIOS
from harness.postgres import postgres_version
from harness.report import FIGURES, Report
from harness.repository import REPOSITORY
from harness.run import chosen, run

_OUTPUT = REPOSITORY / "build" / "faults"
_HEAD = f"""# Fault experiments

`make faults` writes this page. Each row is an experiment on real processes and a real PostgreSQL, with real signals.

- `make faults ONLY=database` runs the experiments whose names start with `database` and replaces their rows.
  `QUICK=1` scales all experiments down and does not change the page.
- A failed request got no response, or one with a status other than 2xx. Clients do not retry, except the writers.
- Recovery time: from the end of the fault to the last failed request, or to the first success if no request failed
  after the fault.
- A measured time may exceed its limit by {SLACK_SECONDS} s, to allow for slow machines.
- `–`: not measured.
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
