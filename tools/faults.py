"""`make faults`: bakes a service with Gunicorn and runs the fault experiments on it, in the service's environment."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from harness.adding import add_orders, add_streams
from harness.baking import bake_for_gunicorn, bake_release
from harness.environments import python_for, python_with
from harness.laid_over import copy_tests
from harness.repository import BUILD, REPOSITORY

_EARLIER = "0.2.1"


def main() -> None:
    """Run the experiments and exit with their status."""
    service = bake_for_gunicorn(BUILD / "faults" / "service")
    add_streams(service)
    add_orders(service)
    copy_tests(service)  # some experiments run the example of these tests
    # Runs in the service's folder, so that `tests` is the service's package and not the template's.
    command = [str(python_for(service)), "-m", "faults", *sys.argv[1:]]
    with tempfile.TemporaryDirectory() as folder:
        earlier = bake_release(_EARLIER, Path(folder))
        add_orders(earlier)
        python = python_with("service", earlier / "requirements.txt")
        variables = {"PYTHONPATH": str(REPOSITORY), "EARLIER_SERVICE": str(earlier), "EARLIER_PYTHON": str(python)}
        done = subprocess.run(command, cwd=service, env=os.environ | variables, check=False)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
