"""The endpoints of the internal port: health probes and metrics."""

import asyncio
import re
from pathlib import Path

import asyncpg
import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr
from structlog.testing import capture_logs

from chassis import application
from chassis.migrations.revisions import HISTORIES, History, SchemaState, read_revisions, schema_state
from chassis.migrations.run import migrate
from chassis.postgres.pool import Pool
from chassis.settings import Settings
from chassis.testing.databases import drop_database, make_database
from tests.chassis.conftest import Running, Start
from tests.chassis.histories import write_history


async def test_a_started_service_is_alive_and_ready(service: Running) -> None:
    for path, status in (("/livez", "alive"), ("/readyz", "ready")):
        response = await service.internal.get(path)
        assert (response.status, await response.json()) == (200, {"status": status})


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
async def test_the_internal_paths_are_not_on_the_api_port(service: Running, path: str) -> None:
    assert (await service.api.get(path)).status == 404


async def test_a_draining_service_is_alive_and_unready_and_still_answers(start: Start) -> None:
    service = await start(drain_seconds=30)
    service.stop.request()
    async with asyncio.timeout(10):
        while (response := await service.internal.get("/readyz")).status == 200:
            await asyncio.sleep(0.01)
    assert (response.status, await response.json()) == (503, {"status": "draining"})
    assert (await service.internal.get("/livez")).status == 200
    assert (await service.api.get("/wait/0")).status == 200


async def test_a_database_behind_the_code_keeps_the_service_unready_until_it_is_migrated(
    start: Start, server_url: str
) -> None:
    url = await make_database(server_url)
    try:
        with capture_logs() as logs:
            service = await start(wait=False, database_url=SecretStr(url))
            async with asyncio.timeout(10):
                while not any(line["event"] == "not_ready" for line in logs):
                    await asyncio.sleep(0.01)
        assert (
            "run `python -m app migrate`" in next(line for line in logs if line["event"] == "not_ready")["waiting_for"]
        )
        assert (await service.internal.get("/readyz")).status == 503
        # Before the migration, a missing table does not count as an error of the code.
        write = "/search-and-write?word=a"
        assert (await service.api.post(write)).status == 503
        await migrate(service.application.settings)
        await service.until_ready()
        assert (await service.api.post(write)).status == 500
        service.stop.request(immediate=True)
        await service.served
    finally:
        await drop_database(server_url, url)


