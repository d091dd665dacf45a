"""Smoke test of the fault experiments: runs five of them, scaled down. `make faults` runs all at full scale."""

import subprocess

from harness.repository import BUILD, REPOSITORY


def test_an_experiment_runs_and_tells_what_held() -> None:
    command = [
        "make",
        "faults",
        "QUICK=1",
        "ONLY=stopping.rolling-gunicorn database.terminate streams.stop-gunicorn streams.database writes.rolling",
    ]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert done.stdout.count(": held (") == 5
    page = (BUILD / "faults" / "faults.md").read_text(encoding="utf-8")
    assert page.count("| held |") >= 5
