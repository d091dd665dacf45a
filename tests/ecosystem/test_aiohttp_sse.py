"""aiohttp-sse: a client reads events as they are sent, and leaves."""

import http.client
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from tests.ecosystem.conftest import Run
from tests.ecosystem.page import LIBRARIES, code_of
from tests.ecosystem.running import Running

CODE = code_of(LIBRARIES, "aiohttp-sse")


@contextmanager
def events(service: Running) -> Iterator[http.client.HTTPResponse]:
    """Yield a response whose first three events were read; leave at the end of the block."""
    with closing(service.connect()) as connection:
        connection.request("GET", "/v1/numbers", headers={"Accept": "text/event-stream"})
        with connection.getresponse() as response:
            assert (response.status, response.headers["Content-Type"]) == (200, "text/event-stream")
            lines = [response.readline().strip() for _ in range(6)]
            assert lines == [b"data: 0", b"", b"data: 1", b"", b"data: 2", b""]
            yield response


def test_events_arrive_as_they_are_sent(run_service: Run) -> None:
    with run_service() as service, events(service):
        pass


def test_a_client_may_leave(run_service: Run) -> None:
    with run_service() as service:
        with events(service):
            pass
        assert service.until_logged("request")["status"] == 499
        assert "unavailable" not in [line["event"] for line in service.lines]
        assert service.stop() == 0


def test_a_stream_ends_with_the_service(run_service: Run) -> None:
    with run_service() as service, events(service) as response:
        began = time.monotonic()
        service.process.terminate()
        while response.readline():
            pass
        assert service.until_ended() == 0
        assert time.monotonic() - began < 3
