"""Under Gunicorn the service starts, responds and ends as it does without Gunicorn."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

from chassis.testing.processes import ServiceProcess, service_process
from tests.chassis.processes import until_in_flight

GUNICORN = [sys.executable, "-m", "gunicorn", "--config=guniconfig.py"]
EXAMPLE = [*GUNICORN, "tests.chassis.example:app"]
OBSERVED = [*GUNICORN, "tests.chassis.observed:app"]
WORKERS = "3"


async def metric(service: ServiceProcess, client: aiohttp.ClientSession, name: str) -> float:
    """Return the value of a metric without labels, or of the first series that starts with `name`."""
    text = await (await client.get(f"{service.internal}/metrics")).text()
    found = re.search(rf"^{re.escape(name)}\S* ([0-9.e+]+)$", text, re.MULTILINE)
    assert found, text
    return float(found[1])


async def test_the_service_itself_starts_and_ends(database_url: str) -> None:
    async with service_process(database_url, [*GUNICORN, "app_wsgi:app"]) as service, aiohttp.ClientSession() as client:
        assert (await client.get(f"{service.api}/openapi.json")).status == 200
        service.process.terminate()
        assert await service.until_ended() == 0


async def test_each_path_answers_on_its_own_port_only(database_url: str) -> None:
    async with (
        service_process(database_url, EXAMPLE, environment={"WEB_CONCURRENCY": WORKERS}) as service,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as client,
    ):
        for _ in range(10):  # a new connection each time, to reach every worker
            assert (await client.get(f"{service.api}/wait/0")).status == 200
            assert (await client.get(f"{service.api}/readyz")).status == 404
            assert (await client.get(f"{service.internal}/readyz")).status == 200
            assert (await client.get(f"{service.internal}/wait/0")).status == 404


async def test_metrics_add_up_over_the_workers(database_url: str) -> None:
    async with (
        service_process(database_url, EXAMPLE, environment={"WEB_CONCURRENCY": WORKERS}) as service,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as client,
    ):
        for _ in range(30):
            await client.get(f"{service.api}/wait/0")
        count = 'http_server_request_duration_seconds_count{method="GET",route="/wait/{milliseconds}",status="2xx"}'
        async with asyncio.timeout(10):
            while (
                await metric(service, client, count) < 30
            ):  # the client may get the last response shortly before it is counted
                pass
        for _ in range(5):
            assert await metric(service, client, count) == 30
        assert await metric(service, client, "service_ready") == int(WORKERS)


async def test_a_service_s_own_metrics_add_up_over_the_workers(database_url: str) -> None:
    async with (
        service_process(database_url, OBSERVED, environment={"WEB_CONCURRENCY": WORKERS}) as service,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as client,
    ):
        for _ in range(30):
            assert (await client.post(f"{service.api}/orders/1")).status == 204
        for _ in range(5):
            assert await metric(service, client, "orders_total") == 30
            assert await metric(service, client, "order_picking_seconds_sum") == 30
            assert await metric(service, client, "orders_known") == 7
        assert await metric(service, client, "orders_queued") in {2, 4, 6}  # of the workers that had requests


async def test_a_worker_that_is_blocked_names_the_place(database_url: str) -> None:
    async with (
        service_process(database_url, OBSERVED, environment={"WEB_CONCURRENCY": "2"}) as service,
        aiohttp.ClientSession() as client,
    ):
        assert (await client.post(f"{service.api}/block/3000")).status == 204
        assert (await service.until_logged("event_loop_blocked"))["where"].endswith(" in block")


async def test_sigterm_drains_as_it_does_without_gunicorn(database_url: str, tmp_path: Path) -> None:
    settings = {"WEB_CONCURRENCY": WORKERS, "DRAIN_SECONDS": "1", "TMPDIR": str(tmp_path)}
    async with (
        service_process(database_url, EXAMPLE, environment=settings) as service,
        aiohttp.ClientSession() as client,
    ):
        slow = asyncio.create_task(client.get(f"{service.api}/wait/1500"))
        await client.get(f"{service.api}/wait/0")
        service.process.terminate()
        await service.until_logged("draining")
        assert (await client.get(f"{service.internal}/readyz")).status == 503
        late = await client.get(f"{service.api}/wait/0")
        assert late.status == 200
        assert (await slow).status == 200
        assert await service.until_ended() == 0
        assert sum(line["event"] == "stopped" for line in service.lines) == int(WORKERS)
        assert not list(tmp_path.iterdir())


async def test_a_second_sigterm_ends_it_now(database_url: str) -> None:
    async with (
        service_process(database_url, EXAMPLE, environment={"DRAIN_SECONDS": "3600"}) as service,
        aiohttp.ClientSession() as client,
    ):
        slow = asyncio.create_task(client.get(f"{service.api}/wait/3600000"))
        await until_in_flight(service, client)
        service.process.terminate()
        await service.until_logged("draining")
        service.process.terminate()
        await service.until_ended()
        with pytest.raises(aiohttp.ClientConnectionError):
            await slow


async def test_a_sigterm_to_the_whole_group_is_one_wish_to_end(database_url: str) -> None:
    """systemd signals the master and its workers; the workers also get a signal from the master."""
    async with (
        service_process(database_url, EXAMPLE, environment={"DRAIN_SECONDS": "2"}) as service,
        aiohttp.ClientSession() as client,
    ):
        slow = asyncio.create_task(client.get(f"{service.api}/wait/500"))
        await until_in_flight(service, client)
        os.killpg(service.process.pid, signal.SIGTERM)
        assert (await slow).status == 200
        assert (await client.get(f"{service.api}/wait/0")).status == 200  # on a new connection: the drain goes on
        assert await service.until_ended() == 0


async def test_ctrl_c_leaves_the_drain_out(database_url: str) -> None:
    async with service_process(database_url, EXAMPLE, environment={"DRAIN_SECONDS": "3600"}) as service:
        service.process.send_signal(signal.SIGINT)
        assert await service.until_ended() == 0


async def test_the_pod_is_unready_until_every_worker_is_ready(database_url: str) -> None:
    """A killed worker is replaced, and the pod is ready again when the new worker is ready."""
    async with (
        service_process(database_url, EXAMPLE, environment={"WEB_CONCURRENCY": "2"}) as service,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as client,
    ):
        booted = next(line["event"] for line in service.lines if "Booting worker" in line["event"])
        os.kill(int(re.findall(r"\d+", booted)[0]), signal.SIGKILL)
        await service.until_logged("ready")
        async with asyncio.timeout(10):
            while (await client.get(f"{service.internal}/readyz")).status != 200:
                await asyncio.sleep(0.02)


async def test_a_reload_keeps_the_folder_of_the_metrics(database_url: str, tmp_path: Path) -> None:
    async with service_process(database_url, EXAMPLE, environment={"TMPDIR": str(tmp_path)}) as service:
        before = list(tmp_path.iterdir())
        service.process.send_signal(signal.SIGHUP)
        await service.until_logged("ready")
        await service.until_ready()
        assert list(tmp_path.iterdir()) == before
        service.process.terminate()
        assert await service.until_ended() == 0
        assert not list(tmp_path.iterdir())


async def test_wrong_settings_stop_the_start_with_every_mistake_named() -> None:
    async with service_process("oops", EXAMPLE, ready=False, environment={"LOG_LEVEL": "loud"}) as service:
        _, errors = await service.process.communicate()
        assert service.process.returncode not in {0, None}
        assert b"DATABASE_URL" in errors
        assert b"LOG_LEVEL" in errors


@pytest.mark.parametrize("option", ["max_requests = 0", "control_socket_disable = True"])
def test_what_would_break_it_is_off(option: str) -> None:
    with open("guniconfig.py", encoding="utf-8") as config:
        assert option in config.read()


async def test_a_process_that_has_only_just_begun_to_count_breaks_no_probe_and_no_scrape(
    database_url: str, tmp_path: Path
) -> None:
    settings = {"WEB_CONCURRENCY": "1", "TMPDIR": str(tmp_path)}
    async with (
        service_process(database_url, EXAMPLE, environment=settings) as service,
        aiohttp.ClientSession() as client,
    ):
        [folder] = {file.parent for file in tmp_path.rglob("*.db")}
        (folder / "histogram_1.db").touch()  # prometheus-client creates a file before it sets the file's size
        for path in ("/readyz", "/metrics"):
            assert (await client.get(f"{service.internal}{path}")).status == 200
