"""What `make resource` and `make field` write is green for arguments that are drawn.

RESOURCES is their number, and SEED decides what is drawn; both have defaults, so that each run draws the same.
"""

import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from random import Random

from harness.environments import python_for
from tests.drawn_resources import Drawing
from tests.services import PROCESSES, run

RESOURCES, SEED = int(os.environ.get("RESOURCES", "20")), os.environ.get("SEED", "1")
SERVICES = 2
MOST_SECONDS = 180  # a test, on a machine that runs several at a time


def write(service: Path, module: str, arguments: dict[str, str]) -> None:
    """Run the program of `make resource` or `make field`."""
    done = subprocess.run(
        [python_for(service), "-m", f"chassis.development.resource{module}"],
        cwd=service,
        env=os.environ | arguments,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"


def test_services_with_drawn_resources_are_green(new_service: Callable[..., Path], tools: Path) -> None:
    services = [new_service() for _ in range(SERVICES)]
    python_for(services[0])  # makes the environment of all
    with ThreadPoolExecutor(PROCESSES) as pool:
        for said in pool.map(partial(draw_and_check, tools), services, range(SERVICES)):
            print(said[-300:])


def draw_and_check(tools: Path, service: Path, number: int) -> str:
    """Add the resources of one service, and return what its tests say; fail unless all is green."""
    random = Random(f"{SEED} {number}")
    drawing = Drawing(random)
    for each in range(number, RESOURCES, SERVICES):
        arguments = drawing.resource()
        print(f"resource {each + 1} of {RESOURCES}: {arguments}", flush=True)
        write(service, "", arguments)
        if random.random() < 0.25:
            added = {"RESOURCE": arguments["NAME"], "FIELDS": drawing.added_fields()}
            print(f"  and {added}", flush=True)
            write(service, ".add_field", added)
    run(service, tools, "make", "openapi")
    run(service, tools, "make", "lint")
    tests = ["-m", "pytest", "--quiet", f"--timeout={MOST_SECONDS}"]
    return run(service, tools, str(python_for(service)), *tests, FUZZ_EXAMPLES="1")
