"""`make faults`: bakes a service with Gunicorn and runs the fault experiments on it, in the service's environment."""

import os
import subprocess
import sys

from harness.adding import add_orders, add_streams
from harness.baking import bake_for_gunicorn
from harness.environments import python_for
from harness.laid_over import copy_tests
from harness.repository import BUILD, REPOSITORY


def main() -> None:
    """Run the experiments and exit with their status."""
    service = bake_for_gunicorn(BUILD / "faults" / "service")
    add_streams(service)
    add_orders(service)
    copy_tests(service)  # some experiments run the example of these tests
    # Runs in the service's folder, so that `tests` is the service's package and not the template's.
    command = [str(python_for(service)), "-m", "faults", *sys.argv[1:]]
    path = {"PYTHONPATH": str(REPOSITORY)}
    sys.exit(subprocess.run(command, cwd=service, env=os.environ | path, check=False).returncode)


if __name__ == "__main__":
    main()
