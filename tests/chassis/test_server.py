"""The life of a process: how it starts, what prevents a start, and how it ends."""

import asyncio
import itertools
import os
import signal
import socket
import sys
from contextlib import AsyncExitStack

import aiohttp
import pytest

from chassis.testing.databases import drop_database, make_database, new_name, with_database
from chassis.testing.processes import PATIENCE_SECONDS, free_port, service_process
from tests.chassis.processes import EXAMPLE, example_process, until_in_flight

SERVICE = [sys.executable, "-m", "app"]


async def test_sigterm_finishes_what_is_in_flight_serves_for_the_drain_and_ends(database_url: str) -> None:
    async with (
        example_process(database_url, environment={"DRAIN_SECONDS": "1"}) as service,
        aiohttp.ClientSession() as client,
    ):
        slow = asyncio.create_task(client.get(f"{service.api}/wait/1500"))
        await until_in_flight(service, client)
        service.process.terminate()
        await service.until_logged("draining")
        assert (await client.get(f"{service.internal}/readyz")).status == 503
        assert (await client.get(f"{service.internal}/livez")).status == 200
        late = await client.get(f"{service.api}/wait/0")
        assert (late.status, late.headers["Connection"]) == (200, "close")
        assert (await slow).status == 200
        assert await service.until_ended() == 0
        assert service.lines[-1]["event"] == "stopped"
        assert not [line for line in service.lines if line["level"] != "info" and line["event"] != "api_open"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow fewer connections to wait")
async def test_a_burst_of_new_clients_finds_room_to_wait_while_the_service_is_busy(database_url: str) -> None:
    async with example_process(database_url) as service:
        os.kill(service.process.pid, signal.SIGSTOP)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                burst = [asyncio.open_connection("127.0.0.1", service.port) for _ in range(500)]
                clients = await asyncio.gather(*burst)
        finally:
            os.kill(service.process.pid, signal.SIGCONT)
        for _, writer in clients:
            writer.close()


async def test_an_idle_connection_is_closed_after_the_keep_alive_timeout(database_url: str) -> None:
    async with example_process(database_url, environment={"KEEP_ALIVE_TIMEOUT_SECONDS": "0.2"}) as service:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(b"GET /wait/0 HTTP/1.1\r\nHost: a\r\n\r\n")
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert b"200 OK" in await reader.readline()
            await reader.read()  # until the service closes
        writer.close()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
async def test_two_colons_listen_on_ipv6_and_ipv4(database_url: str) -> None:
    async with (
        example_process(database_url, environment={"HOST": "::"}) as service,
        aiohttp.ClientSession() as client,
    ):
        for host in ("[::1]", "127.0.0.1"):
            assert (await client.get(f"http://{host}:{service.port}/wait/0")).status == 200


async def test_keep_alive_clients_lose_no_request_to_an_end(database_url: str) -> None:
    """Clients leave after `Connection: close`, as a balancer does that follows /readyz. No request is sent again."""
    async with example_process(database_url, environment={"DRAIN_SECONDS": "0.5"}) as service:
        busy = asyncio.Event()

        async def ask(client: aiohttp.ClientSession) -> int:
            for count in itertools.count(1):
                async with client.post(f"{service.api}/echo", json={"text": "a"}) as answer:
                    assert answer.status == 200
                    if count == 20:
                        busy.set()
                    if answer.headers.get("Connection") == "close":
                        return count
            raise AssertionError

        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(aiohttp.ClientSession()) for _ in range(10)]
            asking = [asyncio.create_task(ask(client)) for client in clients]
            ended = asyncio.create_task(service.until_ended())  # also reads the log
            await busy.wait()
            service.process.terminate()
            answered = sum(await asyncio.gather(*asking))
            assert await ended == 0
        assert len([line for line in service.lines if line["event"] == "request" and line["status"] == 200]) == answered


async def test_ctrl_c_leaves_the_drain_out(database_url: str) -> None:
    async with example_process(database_url, environment={"DRAIN_SECONDS": "3600"}) as service:
        service.process.send_signal(signal.SIGINT)
        assert await service.until_ended() == 0


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_it_now(database_url: str, first: int) -> None:
    async with (
        example_process(database_url, environment={"DRAIN_SECONDS": "3600"}) as service,
        aiohttp.ClientSession() as client,
    ):
        slow = asyncio.create_task(client.get(f"{service.api}/wait/3600000"))
        await until_in_flight(service, client)
        service.process.send_signal(first)
        await service.until_logged("draining")
        service.process.terminate()
        assert await service.until_ended() == 128 + signal.SIGTERM
        with pytest.raises(aiohttp.ClientConnectionError):
            await slow


async def test_the_service_itself_starts_and_ends(database_url: str) -> None:
    async with service_process(database_url, SERVICE) as service, aiohttp.ClientSession() as client:
        assert (await client.get(f"{service.api}/openapi.json")).status == 200
        service.process.terminate()
        assert await service.until_ended() == 0


