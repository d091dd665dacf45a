"""A Redis for the scenarios of a module."""

import asyncio
import os
import shutil
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from chassis.testing import free_port


@asynccontextmanager
async def redis_server() -> AsyncIterator[tuple[Process, str]]:
    """Run a Redis, and yield its process and its address once it accepts connections. Skip the test without one."""
    if not shutil.which("redis-server") and not os.environ.get("REQUIRE_REDIS"):
        pytest.skip("needs redis-server")
    port = free_port()
    options = ["--port", str(port), "--save", "", "--bind", "127.0.0.1"]
    process = await asyncio.create_subprocess_exec("redis-server", *options, stdout=PIPE)
    assert process.stdout
    try:
        async with asyncio.timeout(20):
            while b"Ready to accept connections" not in await process.stdout.readline():
                pass
        yield process, f"redis://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
