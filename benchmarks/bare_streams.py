"""The baseline of `benchmarks.streams`, run by the service's Python, and so with the same libraries.

aiohttp's stock server on uvloop, without middlewares and access log. The handlers are those of
`harness.added.streams`, with a cursor of asyncpg's in the place of `Database.stream`. It imports nothing of the
service, so changes there do not affect it.
"""

import asyncio
import os
from collections.abc import AsyncIterator

import asyncpg
import uvloop
from aiohttp import web

_QUERY = "SELECT generate_series(1, $1::bigint) AS id, 'Lamp' AS name, 1999 AS price_cents, now() AS created_at"
_CONNECTION = web.AppKey("connection", asyncpg.Connection)
_FETCHED = 200  # as many rows at a time as in the service


async def _answer(_: web.Request) -> web.Response:
    return web.Response(text="ready")


async def _send_events(request: web.Request) -> web.StreamResponse:
    milliseconds = int(request.match_info["milliseconds"])
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    number = 0
    while True:
        await response.write(f"id: {number}\ndata: {number} of many\n\n".encode())
        number += 1
        await asyncio.sleep(milliseconds / 1000)


async def _send_rows(request: web.Request) -> web.StreamResponse:
    milliseconds = int(request.match_info["milliseconds"])
    response = web.StreamResponse(headers={"Content-Type": "text/csv"})
    connection = request.app[_CONNECTION]
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await response.prepare(request)
        lines: list[str] = []
        async for row in connection.cursor(_QUERY, int(request.match_info["count"]), prefetch=_FETCHED):
            lines.append(f"{row['id']},{row['name']},{row['price_cents']},{row['created_at'].isoformat()}\n")
            if len(lines) == 100:
                await response.write("".join(lines).encode())
                lines.clear()
                await asyncio.sleep(milliseconds / 1000)
        await response.write("".join(lines).encode())
    return response


async def _connect(app: web.Application) -> AsyncIterator[None]:
    app[_CONNECTION] = await asyncpg.connect(os.environ["DATABASE_URL"])
    yield
    await app[_CONNECTION].close()


def main() -> None:
    app = web.Application()
    app.cleanup_ctx.append(_connect)
    app.router.add_get("/v1/items/{item_id}", _answer)
    app.router.add_get("/v1/events/{milliseconds}", _send_events)
    app.router.add_get("/v1/rows/{count}/{milliseconds}", _send_rows)
    loop = uvloop.new_event_loop()
    web.run_app(
        app, host="127.0.0.1", port=int(os.environ["PORT"]), access_log=None, print=None, loop=loop,
        handler_cancellation=True,  # or events go on after a client has left
    )  # fmt: skip


if __name__ == "__main__":
    main()
