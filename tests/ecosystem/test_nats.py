"""nats-py: a handler publishes, background work receives, also after the broker was away."""

import os

import pytest

from harness.ports import free_port
from harness.programs import find
from tests.ecosystem.conftest import Run
from tests.ecosystem.page import LIBRARIES, code_of
from tests.ecosystem.running import Running, server, until

CODE = code_of(LIBRARIES, "nats-py")
NATS = find("nats-server") or "nats-server"
pytestmark = pytest.mark.skipif(
    not find("nats-server") and not os.environ.get("REQUIRE_NATS"), reason="needs nats-server"
)


def received(service: Running) -> set[str]:
    return {item["name"] for item in service.get("/v1/items").json["items"]}


def test_a_published_message_is_received(run_service: Run) -> None:
    port = free_port()
    command = (NATS, "--addr", "127.0.0.1", "--port", str(port))
    with run_service("not_ready", NATS_URL=f"nats://127.0.0.1:{port}") as service:
        with server(*command, port=port):
            service.until_logged("ready")
            assert service.request("POST", "/v1/names/ada").status == 204
            until(lambda: received(service) == {"ada"}, "the message is received")
        assert service.request("POST", "/v1/names/grace").status == 204
        with server(*command, port=port):
            until(lambda: received(service) == {"ada", "grace"}, "the message is received")
        assert service.stop() == 0
    assert "resource_not_closed" not in [line["event"] for line in service.lines]
