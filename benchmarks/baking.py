"""The service that is measured: baked from what would be committed, with an environment of its own."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from faults.report import REPOSITORY
from tests.baking import bake, copy_what_git_would_commit
from tests.services import environment_for

OUTPUT = REPOSITORY / "build" / "bench"


def bake_service() -> tuple[Path, Path]:
    """The folder of a service that can run under Gunicorn, and the Python of its environment."""
    shutil.rmtree(OUTPUT / "service", ignore_errors=True)
    with tempfile.TemporaryDirectory() as template:
        copy_what_git_would_commit(Path(template))
        service = bake(Path(template), OUTPUT, {"project_slug": "service", "gunicorn": "yes"})
    environment = environment_for(service)
    ready = ["make", "--no-print-directory", f"{environment}/.ready", f"VENV={environment}"]
    subprocess.run(ready, cwd=service, check=True)
    return service, environment / "bin" / "python"
