"""Imports by the module names of releases up to 0.2."""

import sys

from chassis.testing.processes import service_process
from tests.chassis.processes import EXAMPLE

OLD = (
    "import runpy; from chassis.limits import InFlight, limits; from chassis.server import Stop; import chassis.pool;"
    "runpy.run_module('tests.chassis.example', run_name='__main__', alter_sys=True)"
)


async def test_old_imports_work_and_are_logged_once_at_the_start(database_url: str) -> None:
    async with service_process(database_url, [sys.executable, "-c", OLD]) as service:
        service.process.terminate()
        assert await service.until_ended() == 0
    [line] = [line for line in service.lines if line["event"] == "deprecated_imports"]
    assert line["level"] == "warning"
    assert line["now"] == {"chassis.limits": "chassis.http.admission", "chassis.server": "chassis.server.signals"}


async def test_a_service_of_today_imports_nothing_by_an_old_name(database_url: str) -> None:
    async with service_process(database_url, EXAMPLE) as service:
        service.process.terminate()
        assert await service.until_ended() == 0
    assert "deprecated_imports" not in {line["event"] for line in service.lines}
