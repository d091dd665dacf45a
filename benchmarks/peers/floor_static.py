"""The minimal cost of aiohttp: one handler without middlewares that always returns the same bytes, on uvloop."""

import os

import uvloop
from aiohttp import web

BODY = (
    b'{"id":1000,"name":"Lamp","description":"Bright","price_cents":1999,'
    b'"created_at":"2026-11-24T12:00:00.123456Z","updated_at":"2026-11-24T12:00:00.123456Z"}'
)


async def read_item(_: web.Request) -> web.Response:
    return web.Response(body=BODY, content_type="application/json")


app = web.Application()
app.router.add_get("/v1/items/{item_id}", read_item)

if __name__ == "__main__":
    loop = uvloop.new_event_loop()
    web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), access_log=None, loop=loop)
