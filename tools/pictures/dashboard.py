"""Draws the chart's dashboard: several minutes of two processes under load, one of which is restarted.

A Prometheus scrapes both once a second; `panels` draws the collected data.
"""

import asyncio
import json
import os
import time
import urllib.request
from asyncio.subprocess import Process
from base64 import b64encode
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.baking import bake_service
from harness.load_generators import tool
from harness.postgres import Postgres
from harness.processes import WITH_HARNESS, free_port, kill, spawn
from tools.pictures import panels
from tools.pictures.files import program

_LOAD_SECONDS, _BURST_SECONDS, _SETTLE_SECONDS = 200, 30, 20
_RATE, _BURST_RATE = 150, 900


async def draw() -> None:
    """Write dashboard.svg."""
    service, python = bake_service()
    async with AsyncExitStack() as started:
        scratch = Path(started.enter_context(TemporaryDirectory(prefix="dashboard-")))
        scratch.chmod(0o755)  # PostgreSQL's user has to read its programs there
        server = Postgres(scratch, scratch, {"max_connections": 100})
        started.push_async_callback(server.end)
        await server.create()
        await server.start()
        await server.make_database()
        pods = [Pod(service, python, server.url, scratch, number) for number in (1, 2)]
        await pods[0].migrate()
        for pod in pods:
            await pod.start()
            started.push_async_callback(pod.kill)
        prometheus, url = await _prometheus(pods, scratch)
        started.push_async_callback(kill, prometheus)
        print(f"Dashboard: load for {_LOAD_SECONDS} s …", flush=True)
        begun = time.time()
        load = asyncio.create_task(_attack(pods, _RATE, _LOAD_SECONDS, scratch / "load"))
        await asyncio.sleep(_LOAD_SECONDS * 0.3)
        await _attack(pods, _BURST_RATE, _BURST_SECONDS, scratch / "burst")
        await asyncio.sleep(_LOAD_SECONDS * 0.2)
        await pods[1].restart()
        await load
        panels.draw(url, begun + _SETTLE_SECONDS, time.time())


class Pod:
    """A process of the service that stands for a pod."""

    def __init__(self, service: Path, python: Path, database_url: str, scratch: Path, number: int) -> None:
        self.name = f"items-service-{number}"
        self.port, self.internal_port = free_port(), free_port()
        self._command = (*WITH_HARNESS, python, "-m", "app")
        self._environment = {
            "DATABASE_URL": database_url, "PORT": str(self.port), "INTERNAL_PORT": str(self.internal_port),
        }  # fmt: skip
        self._service, self._log = service, scratch / f"{self.name}.log"
        self._process: Process | None = None

    async def migrate(self) -> None:
        process = await self._spawn("migrate")
        if await process.wait() != 0:
            raise SystemExit(f"The migrations failed: {self._log.read_text(encoding='utf-8')}")

    async def start(self) -> None:
        self._process = await self._spawn()
        await asyncio.to_thread(self._until_ready)

    async def restart(self) -> None:
        """Restart as Kubernetes does: send SIGTERM, wait for the exit, start a new process."""
        assert self._process
        self._process.terminate()
        await self._process.wait()
        await self.start()

    async def kill(self) -> None:
        await kill(self._process)

    async def _spawn(self, *arguments: str) -> Process:
        return await spawn(*self._command, *arguments, log=self._log, cwd=self._service, environment=self._environment)

    def _until_ready(self) -> None:
        for _ in range(1000):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.internal_port}/readyz", timeout=1)
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"The service was not ready: {self._log.read_text(encoding='utf-8')}")


async def _prometheus(pods: list[Pod], scratch: Path) -> tuple[Process, str]:
    port = free_port()
    targets = [
        {
            "targets": [f"127.0.0.1:{pod.internal_port}"],
            "labels": {"namespace": "shop", "service": "items-service-internal", "pod": pod.name},
        }
        for pod in pods
    ]
    configuration = {
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [{"job_name": "items-service", "static_configs": targets}],
    }
    (scratch / "prometheus.yml").write_text(json.dumps(configuration), encoding="utf-8")  # JSON is YAML
    process = await spawn(
        *WITH_HARNESS, program("prometheus", package="prometheus"), f"--config.file={scratch / 'prometheus.yml'}",
        f"--storage.tsdb.path={scratch / 'prometheus'}", f"--web.listen-address=127.0.0.1:{port}",
        log=scratch / "prometheus.log", cwd=scratch,
    )  # fmt: skip
    return process, f"http://127.0.0.1:{port}"


async def _attack(pods: list[Pod], rate: int, seconds: int, file: Path) -> None:
    """Send typical requests at a constant rate to both pods in turn. Some of them are invalid."""
    item = {"name": "Lamp", "description": "Bright", "price_cents": 1999}
    requests: list[tuple[str, str, dict[str, Any] | None]] = [
        ("POST", "/v1/items", item), ("POST", "/v1/items", item), ("POST", "/v1/items", {"name": ""}),
        ("PUT", "/v1/items/1", item), ("GET", "/v1/items?limit=50", None), ("GET", "/v1/items/0", None),
        *[("GET", f"/v1/items/{number}", None) for number in range(1, 9)],
    ]  # fmt: skip
    lines = [json.dumps({"method": method, "url": f"http://127.0.0.1:{pod.port}{path}",
                         "header": {"Content-Type": ["application/json"]}, "body": _encoded(body)})
             for method, path, body in requests for pod in pods]  # fmt: skip
    file.write_text("\n".join(lines), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        tool("vegeta"), "attack", "-format=json", f"-targets={file}", f"-rate={rate}/1s", f"-duration={seconds}s",
        "-max-connections=50", f"-output={os.devnull}",
    )  # fmt: skip
    if await process.wait() != 0:
        raise SystemExit("vegeta failed.")


def _encoded(body: dict[str, Any] | None) -> str:
    return b64encode(json.dumps(body).encode()).decode() if body else ""
