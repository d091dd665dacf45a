"""`python -m faults [NAME …]`: runs the experiments whose names start with an argument; without arguments, all."""

import os
import platform
import sys
from importlib.metadata import version

import uvloop

from faults.bench import SETTINGS, SLACK_SECONDS, Bench
from faults.scenarios import SCENARIOS
from harness.experiments import chosen, run
from harness.postgres_programs import postgres_version, scratch_folder
from harness.processes import allow_many_sockets
from harness.report import FIGURES, Report
from harness.repository import BUILD, REPOSITORY

_OUTPUT = BUILD / "faults"
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
    allow_many_sockets()  # for a thousand slow clients
    # A quick run only tests the harness, so its figures do not go into the documentation.
    page = (_OUTPUT if quick else REPOSITORY / "docs") / "faults.md"
    report = Report(page, _HEAD, "fault", tuple(FIGURES), _versions(), SETTINGS)
    with scratch_folder("faults-") as folder:
        return await run(
            SCENARIOS, names, lambda name: Bench(logs=_OUTPUT / "logs" / name, quick=quick, folder=folder), report
        )


def _versions() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("aiohttp", "asyncpg", "uvloop", "gunicorn"))
    return f"Python {platform.python_version()}, {packages}, {postgres_version()}"


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
