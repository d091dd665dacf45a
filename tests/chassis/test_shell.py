"""`make shell`: a prompt with what the service's functions are given."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from chassis.testing.processes import PATIENCE_SECONDS
from tests.chassis.copies import copy_of_service
from tests.chassis.terminal import CTRL_C, CTRL_D, terminal

pytestmark = pytest.mark.development
SHELL = (sys.executable, "-m", "chassis.development.shell")
SERVICE = """
from collections.abc import AsyncIterator

from app.routes import ROUTES
from app.settings import Settings
from chassis.database import Database
from chassis.service import Service


class Shelf(list[str]):
    pass


async def shelf(database: Database) -> AsyncIterator[Shelf]:
    yield Shelf(["Lamp"])
    print("the shelf is closed")


SERVICE = Service(settings=Settings, routes=ROUTES, resources=[shelf])
"""


async def test_the_prompt_has_the_database_the_settings_and_the_resources(short_tmp: Path) -> None:
    copy = copy_of_service(short_tmp / "service")
    (copy / "app" / "service.py").write_text(SERVICE, "utf-8")
    typed = (
        "row = await database.fetchval('SELECT count(*) FROM items')\n"
        "row + 41, shelf, settings.port\n"
        "1 / 0\n"
        "task = asyncio.create_task(asyncio.sleep(0, 'done'))\n"
        "await task\n"
        "exit()\n"
    )
    process = await asyncio.create_subprocess_exec(
        *SHELL, cwd=copy, stdin=PIPE, stdout=PIPE, stderr=PIPE,
        env=os.environ | {"TMPDIR": str(short_tmp), "PORT": "8123"},
    )  # fmt: skip
    async with asyncio.timeout(PATIENCE_SECONDS):
        output, errors = await process.communicate(typed.encode())
    assert process.returncode == 0, errors.decode()
    assert "(41, ['Lamp'], 8123)" in output.decode()
    assert "'done'" in output.decode()
    assert "ZeroDivisionError" in errors.decode()
    assert output.decode().endswith("the shelf is closed\n")
    assert not list(short_tmp.glob("postgres-*"))


async def test_ctrl_c_ends_a_statement_and_ctrl_d_the_shell(database_url: str) -> None:
    async with terminal(*SHELL, DATABASE_URL=database_url) as shell:
        await shell.until(">>> ")
        waits = "print('be' + 'gun'); await asyncio.sleep(3600)"
        blocks = "print('be' + 'gun'); all(True for _ in iter(int, 1))"
        for statement in (waits, blocks):
            shell.type(f"{statement}\n")
            await shell.until("begun")
            shell.type(CTRL_C)
            await shell.until("KeyboardInterrupt")
            await shell.until(">>> ")
        shell.type("await database.fetchval('SELECT 40 + 2')\n")
        await shell.until("42")
        await shell.until(">>> ")
        shell.type(CTRL_D)
        assert await shell.until_ended() == 0
