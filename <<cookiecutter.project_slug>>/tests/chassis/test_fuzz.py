"""Requests that schemathesis generates from the OpenAPI document, sent to the service itself."""

import asyncio
import json
import os
import shutil
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import pytest

from chassis.project import ROOT
from tests.chassis.processes import service_process

pytestmark = pytest.mark.development
# The number of examples for each operation and phase; `make fuzz` sets more. The seed is fixed.
EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "5")


async def test_no_answer_is_outside_of_the_contract(database_url: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "schemathesis.toml", tmp_path)
    settings = {"LOG_LEVEL": "INFO", "MAX_IN_FLIGHT": "1000"}
    program = Path(sys.executable).with_name("schemathesis")
    async with service_process(database_url, [sys.executable, "-m", "app"], environment=settings) as service:
        logging = asyncio.create_task(service.process.communicate())  # a full pipe would block the service
        options = ["--checks=all", f"--max-examples={EXAMPLES}", "--seed=1", "--no-color", "--generation-database=none"]
        fuzzing = await asyncio.create_subprocess_exec(
            program, "run", f"{service.api}/openapi.json", *options, cwd=tmp_path, stdout=PIPE, stderr=STDOUT
        )
        output, _ = await fuzzing.communicate()
        service.process.terminate()
        log, _ = await logging
    text = output.decode(errors="replace")
    print(text.rpartition("SUMMARY")[2])
    assert fuzzing.returncode == 0, text[-8000:]
    assert not [line for line in map(json.loads, log.splitlines()) if line["level"] == "error"]
