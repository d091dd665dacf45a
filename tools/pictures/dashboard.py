"""Draws the order desk's dashboards: several minutes of two processes under load, one of which is restarted.

A Prometheus scrapes both once a second; `panels` draws the collected data.
"""

import asyncio
import json
import random
import shutil
import time
from asyncio.subprocess import Process
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path

from harness.commands import run_command
from harness.environments import python_of_image
from harness.example import bake_example
from harness.http import Client, request
from harness.load_generator import send
from harness.other_services import running_other_services
from harness.ports import free_port
from harness.postgres import Postgres
from harness.postgres_programs import scratch_folder
from harness.processes import WITH_HARNESS, kill, spawn
from harness.redis_server import redis_server
from harness.service import Service
from tools.pictures import panels
from tools.pictures.files import SCRATCH, program

_LOAD_SECONDS, _BURST_SECONDS, _SETTLE_SECONDS = 200, 30, 20
_RATE, _BURST_RATE = 150, 900
ORDER = {"customer_id": 1, "tags": ["phone"], "metadata": {"gift": True}}


async def draw() -> None:
    """Write dashboard.svg."""
    shutil.rmtree(SCRATCH / "order-desk", ignore_errors=True)
    baked = bake_example(SCRATCH)
    python = python_of_image(baked)
    async with AsyncExitStack() as started:
        scratch = started.enter_context(scratch_folder("dashboard-"))
        others = started.enter_context(running_other_services())
        redis = started.enter_context(redis_server())
        server = Postgres(scratch, scratch, {"max_connections": 100})
        started.push_async_callback(server.end)
        await server.set_up()
        settings = {"DATABASE_URL": server.url, "REDIS_URL": redis, "WEBHOOK_SECRET": "secret"}
        settings |= {"PAYMENT_URL": others, "WAREHOUSE_URL": others}
        await run_command(python, "-m", "app", "migrate", folder=baked, environment=settings)
        prices = scratch / "prices.csv"
        prices.write_text("LAMP,19.99\n", encoding="utf-8")
        await run_command(python, "-m", "app", "import-prices", prices, folder=baked, environment=settings)
        pods = [Service(baked, scratch, (python, "-m", "app"), settings) for _ in range(2)]
        for pod in pods:
            started.push_async_callback(pod.end)
            await pod.start()
            await pod.until_ready()
        prometheus, url = await _prometheus(pods, scratch)
        started.push_async_callback(kill, prometheus)
        print(f"Dashboard: load for {_LOAD_SECONDS} s …", flush=True)
        begun = time.time()
        orders = asyncio.create_task(_place_orders(pods[0].port))
        await _until_there_are_orders(pods[0].port)
        load = asyncio.create_task(_send(pods, _RATE, _LOAD_SECONDS))
        await asyncio.sleep(_LOAD_SECONDS * 0.3)
        await _send(pods, _BURST_RATE, _BURST_SECONDS)
        await asyncio.sleep(_LOAD_SECONDS * 0.2)
        await pods[1].stop()
        await pods[1].start()
        await pods[1].until_ready()
        await load
        orders.cancel()
        panels.draw(url, begun + _SETTLE_SECONDS, time.time())


async def _place_orders(port: int) -> None:
    """Place an order several times a second, until this is cancelled; each seventh is too expensive."""
    client = Client(port)
    await client.send(request("POST", "/v1/customers", {"email": "ada@example.com", "name": "Ada"}))
    for number in count():
        created = json.loads((await client.send(request("POST", "/v1/orders", ORDER))).body)
        path = f"/v1/orders/{created['id']}"
        line = {"sku": "LAMP", "quantity": 1, "price": "1999.00" if number % 7 == 0 else "19.99"}
        await client.send(request("POST", f"{path}/lines", line))
        await client.send(request("PUT", f"{path}/placement"))
        await asyncio.sleep(random.uniform(0.1, 0.5))


async def _until_there_are_orders(port: int) -> None:
    client, path = Client(port), "/v1/orders/8"
    while not (await client.send(request("GET", path))).ok:
        await asyncio.sleep(0.1)


async def _prometheus(pods: list[Service], scratch: Path) -> tuple[Process, str]:
    port = free_port()
    targets = [
        {
            "targets": [f"127.0.0.1:{pod.internal_port}"],
            "labels": {"namespace": "shop", "service": "order-desk-internal", "pod": f"order-desk-{number}"},
        }
        for number, pod in enumerate(pods, 1)
    ]
    configuration = {
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [{"job_name": "order-desk", "static_configs": targets}],
    }
    (scratch / "prometheus.yml").write_text(json.dumps(configuration), encoding="utf-8")  # JSON is YAML
    process = await spawn(
        *WITH_HARNESS, program("prometheus", package="prometheus"), f"--config.file={scratch / 'prometheus.yml'}",
        f"--storage.tsdb.path={scratch / 'prometheus'}", f"--web.listen-address=127.0.0.1:{port}",
        log=scratch / "prometheus.log", cwd=scratch,
    )  # fmt: skip
    return process, f"http://127.0.0.1:{port}"


async def _send(pods: list[Service], rate: int, seconds: int) -> None:
    """Send typical requests at a constant rate, divided between the pods. Some of them are invalid."""
    requests = [
        request("POST", "/v1/orders", ORDER), request("POST", "/v1/orders", ORDER),
        request("POST", "/v1/orders", {"tags": []}), request("GET", "/v1/prices/LAMP"),
        request("GET", "/v1/orders?limit=50"), request("GET", "/v1/orders/0"),
        *(request("GET", f"/v1/orders/{number}") for number in range(1, 9)),
    ]  # fmt: skip
    each = rate / len(pods)
    await asyncio.gather(*(send(requests, [pod.port], connections=25, rate=each, seconds=seconds) for pod in pods))
