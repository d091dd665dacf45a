"""The peers of the benchmark implement the API of the service. Each runs in a separate process on a real PostgreSQL."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from benchmarks.peers.environment import COMMANDS, command, python
from harness.environments import python_for
from harness.ports import free_port
from harness.repository import REPOSITORY
from harness.waiting import PATIENCE_SECONDS, POLL_SECONDS

# Runs the database server until its standard input is closed.
DATABASE = """
import os, subprocess, sys
from chassis.development.postgres import embedded_postgres
with embedded_postgres() as url:
    environment = os.environ | {"DATABASE_URL": url}
    subprocess.run([sys.executable, "-m", "app", "migrate"], env=environment, check=True, stdout=sys.stderr)
    print(url, flush=True)
    sys.stdin.read()
"""
PEERS = [name for name in COMMANDS if name != "floor-static"]
LAMP = {"name": "Lamp", "description": "Bright", "price_cents": 1999}
FIELDS = {*LAMP, "id", "created_at", "updated_at"}


@pytest.fixture(scope="module")
def environment(new_service: Callable[..., Path]) -> Iterator[dict[str, str]]:
    """Yield the environment variables for a peer, with the address of a database that a service has migrated."""
    service = new_service()
    program = [str(python_for(service)), "-c", DATABASE]
    with subprocess.Popen(program, cwd=service, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        assert url, "no database"
        yield os.environ | {"DATABASE_URL": url, "DATABASE_POOL_SIZE": "2"}
        process.communicate()


@contextmanager
def running(name: str, environment: dict[str, str]) -> Iterator[int]:
    """Start a peer and yield its port when it accepts connections. Skips the test of `go` where Go is missing."""
    if name == "go" and not shutil.which("go") and "REQUIRE_GO" not in os.environ:
        pytest.skip("Go is not installed here: it builds the peer")
    port = free_port()
    with subprocess.Popen(command(name, port), cwd=REPOSITORY, env=environment | {"PORT": str(port)}) as process:
        try:
            until_listening(process, port)
            yield port
        finally:
            process.terminate()


def until_listening(process: subprocess.Popen[bytes], port: int) -> None:
    patience = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < patience:
        assert process.poll() is None, "it ended"
        try:
            ask(port, "GET", "/")
        except ConnectionError:
            time.sleep(POLL_SECONDS)
        else:
            return
    raise AssertionError("it does not answer")


def ask(port: int, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """Send a request, and return status and body of the response. A JSON body is decoded."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    connection.request(method, path, content, {"Content-Type": "application/json"} if content is not None else {})
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    return answer.status, json.loads(said) if answer.headers.get_content_type() == "application/json" else said


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_keeps_the_contract(name: str, environment: dict[str, str]) -> None:
    with running(name, environment) as port:
        status, created = ask(port, "POST", "/v1/items", LAMP)
        assert (status, set(created), created | LAMP) == (201, FIELDS, created)
        assert datetime.fromisoformat(created["created_at"]).utcoffset() is not None
        path = f"/v1/items/{created['id']}"
        assert ask(port, "GET", path) == (200, created)

        status, updated = ask(port, "PUT", path, {"name": "Lantern", "price_cents": 0})
        assert status == 200
        expected = created | {"name": "Lantern", "description": "", "price_cents": 0}
        assert updated == expected | {"updated_at": updated["updated_at"]}
        assert datetime.fromisoformat(updated["updated_at"]) > datetime.fromisoformat(created["updated_at"])
        assert ask(port, "GET", path) == (200, updated)

        missing = "/v1/items/999999999"
        assert ask(port, "GET", missing)[0] == ask(port, "PUT", missing, LAMP)[0] == 404

        others = [ask(port, "POST", "/v1/items", LAMP)[1] for _ in range(2)]
        status, page = ask(port, "GET", f"/v1/items?limit=2&cursor={created['id'] - 1}")
        assert (status, page["items"]) == (200, [updated, others[0]])
        assert set(page) == {"items", "next_cursor"}
        status, rest = ask(port, "GET", f"/v1/items?limit=50&cursor={page['next_cursor']}")
        assert (status, rest) == (200, {"items": others[1:], "next_cursor": None})
        assert ask(port, "GET", "/v1/items?cursor=999999999") == (200, {"items": [], "next_cursor": None})


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_refuses_a_body_that_breaks_the_rules(name: str, environment: dict[str, str]) -> None:
    bad = [b"{", [], LAMP | {"name": ""}, LAMP | {"name": "x" * 201}, LAMP | {"description": "x" * 2001}]
    bad += [LAMP | {"name": None}, LAMP | {"description": None}, LAMP | {"name": 1}]
    bad += [LAMP | {"price_cents": price} for price in (-1, 2**53, "a lot", None)] + [{"name": "Lamp"}]
    with running(name, environment) as port:
        for body in bad:
            assert ask(port, "POST", "/v1/items", body)[0] in {400, 422}, body
            assert ask(port, "PUT", "/v1/items/1", body)[0] in {400, 422}, body
        longest = {"name": "ü" * 200, "description": "ü" * 2000, "price_cents": 2**53 - 1}
        status, created = ask(port, "POST", "/v1/items", longest)
        assert (status, created | longest) == (201, created)


def test_the_peer_in_go_asks_for_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="Install Go"):
        command("go", 8080)


def test_the_static_floor_answers_what_looks_like_an_item(environment: dict[str, str]) -> None:
    with running("floor-static", environment) as port:
        status, item = ask(port, "GET", "/v1/items/1")
    assert (status, set(item)) == (200, FIELDS)


def test_the_floor_of_the_query_counts_what_it_measured(environment: dict[str, str]) -> None:
    with running("aiohttp", environment) as port:
        ask(port, "POST", "/v1/items", LAMP)
    program = [python(), "-m", "benchmarks.peers.floor_query", "0.2", "2"]
    done = subprocess.run(
        program, cwd=REPOSITORY, env=environment, input="\n", capture_output=True, text=True, check=True
    )
    ready, measured = done.stdout.splitlines()
    assert ready == "ready"
    told = json.loads(measured)
    assert told["seconds"] >= 0.2
    assert 0 < told["cpu_seconds"] < told["seconds"]
    assert sum(told["histogram"].values()) > 10
