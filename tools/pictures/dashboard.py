"""The chart's dashboard, over some minutes of two processes under load, one of which is restarted.

Its queries are put to a Prometheus that asks both once a second, and its panels are drawn where Grafana draws them.
"""

import asyncio
import json
import os
import time
import urllib.parse
import urllib.request
from asyncio.subprocess import Process
from base64 import b64encode
from contextlib import AsyncExitStack
from datetime import datetime
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from benchmarks.baking import bake_service
from benchmarks.tools import tool
from faults.postgres import Postgres
from faults.processes import WITH_HARNESS, free_port, kill, spawn
from tools.pictures.files import PICTURES, ROOT, program

_NAMES = {"NAMESPACE_NAME": "shop", "INTERNAL_NAME": "items-service-internal", "$__rate_interval": "15s"}
_UNITS = {"reqps": "/s", "s": "s", "percentunit": ".0%", "short": ""}
_LOAD_SECONDS, _BURST_SECONDS, _SETTLE_SECONDS = 200, 30, 20
_RATE, _BURST_RATE = 150, 900
_COLUMNS = 24  # of Grafana's grid


async def draw() -> None:
    """Writes dashboard.svg."""
    service, python = bake_service()
    async with AsyncExitStack() as started:
        scratch = Path(started.enter_context(TemporaryDirectory(prefix="dashboard-")))
        scratch.chmod(0o755)  # PostgreSQL's user reads its programs there
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
        begun = datetime.now().timestamp()
        load = asyncio.create_task(_attack(pods, _RATE, _LOAD_SECONDS, scratch / "load"))
        await asyncio.sleep(_LOAD_SECONDS * 0.3)
        await _attack(pods, _BURST_RATE, _BURST_SECONDS, scratch / "burst")
        await asyncio.sleep(_LOAD_SECONDS * 0.2)
        await pods[1].restart()
        await load
        _picture(_panels(), url, begun + _SETTLE_SECONDS, datetime.now().timestamp())


class Pod:
    """A process of the service, with the name of a pod."""

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
        """As Kubernetes does it: SIGTERM, and a new one when the old one has gone."""
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
    """Sends the usual requests at a rate, to both in turn; some of them are mistakes."""
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


def _panels() -> list[dict[str, Any]]:
    text = (ROOT / "chart" / "dashboards" / "service.json").read_text(encoding="utf-8")
    for name, value in _NAMES.items():
        text = text.replace(name, value)
    return list(json.loads(text)["panels"])


def _series(url: str, expression: str, begun: float, ended: float) -> list[dict[str, Any]]:
    query = urllib.parse.urlencode({"query": expression, "start": begun, "end": ended, "step": 1})
    with urllib.request.urlopen(f"{url}/api/v1/query_range?{query}", timeout=30) as response:
        return list(json.load(response)["data"]["result"])


def _legend(form: str, labels: dict[str, str]) -> str:
    for name, value in labels.items():
        form = form.replace(f"{{{{{name}}}}}", value)
    return form


def _picture(panels: list[dict[str, Any]], url: str, begun: float, ended: float) -> None:
    """Panels lie in rows of equal height, as many beside each other as fit into the grid."""
    across = _COLUMNS // panels[0]["gridPos"]["w"]
    rows = -(-len(panels) // across)
    figure = make_subplots(rows, across, subplot_titles=[panel["title"] for panel in panels], vertical_spacing=0.045)
    for number, panel in enumerate(panels):
        row, column = number // across + 1, number % across + 1
        legend = f"legend{number + 1}" if number else "legend"
        highest = 0.0  # the legend lies above it
        for target in panel["targets"]:
            for series in _series(url, target["expr"], begun, ended):
                times = [datetime.fromtimestamp(time) for time, _ in series["values"]]
                values = [float(value) for _, value in series["values"]]
                highest = max(highest, *filter(isfinite, values))
                name = _legend(target["legendFormat"], series["metric"])
                figure.add_trace(go.Scatter(x=times, y=values, name=name, legend=legend, line_width=1.2), row, column)
        unit = _UNITS[panel["fieldConfig"]["defaults"]["unit"]]
        form = {"tickformat": unit} if unit.startswith(".") else {"ticksuffix": f" {unit}".rstrip()}
        figure.update_xaxes(row=row, col=column, range=[datetime.fromtimestamp(begun), datetime.fromtimestamp(ended)])
        figure.update_yaxes(row=row, col=column, range=[0, 1.5 * highest or 1], **form)
        x, y = figure.get_subplot(row, column).xaxis.domain[1], figure.get_subplot(row, column).yaxis.domain[1]
        figure.update_layout(
            {
                legend: {
                    "x": x,
                    "y": y,
                    "xanchor": "right",
                    "yanchor": "top",
                    "font_size": 9,
                    "bgcolor": "rgba(255,255,255,0.7)",
                }
            }
        )
    figure.update_annotations(font_size=12)
    figure.update_layout(template="plotly_white", font_size=10, margin={"t": 30, "b": 20, "l": 50, "r": 10})
    PICTURES.mkdir(parents=True, exist_ok=True)
    figure.write_image(PICTURES / "dashboard.svg", width=1000, height=230 * rows)
