"""`make faults`: bakes a service with Gunicorn and runs the fault experiments on it, in its own environment."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.baking import REPOSITORY, bake, copy_what_git_would_commit
from tests.services import environment_for

OUTPUT = REPOSITORY / "build" / "faults"


def main() -> None:
    """Ends with the exit status of the experiments."""
    shutil.rmtree(OUTPUT / "service", ignore_errors=True)
    with tempfile.TemporaryDirectory() as template:
        copy_what_git_would_commit(Path(template))
        service = bake(Path(template), OUTPUT, {"project_slug": "service", "gunicorn": "yes"})
    environment = environment_for(service)
    ready = ["make", "--no-print-directory", f"{environment}/.ready", f"VENV={environment}"]
    subprocess.run(ready, cwd=service, check=True)
    # From the service's folder, so that `tests` is the service's and not the template's.
    command = [str(environment / "bin" / "python"), "-m", "faults", *sys.argv[1:]]
    path = {"PYTHONPATH": str(REPOSITORY)}
    sys.exit(subprocess.run(command, cwd=service, env=os.environ | path, check=False).returncode)


if __name__ == "__main__":
    main()
