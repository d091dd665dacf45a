"""aiojobs: work that goes on after the response, and at the end of the process."""

import time

from tests.ecosystem.conftest import Run
from tests.ecosystem.page import LIBRARIES, code_of
from tests.ecosystem.running import Running, until

CODE = code_of(LIBRARIES, "aiojobs")


def sent(service: Running) -> int:
    return len(service.get("/v1/items").json["items"])


def test_a_job_goes_on_after_the_response(run_service: Run) -> None:
    with run_service() as service:
        before = sent(service)
        assert service.request("POST", "/v1/orders").status == 204
        assert sent(service) == before
        until(lambda: sent(service) == before + 1, "the mail is sent")


def test_a_job_ends_before_the_process_does(run_service: Run) -> None:
    with run_service() as service:
        before = sent(service)
        assert service.request("POST", "/v1/orders").status == 204
        assert service.stop() == 0
    with run_service() as service:
        assert sent(service) == before + 1


def test_a_job_that_takes_too_long_is_cancelled(run_service: Run) -> None:
    with run_service(RESOURCE_TIMEOUT_SECONDS="0.2") as service:
        before = sent(service)
        assert service.request("POST", "/v1/orders").status == 204
        began = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - began < 5
        assert service.errors() == []
        assert "resource_not_closed" not in [line["event"] for line in service.lines]
    with run_service() as service:
        assert sent(service) == before
