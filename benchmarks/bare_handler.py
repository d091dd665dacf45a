"""The baseline of `benchmarks.guard`, run by the service's Python, and so with the same libraries.

aiohttp's stock server on uvloop with handlers without middlewares, and no access log. The handlers run the statements
of the service on open asyncpg connections, as many as in the service's pool, in LIFO order, and write rows with the
standard library's JSON. It imports nothing of the service, so changes there do not affect it.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import asyncpg
import uvloop
from aiohttp import web

_COLUMNS = "id, name, description, price_cents, created_at, updated_at, version"
_FREE = web.AppKey("free", asyncio.LifoQueue)


async def _fetch(request: web.Request, query: str, *arguments: Any) -> list[Any]:
    free = request.app[_FREE]
    connection = await free.get()
    try:
        return await connection.fetch(query, *arguments)  # type: ignore[no-any-return]
    finally:
        free.put_nowait(connection)


def _answer(content: object, status: int = 200) -> web.Response:
    text = json.dumps(content, default=datetime.isoformat)
    return web.Response(text=text, status=status, content_type="application/json")


async def _read_item(request: web.Request) -> web.Response:
    query = f"SELECT {_COLUMNS} FROM items WHERE id = $1"
    [row] = await _fetch(request, query, int(request.match_info["item_id"]))
    return _answer(dict(row))


async def _list_items(request: web.Request) -> web.Response:
    limit = int(request.query["limit"])
    rows = await _fetch(request, f"SELECT {_COLUMNS} FROM items ORDER BY id LIMIT $1", limit + 1)
    return _answer({"items": [dict(row) for row in rows[:limit]]})


async def _create_item(request: web.Request) -> web.Response:
    fields = await request.json()
    query = f"INSERT INTO items (name, description, price_cents) VALUES ($1, $2, $3) RETURNING {_COLUMNS}"
    [row] = await _fetch(request, query, fields["name"], fields["description"], fields["price_cents"])
    return _answer(dict(row), 201)


async def _replace_item(request: web.Request) -> web.Response:
    fields = await request.json()
    query = (
        "UPDATE items SET name = $2, description = $3, price_cents = $4, updated_at = now(), version = version + 1 "
        f"WHERE id = $1 RETURNING {_COLUMNS}"
    )
    item_id = int(request.match_info["item_id"])
    [row] = await _fetch(request, query, item_id, fields["name"], fields["description"], fields["price_cents"])
    return _answer(dict(row))


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
    app.router.add_get("/v1/items", _list_items)
    app.router.add_post("/v1/items", _create_item)
    app.router.add_put("/v1/items/{item_id}", _replace_item)
    loop = uvloop.new_event_loop()
    web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), access_log=None, print=None, loop=loop)


if __name__ == "__main__":
    main()
