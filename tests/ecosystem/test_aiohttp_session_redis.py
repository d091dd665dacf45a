"""aiohttp-session with its sessions in a Redis that the service opens as a resource."""

import os
import shutil

import pytest

from harness.ports import free_port
from tests.ecosystem import test_aiohttp_session, test_redis
from tests.ecosystem.conftest import Run
from tests.ecosystem.page import LIBRARIES, code_of
from tests.ecosystem.running import server

pytestmark = pytest.mark.skipif(
    not shutil.which("redis-server") and not os.environ.get("REQUIRE_REDIS"), reason="needs redis-server"
)
REDIS = {name: text for name, text in test_redis.CODE.items() if name in {"app/cache.py", "app/settings.py"}}
HANDLERS = test_aiohttp_session.CODE["app/sessions.py"]
CODE = REDIS | {"app/sessions.py": HANDLERS} | code_of(LIBRARIES, "Sessions in Redis")


def test_a_login_is_remembered_until_it_is_deleted_in_redis(run_service: Run) -> None:
    port = free_port()
    command = (*test_redis.REDIS, str(port))
    settings = {"REDIS_URL": f"redis://127.0.0.1:{port}", **test_aiohttp_session.WARNS}
    with server(*command, port=port), run_service(**settings) as service:
        assert service.get("/v1/session").json is None
        login = service.request("POST", "/v1/session")
        cookie = login.headers["Set-Cookie"].partition(";")[0]
        assert service.get("/v1/session", {"Cookie": cookie}).json == "ada"
        assert service.get("/v1/session", {"Cookie": f"{cookie[:-1]}x"}).json is None
        assert service.stop() == 0
    with server(*command, port=port), run_service(**settings) as service:  # an empty Redis
        assert service.get("/v1/session", {"Cookie": cookie}).json is None