async def test_a_database_at_a_known_earlier_revision_is_behind_and_at_an_unknown_one_ahead(
    settings: Settings, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = write_history(tmp_path, "op.execute('SELECT 1')", "op.execute('SELECT 2')")
    monkeypatch.setattr("chassis.migrations.revisions.HISTORIES", [history])
    connection = await asyncpg.connect(database_url)
    await connection.execute(f"CREATE TABLE {history.table} AS SELECT '0001' AS version_num")
    async with Pool(settings) as pool:
        assert await schema_state(pool) is SchemaState.BEHIND
        for revision, state in (("0002", SchemaState.CURRENT), ("0003", SchemaState.AHEAD)):
            await connection.execute(f"UPDATE {history.table} SET version_num = $1", revision)
            assert await schema_state(pool) is state
    await connection.execute(f"DROP TABLE {history.table}")
    await connection.close()


async def test_a_database_that_refuses_to_tell_its_revision_is_told_in_the_log(start: Start, server_url: str) -> None:
    url = await make_database(server_url)
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE chassis_version (something_else text)")
    await connection.close()
    with capture_logs() as logs:
        service = await start(wait=False, database_url=SecretStr(url))
        async with asyncio.timeout(10):
            while not any(line["event"] == "not_ready" for line in logs):
                await asyncio.sleep(0.01)
    assert "UndefinedColumnError" in next(line for line in logs if line["event"] == "not_ready")["waiting_for"]
    assert (await service.internal.get("/readyz")).status == 503
    service.stop.request(immediate=True)
    await service.served
    await drop_database(server_url, url)


async def test_an_address_that_cannot_be_read_is_told_in_the_log(start: Start) -> None:
    with capture_logs() as logs:
        service = await start(wait=False, database_url=SecretStr("postgresql:///name?host=/nowhere&port=x"))
        async with asyncio.timeout(10):
            while not any(line["event"] == "not_ready" for line in logs):
                await asyncio.sleep(0.01)
    assert (await service.internal.get("/readyz")).status == 503


async def test_a_database_ahead_of_the_code_is_fine(start: Start, server_url: str) -> None:
    url = await make_database(server_url)
    try:
        service = await start(wait=False, database_url=SecretStr(url))
        await migrate(service.application.settings)
        await service.until_ready()
        # During a rolling update or after a rollback, old code finds a revision that only newer code knows.
        connection = await asyncpg.connect(url)
        await connection.execute("UPDATE alembic_version SET version_num = 'from the future'")
        await connection.close()
        await migrate(service.application.settings)
        later = await start(database_url=SecretStr(url))
        for each in (service, later):
            each.stop.request(immediate=True)
            await each.served
    finally:
        await drop_database(server_url, url)


async def test_requests_are_counted_by_method_route_and_status_class(service: Running) -> None:
    for path in ("/wait/1", "/wait/2", "/wait/x", "/unknown/1", "/unknown/2"):
        await service.api.get(path)
    metrics = await (await service.internal.get("/metrics")).text()
    count = "http_server_request_duration_seconds_count"
    assert f'{count}{{method="GET",route="/wait/{{milliseconds}}",status="2xx"}} ' in metrics
    assert f'{count}{{method="GET",route="/wait/{{milliseconds}}",status="4xx"}} ' in metrics
    assert f'{count}{{method="GET",route="unmatched",status="4xx"}} ' in metrics
    assert "/unknown" not in metrics
    for line in ("http_server_active_requests 0.0", "service_ready 1.0", "service_build_info{"):
        assert line in metrics


async def test_the_pool_and_the_event_loop_are_measured(start: Start) -> None:
    service = await start(database_pool_size=1, database_acquire_timeout_seconds=5)
    slow = [asyncio.create_task(service.api.get("/sleep/1100")) for _ in range(2)]
    wanted = {
        'db_client_connection_count{state="used"} 1.0',
        'db_client_connection_count{state="idle"} 0.0',
        "db_client_connection_max 1.0",
        "db_client_connection_pending_requests 1.0",
    }
    async with asyncio.timeout(10):
        while not wanted <= set((text := await (await service.internal.get("/metrics")).text()).splitlines()):
            await asyncio.sleep(0.05)
    assert re.search(r"^event_loop_lag_seconds [0-9.e-]+$", text, re.MULTILINE)
    await asyncio.gather(*slow)


def refusals(metrics: str) -> dict[str, float]:
    """Return the number of refusals by reason."""
    found = re.findall(r'^db_client_connection_refusals_total{reason="(\w+)"} (\S+)$', metrics, re.MULTILINE)
    return {reason: float(count) for reason, count in found}


async def test_refused_requests_for_a_connection_are_counted_by_reason(start: Start) -> None:
    service = await start(database_pool_size=1, database_acquire_timeout_seconds=0.05)
    before = refusals(await (await service.internal.get("/metrics")).text())
    answers = await asyncio.gather(*(service.api.get("/sleep/500") for _ in range(3)))
    assert sorted(each.status for each in answers) == [200, 503, 503]
    after = refusals(await (await service.internal.get("/metrics")).text())
    assert before.keys() == {"all_in_use", "cannot_connect"}
    assert {reason: after[reason] - before[reason] for reason in after} == {"all_in_use": 2, "cannot_connect": 0}


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: str(history.table))
def test_the_newest_revision_is_the_one_that_nothing_follows(history: History) -> None:
    revisions = read_revisions(history.versions)
    assert revisions.head in revisions.known


async def test_the_metrics_of_requests_are_brought_up_to_date_by_themselves(service: Running) -> None:
    """Another process of the pod may answer `/metrics`."""
    labels = {"method": "GET", "route": "/wait/{milliseconds}", "status": "2xx"}

    def count() -> float:
        return REGISTRY.get_sample_value("http_server_request_duration_seconds_count", labels) or 0

    before = count()
    assert (await service.api.get("/wait/0")).status == 200
    async with asyncio.timeout(10):
        while count() == before:
            await asyncio.sleep(0.01)
    assert count() == before + 1


async def test_a_task_that_ends_with_an_error_is_logged_at_once(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> None:
        raise RuntimeError("the disk of the metrics is full")

    monkeypatch.setattr(application, "measure_requests", fail)
    with capture_logs() as logs:
        service = await start()
        assert (await service.api.get("/wait/0")).status == 200
    [line] = [line for line in logs if line["event"] == "unforeseen_error"]
    assert str(line["exc_info"]) == "the disk of the metrics is full"
