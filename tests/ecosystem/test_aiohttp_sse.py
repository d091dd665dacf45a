"""aiohttp-sse."""

from tests.ecosystem.conftest import Run
from tests.ecosystem.page import LIBRARIES, code_of

CODE = code_of(LIBRARIES, "aiohttp-sse")


def test_events(run_service: Run) -> None:
    with run_service(REQUEST_TIMEOUT_SECONDS="10") as service:
        connection = service.connect()
        connection.request("GET", "/v1/numbers")
        response = connection.getresponse()
        assert (response.status, response.headers["Content-Type"]) == (200, "text/event-stream")
        assert [response.readline() for _ in range(6)] == [
            b"data: 0\r\n", b"\r\n", b"data: 1\r\n", b"\r\n", b"data: 2\r\n", b"\r\n",
        ]
        response.close()
        connection.close()
        print(service.until_logged("request"), service.lines)
        print(service.stop(), service.lines)
        assert 0