async def test_nothing_listens_and_nobody_is_connected_after_the_end(database_url: str, server_url: str) -> None:
    url = await make_database(server_url)
    async with example_process(url, ready=False) as service:
        await service.until_logged("not_ready")
        service.process.terminate()
        assert await service.until_ended() == 0
        for port in (service.port, service.internal_port):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port))
    await drop_database(server_url, url)


async def test_a_port_that_is_taken_is_one_clear_line(database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = str(listener.getsockname()[1])
        for name in ("PORT", "INTERNAL_PORT"):
            async with example_process(database_url, ready=False, environment={name: taken}) as service:
                _, errors = await service.process.communicate()
                assert service.process.returncode == 1
                assert errors.decode().splitlines() == [
                    f"Cannot listen on 127.0.0.1:{taken}: {os.strerror(98)}. Free it, or set HOST, PORT, INTERNAL_PORT."
                ]


@pytest.mark.parametrize("command", ["serve", "migrate"])
async def test_a_wrong_setting_stops_every_command(command: str) -> None:
    async with service_process("oops", [*SERVICE, command], ready=False, environment={"LOG_LEVEL": "loud"}) as service:
        _, errors = await service.process.communicate()
        assert service.process.returncode == 1
        first, *rest = errors.decode().splitlines()
        assert first.startswith("The service cannot start: 2 settings are wrong")
        assert {line.split(":")[0].strip() for line in rest} == {"DATABASE_URL", "LOG_LEVEL"}


async def test_a_database_that_is_away_at_the_start_is_waited_for(server_url: str) -> None:
    """The server is up but the database does not exist. Clients see the same as with the server down."""
    name = new_name()
    url = with_database(server_url, name)
    async with example_process(url, ready=False) as service, aiohttp.ClientSession() as client:
        await service.until_logged("not_ready")
        assert (await client.get(f"{service.internal}/livez")).status == 200
        assert (await client.get(f"{service.internal}/readyz")).status == 503
        answer = await client.get(f"{service.api}/transaction")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        await make_database(server_url, name)
        assert "migrate" in (await service.until_logged("not_ready"))["waiting_for"]
        async with service_process(url, [*SERVICE, "migrate"], ready=False) as migration:
            assert await migration.until_ended() == 0
        await service.until_logged("ready")
        assert (await client.get(f"{service.internal}/readyz")).status == 200
        service.process.terminate()
        assert await service.until_ended() == 0
    await drop_database(server_url, url)


async def test_the_server_that_is_away_at_the_start_is_waited_for() -> None:
    async with example_process(f"postgresql://a@127.0.0.1:{free_port()}/b", ready=False) as service:
        assert "ConnectionRefused" in (await service.until_logged("not_ready"))["waiting_for"]
        service.process.terminate()
        assert await service.until_ended() == 0


async def test_the_event_loop_is_uvloop_and_the_parser_the_compiled_one(database_url: str) -> None:
    code = (
        "import asyncio, sys, uvloop; from aiohttp import http_parser; from chassis import command_line;"
        "command_line.serve = lambda *_: probe();\n"
        "async def probe():\n"
        "    print(type(asyncio.get_running_loop()).__module__, http_parser.HttpRequestParser.__module__)\n"
        "from app.settings import Settings; from app.routes import ROUTES; sys.argv = ['app'];"
        "command_line.main(Settings, ROUTES)"
    )
    async with service_process(database_url, [sys.executable, "-c", code], ready=False) as service:
        output, _ = await service.process.communicate()
        assert output.decode().split() == ["uvloop", "aiohttp._http_parser"]


async def test_many_idle_connections_do_not_use_up_its_files(database_url: str) -> None:
    """Shells and service managers set a low soft limit for open files."""
    command = ["sh", "-c", 'ulimit -S -n 64 && exec "$0" "$@"', *EXAMPLE]
    async with service_process(database_url, command) as service, aiohttp.ClientSession() as client:
        idle = [await asyncio.open_connection("127.0.0.1", service.port) for _ in range(100)]
        assert (await client.get(f"{service.api}/wait/0")).status == 200
        assert (await client.get(f"{service.internal}/livez")).status == 200
        for _, writer in idle:
            writer.transport.abort()


async def test_a_second_signal_ends_a_process_whose_event_loop_is_blocked(database_url: str) -> None:
    code = (
        "import time\nfrom chassis.command_line import main\nfrom chassis.service import Service\n"
        "from chassis.settings import Settings\n\nasync def blocks() -> None:\n    time.sleep(600)\n\n"
        "main(Service(settings=Settings, routes=[], background=[blocks]))\n"
    )
    async with service_process(database_url, [sys.executable, "-c", code], ready=False) as service:
        await service.until_logged("event_loop_blocked")
        service.process.terminate()
        await asyncio.sleep(0.1)  # two signals of one number that are sent at once are one
        service.process.terminate()
        assert await service.until_ended() == 128 + signal.SIGTERM
