"""Another service that the service under test calls."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from multidict import CIMultiDictProxy


@dataclass(frozen=True)
class Call:
    """A call that the other service has received.

    Attributes:
        method: such as `GET`.
        path: with the query string: `/prices?currency=EUR`.
        headers: of the call.
        body: as it was sent.
    """

    method: str
    path: str
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON; raises ValueError if it is not JSON."""
        return json.loads(self.body)


class OtherService:
    """Answers calls as the test decides, and remembers them.

    Attributes:
        url: the service's address, without a slash at its end.
        calls: the calls so far.
    """

    def __init__(self) -> None:
        self.url = ""
        self.calls: list[Call] = []
        self._answers: dict[tuple[str, str], tuple[int, Any, Mapping[str, str]]] = {}

    def answer(
        self, method: str, path: str, body: Any = None, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """Decide how calls are answered from now on: `other_service.answer("GET", "/prices/7", {"price_cents": 5})`.

        Args:
            method: of the calls.
            path: of the calls, without a query string.
            body: of the answer, which is sent as JSON.
            status: of the answer.
            headers: further headers of the answer.
        """
        self._answers[method, path] = status, body, headers or {}

    async def _handle(self, request: web.Request) -> web.Response:
        self.calls.append(Call(request.method, request.path_qs, request.headers, await request.read()))
        if (request.method, request.path) not in self._answers:
            known = [" ".join(each) for each in self._answers]
            return web.json_response({"detail": f"the test has no answer for this; it has {known}"}, status=501)
        status, body, headers = self._answers[request.method, request.path]
        return web.json_response(body, status=status, headers=headers)


@asynccontextmanager
async def running_other_service() -> AsyncIterator[OtherService]:
    """Run another service until the block ends."""
    service, application = OtherService(), web.Application()
    application.router.add_route("*", "/{path:.*}", service._handle)
    async with TestServer(application) as server:
        service.url = str(server.make_url("")).rstrip("/")
        yield service
