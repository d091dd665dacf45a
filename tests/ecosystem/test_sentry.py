"""sentry-sdk: an unforeseen error arrives at the address of the DSN, with its request; the client gets a problem."""

import gzip
import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.ecosystem.conftest import Run
from tests.ecosystem.page import LIBRARIES, code_of
from tests.ecosystem.running import PATIENCE_SECONDS

ROUTES = '''"""All routes of the service."""

from chassis.contract import Route
from chassis.errors import NotFoundError


async def fail(order_id: int) -> int:
    return 1 // order_id


async def miss() -> int:
    raise NotFoundError("There is no such order.")


ROUTES = [
    Route("GET", "/v1/orders/{order_id}", fail),
    Route("GET", "/v1/missing", miss, raises=(NotFoundError,)),
]
'''
CODE = code_of(LIBRARIES, "sentry-sdk") | {"app/routes.py": ROUTES}


BACKGROUND = """

async def fail_beside() -> None:
    raise RuntimeError("a failure beside requests")


import dataclasses
SERVICE = dataclasses.replace(SERVICE, background=[fail_beside])
"""


class Ingest(ThreadingHTTPServer):
    """Takes the events that sentry-sdk sends, as Sentry's ingest endpoint does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Envelope)
        self.events: queue.Queue[dict[str, Any]] = queue.Queue()

    @property
    def dsn(self) -> str:
        return f"http://a-public-key@127.0.0.1:{self.server_port}/1"


class _Envelope(BaseHTTPRequestHandler):
    server: Ingest

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        _, *items = [json.loads(line) for line in body.splitlines() if line]
        for kind, item in zip(items[::2], items[1::2], strict=True):
            if kind["type"] == "event":
                self.server.events.put(item)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Write no log."""


@pytest.fixture
def ingest() -> Iterator[Ingest]:
    with Ingest() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_an_unforeseen_error_is_reported_with_its_request(run_service: Run, ingest: Ingest) -> None:
    with run_service(SENTRY_DSN=ingest.dsn) as service:
        assert service.get("/v1/missing").status == 404  # foreseen, and so not reported
        failed = service.get("/v1/orders/0", {"X-Request-ID": "a-request", "Authorization": "Bearer a-secret"})
        assert (failed.status, failed.json["type"]) == (500, "urn:problem-type:internal-error")
        event = ingest.events.get(timeout=PATIENCE_SECONDS)
        assert event["exception"]["values"][-1]["type"] == "ZeroDivisionError"
        assert event["transaction"] == "GET /v1/orders/{order_id}"
        assert event["request"]["method"] == "GET"
        assert event["request"]["url"].endswith("/v1/orders/0")
        assert event["tags"]["request_id"] == "a-request"
        assert "a-secret" not in str(event)
        assert service.stop() == 0
    assert ingest.events.empty()


def test_an_error_of_background_work_is_reported(made: Path, run_service: Run, ingest: Ingest) -> None:
    with (made / "app" / "service.py").open("a", encoding="utf-8") as file:
        file.write(BACKGROUND)
    with run_service(SENTRY_DSN=ingest.dsn):
        event = ingest.events.get(timeout=PATIENCE_SECONDS)
    assert event["exception"]["values"][-1]["value"] == "a failure beside requests"
    assert event["tags"]["background"] == "fail_beside"
