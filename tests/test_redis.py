"""A real Redis as a service's resource, as docs/chassis/how-to/use-redis.md tells it: away, killed, hanging."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.environments import python_with
from harness.repository import REPOSITORY
from tests.services import run

pytestmark = pytest.mark.skipif(
    not shutil.which("redis-server") and not os.environ.get("REQUIRE_REDIS"), reason="needs redis-server"
)
PAGE = Path("docs", "chassis", "how-to", "use-redis.md")
IMPORTS = """from redis.exceptions import RedisError

from app.cache import redis, redis_works
from chassis.errors import Problem
from chassis.service import Resource, Service
"""
ROUTE = """
from redis.asyncio import Redis

async def read_state(redis: Redis) -> bool:
    return bool(await redis.ping())

ROUTES.append(Route("GET", "/v1/cache", read_state))
"""
# Runs in the service's environment, with its test kit.
PROGRAM = """
import asyncio, json, sys
from asyncio.subprocess import DEVNULL
import aiohttp
from chassis.testing import free_port, service_process
from chassis.testing.databases import migrated_database, postgres_server

async def say(session, service, what):
    answer = await session.get(f"{service.api}/v1/cache")
    body = await answer.json()
    ready = (await session.get(f"{service.internal}/readyz")).status
    print(json.dumps([what, answer.status, body if answer.ok else body["type"], ready]), flush=True)

async def redis_server(port):
    options = ["--port", str(port), "--save", "", "--bind", "127.0.0.1", "--daemonize", "no"]
    return await asyncio.create_subprocess_exec("redis-server", *options, stdout=DEVNULL)

async def main(url):
    port = free_port()
    environment = {"REDIS_URL": f"redis://:a-secret@127.0.0.1:{port}", "RESOURCE_TIMEOUT_SECONDS": "2"}
    starting = service_process(url, ready=False, environment=environment)
    async with starting as service, aiohttp.ClientSession() as session:
        await service.until_logged("not_ready")
        await say(session, service, "away at the start")
        server = await redis_server(port)
        await service.until_logged("ready")
        await say(session, service, "there")
        server.send_signal(19)
        await say(session, service, "hanging")
        await service.until_logged("resource_not_healthy")
        server.send_signal(18)
        await service.until_logged("resource_healthy")
        await say(session, service, "there again")
        server.kill()
        await server.wait()
        await say(session, service, "killed")
        await service.until_logged("resource_not_healthy")
        server = await redis_server(port)
        await service.until_logged("resource_healthy")
        await say(session, service, "back")
        server.send_signal(19)  # at the end, it hangs
        service.process.terminate()
        status = await service.until_ended()
        server.kill()
        await server.wait()
        print(json.dumps(["end", status, "a-secret" in json.dumps(service.lines), 0]))

with postgres_server() as server, migrated_database(server) as url:
    asyncio.run(main(url))
"""


def as_the_page_tells(service: Path) -> None:
    """Write the files of the page into a service."""
    blocks = re.findall(r"```python\n# (app/\w+\.py)[^\n]*\n(.*?)```", (service / PAGE).read_text("utf-8"), re.DOTALL)
    code = dict(blocks)
    assert list(code) == ["app/cache.py", "app/service.py"]
    [setting] = re.findall(r"`(redis_url: .*?)`", (service / PAGE).read_text("utf-8"))
    settings = service / "app" / "settings.py"
    text = settings.read_text("utf-8").replace("\nfrom chassis", "\nfrom pydantic import SecretStr\n\nfrom chassis", 1)
    settings.write_text(f"{text}\n    {setting}\n", "utf-8")
    (service / "app" / "cache.py").write_text(code["app/cache.py"], "utf-8")
    made = service / "app" / "service.py"
    text = re.sub(r"SERVICE = .*", "", made.read_text("utf-8"), flags=re.DOTALL)
    text = text.replace("from chassis.service import Service\n", IMPORTS)
    made.write_text(text + code["app/service.py"], "utf-8")
    with (service / "app" / "routes.py").open("a", encoding="utf-8") as routes:
        routes.write(ROUTE)


def test_redis_may_be_away_killed_and_hanging(new_service: Callable[..., Path], tools: Path) -> None:
    service = new_service()
    as_the_page_tells(service)
    locks = service / "requirements-dev.txt", REPOSITORY / "requirements-ecosystem.txt"
    said = run(service, tools, str(python_with("ecosystem", *locks)), "-c", PROGRAM)
    found = [json.loads(line) for line in said.splitlines() if line.startswith('["')]
    away, gone = "urn:problem-type:dependency-unavailable", "urn:problem-type:cache-unavailable"
    assert found == [
        ["away at the start", 503, away, 503],
        ["there", 200, True, 200],
        ["hanging", 503, gone, 200],
        ["there again", 200, True, 200],
        ["killed", 503, gone, 200],
        ["back", 200, True, 200],
        ["end", 0, False, 0],
    ], said


def test_the_page_passes_the_services_checks(new_service: Callable[..., Path], tools: Path) -> None:
    service = new_service()
    as_the_page_tells(service)
    locks = service / "requirements-dev.txt", REPOSITORY / "requirements-ecosystem.txt"
    python = str(python_with("ecosystem", *locks))
    run(service, tools, python, "-m", "mypy", "app/cache.py", "app/service.py")
