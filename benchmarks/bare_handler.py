"""The baseline of `benchmarks.guard`, run by the service's Python, and so with the same libraries.

aiohttp's stock server on uvloop with one route, one handler without middlewares, and no access log. The handler runs
the statement of the service's GET on open asyncpg connections, as many as in the service's pool, in LIFO order, and
writes the row with the standard library's JSON. It imports nothing of the service, so changes there do not affect it.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from datetime import datetime

import asyncpg
import uvloop
from aiohttp import web

_QUERY = "SELECT id, name, description, price_cents, created_at, updated_at, version FROM items WHERE id = $1"
_FREE = web.AppKey("free", asyncio.LifoQueue)


async def _read_item(request: web.Request) -> web.Response:
    free = request.app[_FREE]
    connection = await free.get()
    try:
        row = await connection.fetchrow(_QUERY, int(request.match_info["item_id"]))
    finally:
        free.put_nowait(connection)
    if row is None:
        raise web.HTTPNotFound
    return web.Response(text=json.dumps(dict(row), default=datetime.isoformat), content_type="application/json")


async def _connections(app: web.Application) -> AsyncIterator[None]:
    app[_FREE] = asyncio.LifoQueue()
    for _ in range(int(os.environ["DATABASE_POOL_SIZE"])):
        app[_FREE].put_nowait(await asyncpg.connect(os.environ["DATABASE_URL"]))
    yield
    while not app[_FREE].empty():
        await app[_FREE].get_nowait().close()


def main() -> None:
    app = web.Application()
    app.cleanup_ctx.append(_connections)
    app.router.add_get("/v1/items/{item_id}", _read_item)
    loop = uvloop.new_event_loop()
    web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), access_log=None, print=None, loop=loop)


if __name__ == "__main__":
    main()
