"""A real Redis as a service's resource, as docs/chassis/how-to/use-redis.md tells it: away, killed, hanging."""

import os
import re
import shutil
import signal
from typing import Any

import pytest

from harness.ports import free_port
from tests.ecosystem.conftest import Run
from tests.ecosystem.page import PAGES, code_of
from tests.ecosystem.running import Running, server

pytestmark = pytest.mark.skipif(
    not shutil.which("redis-server") and not os.environ.get("REQUIRE_REDIS"), reason="needs redis-server"
)
PAGE = PAGES / "how-to" / "use-redis.md"
[SETTING] = re.findall(r"`(redis_url: .*?)`", PAGE.read_text(encoding="utf-8"))
IMPORTS = "from redis.exceptions import RedisError\n"
ROUTES = '''"""All routes of the service."""

from redis.asyncio import Redis

from chassis.contract import Route


async def read_state(redis: Redis) -> bool:
    return bool(await redis.ping())


ROUTES = [Route("GET", "/v1/cache", read_state)]
'''
CODE = code_of(PAGE) | {"app/settings.py": SETTING, "app/routes.py": ROUTES}
CODE["app/service.py"] = IMPORTS + CODE["app/service.py"]
REDIS = ("redis-server", "--save", "", "--bind", "127.0.0.1", "--port")
AWAY, GONE = "urn:problem-type:dependency-unavailable", "urn:problem-type:cache-unavailable"


def state(service: Running) -> tuple[int, Any, int]:
    """Return the status of an answer that needs Redis, its result or the type of its problem, and the readiness."""
    answer = service.get("/v1/cache")
    return answer.status, answer.json if answer.status == 200 else answer.json["type"], service.readiness()


def test_redis_may_be_away_killed_and_hanging(run_service: Run) -> None:
    port = free_port()
    settings = {"REDIS_URL": f"redis://:a-secret@127.0.0.1:{port}", "RESOURCE_TIMEOUT_SECONDS": "2"}
    with run_service("not_ready", **settings) as service:
        assert state(service) == (503, AWAY, 503)
        with server(*REDIS, str(port), port=port) as redis:
            service.until_logged("ready")
            assert state(service) == (200, True, 200)
            redis.send_signal(signal.SIGSTOP)
            assert state(service) == (503, GONE, 200)
            service.until_logged("resource_not_healthy")
            redis.send_signal(signal.SIGCONT)
            service.until_logged("resource_healthy")
            assert state(service) == (200, True, 200)
        assert state(service) == (503, GONE, 200)
        service.until_logged("resource_not_healthy")
        with server(*REDIS, str(port), port=port) as redis:
            service.until_logged("resource_healthy")
            assert state(service) == (200, True, 200)
            redis.send_signal(signal.SIGSTOP)  # at the end, it hangs
            assert service.stop() == 0
        assert "a-secret" not in str(service.lines)
