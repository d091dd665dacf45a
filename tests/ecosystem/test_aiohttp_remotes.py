"""aiohttp-remotes: what a handler sees behind a proxy, and headers from elsewhere."""

from tests.ecosystem.conftest import Run
from tests.ecosystem.page import LIBRARIES, code_of

SEEN = '''"""All routes of the service."""

from aiohttp import web

from chassis.contract import Route


async def read_addresses(request: web.Request) -> list[str | None]:
    return [request.scheme, request.host, request.remote]


ROUTES = [Route("GET", "/v1/addresses", read_addresses)]
'''
CODE = code_of(LIBRARIES, "aiohttp-remotes") | {"app/routes.py": SEEN}
FORWARDED = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example.com"}


def test_a_handler_sees_what_the_proxy_forwards(run_service: Run) -> None:
    with run_service(INGRESS_NETWORK="127.0.0.0/8") as service:
        assert service.get("/v1/addresses", FORWARDED).json == ["https", "shop.example.com", "203.0.113.7"]
        forged = service.get("/v1/addresses", FORWARDED | {"X-Forwarded-For": "198.51.100.1, 203.0.113.7"})
        assert (forged.status, forged.json["type"]) == (400, "urn:problem-type:bad-request")
        direct = service.get("/v1/addresses")
        assert (direct.status, direct.json["type"]) == (400, "urn:problem-type:bad-request")
        assert service.get("/openapi.json").status == 200


def test_headers_from_another_network_are_refused(run_service: Run) -> None:
    with run_service(INGRESS_NETWORK="192.0.2.0/24") as service:
        refused = service.get("/v1/addresses", FORWARDED)
        assert (refused.status, refused.json["type"]) == (400, "urn:problem-type:bad-request")
