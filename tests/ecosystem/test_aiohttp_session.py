"""aiohttp-session: a login, the request after it, and a cookie that was tampered with."""

from collections.abc import Iterator

import pytest

from tests.ecosystem.conftest import Run
from tests.ecosystem.page import LIBRARIES, code_of
from tests.ecosystem.running import Running

CODE = code_of(LIBRARIES, "aiohttp-session")

WARNS = {"PYTHONWARNINGS": "default"}  # its keys are strings


@pytest.fixture(scope="module")
def running(run_service: Run) -> Iterator[Running]:
    with run_service(SESSION_KEY="QSBrZXkgZm9yIHRlc3RzLCBvZiB0aGlydHktdHdvIGI=", **WARNS) as service:
        yield service


def test_a_login_is_remembered(running: Running) -> None:
    assert running.get("/v1/session").json is None
    login = running.request("POST", "/v1/session")
    cookie, _, attributes = login.headers["Set-Cookie"].partition("; ")
    assert login.status == 204
    assert {"HttpOnly", "SameSite=Lax", "Secure", "Max-Age=28800"} <= {*attributes.split("; ")}
    assert running.get("/v1/session", {"Cookie": cookie}).json == "ada"


def test_a_cookie_that_was_tampered_with_is_a_new_session(running: Running) -> None:
    cookie = running.request("POST", "/v1/session").headers["Set-Cookie"].partition(";")[0]
    middle = len(cookie) // 2
    tampered = cookie[:middle] + ("A" if cookie[middle] != "A" else "B") + cookie[middle + 1 :]
    answer = running.get("/v1/session", {"Cookie": tampered})
    assert (answer.status, answer.json) == (200, None)
