"""Logs are JSON on stdout, one line per event, with the id of the request."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from typing import Any

import aiohttp

from chassis.project import ROOT
from chassis.testing.processes import PATIENCE_SECONDS
from tests.chassis.processes import example_process


async def _logged_by(code: str) -> list[dict[str, Any]]:
    program = f"import logging, structlog\nfrom chassis.telemetry.logs import configure_logs\n{code}"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, cwd=ROOT, stdout=PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0
    return [json.loads(line) for line in output.splitlines()]


async def test_a_request_is_one_line_with_its_id(database_url: str) -> None:
    async with example_process(database_url) as service, aiohttp.ClientSession() as client:
        response = await client.get(f"{service.api}/search?word=hunter2", headers={"X-Request-ID": "abc-123.X"})
        line = await service.until_logged("request")
        assert response.headers["X-Request-ID"] == line["request_id"] == "abc-123.X"
        assert (line["method"], line["route"], line["status"], line["level"]) == ("GET", "/search", 200, "info")
        assert line["bytes"] == len(await response.read())
        assert line["duration_ms"] > 0
        assert "hunter2" not in json.dumps(service.lines)

        for malformed in ("", "a b", "x" * 65, '"}'):
            response = await client.get(f"{service.api}/search?word=a", headers={"X-Request-ID": malformed})
            line = await service.until_logged("request")
            assert line["request_id"] == response.headers["X-Request-ID"] != malformed
        # An unforeseen error is logged with its traceback and its request id.
        response = await client.get(f"{service.api}/broken")
        line = await service.until_logged("unforeseen_error")
        assert (line["level"], line["request_id"]) == ("error", (await response.json())["request_id"])
        assert "RuntimeError: a secret of the inside" in line["exception"]


async def test_requests_of_one_moment_are_told_apart(database_url: str) -> None:
    async with example_process(database_url) as service, aiohttp.ClientSession() as client:
        asked = {str(number): f"/{'search?word=a' if number % 2 else 'missing'}" for number in range(100)}
        await asyncio.gather(
            *(client.get(f"{service.api}{path}", headers={"X-Request-ID": name}) for name, path in asked.items())
        )
        lines = [await service.until_logged("request") for _ in asked]
        told = {line["request_id"]: f"{line['route']} {line['status']}" for line in lines}
        routes = {"/missing": "/missing 404", "/search?word=a": "/search 200"}
        assert told == {name: routes[path] for name, path in asked.items()}


async def test_requests_that_are_refused_for_the_load_are_one_warning_and_a_line_each(database_url: str) -> None:
    settings = {"MAX_IN_FLIGHT": "1"}
    async with example_process(database_url, environment=settings) as service, aiohttp.ClientSession() as client:
        before = len(service.lines)
        answers = await asyncio.gather(*(client.get(f"{service.api}/wait/2000") for _ in range(4)))
        assert sorted(answer.status for answer in answers) == [200, 503, 503, 503]
        for _ in answers:
            await service.until_logged("request")
        told = [(line["level"], line["event"], line.get("problem")) for line in service.lines[before:]]
        refused = ("info", "request", "overloaded")
        assert sorted(told, key=str) == sorted(
            [("warning", "unavailable", "overloaded"), refused, refused, refused, ("info", "request", None)], key=str
        )


async def test_the_database_is_named_without_its_password(database_url: str) -> None:
    url = "postgresql://someone:hunter2@127.0.0.1:1/name"
    async with example_process(url, ready=False) as service:
        line = await service.until_logged("not_ready")
        assert line["database"] == "postgresql://127.0.0.1:1/name"
        assert "hunter2" not in json.dumps(service.lines)


async def test_the_line_of_a_request_holds_what_its_handler_has_bound() -> None:
    code = (
        "from structlog.contextvars import bind_contextvars, clear_contextvars\n"
        "from chassis.telemetry.request_log import _json_line, write_line\n"
        "configure_logs('INFO', 'json')\n"
        "def log():\n"
        "    write_line('GET', '/a', 200, 0.0015, None)\n"
        "    print(_json_line('GET', '/a', 200, 0.0015, None), end='', flush=True)\n"
        "bind_contextvars(request_id='one', trace_id='two')\n"
        "log()\n"
        "bind_contextvars(user='\"\\ud800')\n"
        "log()\n"
        "clear_contextvars()\n"
        "log()\n"
    )
    lines = await _logged_by(code)
    assert [(line.get("request_id"), line.get("trace_id"), line.get("user")) for line in lines] == [
        ("one", "two", None),
        ("one", "two", None),  # the faster path, which leaves the others to structlog
        ("one", "two", '"\ud800'),
        (None, None, None),
    ]
    assert {(line["event"], line["level"], line["bytes"], line["duration_ms"]) for line in lines} == {
        ("request", "info", None, 1.5)
    }
    assert len({frozenset(line.keys() - {"request_id", "trace_id", "user"}) for line in lines}) == 1


async def test_libraries_log_in_the_same_form() -> None:
    library, own = await _logged_by(
        "configure_logs('INFO', 'json')\n"
        "logging.getLogger('some.library').warning('careful with %s', 'this')\n"
        "structlog.get_logger().info('quiet', detail=1)"
    )
    assert (library["event"], library["level"], library["logger"]) == ("careful with this", "warning", "some.library")
    assert library.keys() - {"logger"} == own.keys() - {"detail"} == {"event", "level", "timestamp"}


async def test_lines_below_the_level_are_left_out() -> None:
    assert not await _logged_by(
        "configure_logs('WARNING', 'json')\n"
        "structlog.get_logger().info('own')\nlogging.getLogger('some.library').info('library')"
    )


async def test_a_log_that_nobody_reads_holds_nothing_up(database_url: str) -> None:
    """Lines that do not fit into the pipe are dropped and counted; lines that are read later are complete."""
    async with example_process(database_url) as service, aiohttp.ClientSession() as client:
        text = "log_lines_dropped_total 0.0"
        async with asyncio.timeout(PATIENCE_SECONDS):
            while "log_lines_dropped_total 0.0" in text:
                for _ in range(100):
                    assert (await client.get(f"{service.api}/broken")).status == 500  # each logs a long line
                text = await (await client.get(f"{service.internal}/metrics")).text()
        service.process.terminate()
        assert await service.until_ended() == 0  # parses every line


async def test_a_line_that_has_begun_is_finished_before_the_next_one() -> None:
    code = (
        "import os\n"
        "stdout = os.dup(1)\n"
        "reading, writing = os.pipe()\n"
        "os.dup2(writing, 1)\n"
        "configure_logs('INFO', 'json')\n"
        "log = structlog.get_logger()\n"
        "log.info('begun', text='a' * 100_000)\n"  # more than a pipe has room for
        "log.info('dropped')\n"
        "read = os.read(reading, 200_000)\n"
        "log.info('last')\n"
        "os.write(stdout, read + os.read(reading, 200_000))\n"
    )
    assert [line["event"] for line in await _logged_by(code)] == ["begun", "last"]


async def test_a_record_of_several_lines_is_finished_before_the_next_one() -> None:
    code = (
        "import json, os\n"
        "from chassis.telemetry.metrics import LOG_LINES_DROPPED\n"
        "from chassis.telemetry.stdout import NonBlockingStdout\n"
        "stdout = os.dup(1)\n"
        "reading, writing = os.pipe()\n"
        "os.dup2(writing, 1)\n"
        "lines = NonBlockingStdout()\n"
        "lines.write('\\n'.join(['line'] * 20_000) + '\\n')\n"  # more than a pipe has room for
        "lines.write('dropped\\n')\n"
        "read = os.read(reading, 200_000)\n"
        "lines.write('last\\n')\n"
        "read = (read + os.read(reading, 200_000)).decode().splitlines()\n"
        "dropped = LOG_LINES_DROPPED._value.get()\n"
        "told = {'lines': len(read) - 1, 'last': read[-1], 'dropped': dropped}\n"
        "os.write(stdout, json.dumps(told).encode() + b'\\n')\n"
    )
    assert await _logged_by(code) == [{"lines": 20_000, "last": "last", "dropped": 1}]


async def test_a_log_whose_reader_has_gone_holds_nothing_up(database_url: str) -> None:
    async with example_process(database_url) as service, aiohttp.ClientSession() as client:
        assert service.process.stdout
        service.process.stdout._transport.close()  # type: ignore[attr-defined]
        for _ in range(3):
            assert (await client.get(f"{service.api}/search?word=a")).status == 200
        text = await (await client.get(f"{service.internal}/metrics")).text()
        assert "log_lines_dropped_total 3.0" in text


async def test_threads_may_log_at_once() -> None:
    code = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "configure_logs('INFO', 'json')\n"
        "def log(number):\n"
        "    structlog.get_logger().info('one', number=number)\n"
        "    logging.info('other')\n"
        "with ThreadPoolExecutor(8) as threads:\n"
        "    list(threads.map(log, range(2000)))\n"
    )
    assert {line["event"] for line in await _logged_by(code)} == {"one", "other"}


async def test_a_traceback_on_the_console_is_short_and_has_no_values() -> None:
    """Where the library rich is installed, the default shows the locals of all frames."""
    code = (
        "from chassis.telemetry.logs import configure_logs\nimport structlog\nconfigure_logs('INFO', 'console')\n"
        "def fail(password):\n    raise ValueError('broken')\n"
        "try:\n    fail('hunter' + '2')\nexcept ValueError:\n    structlog.get_logger().exception('failed')\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, cwd=ROOT, stdout=PIPE)
    output = (await process.communicate())[0].decode()
    assert "Traceback (most recent call last)" in output
    assert "ValueError: broken" in output
    assert "hunter2" not in output
    assert len(output.splitlines()) < 10
