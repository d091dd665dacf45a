"""The chat about an order, by WebSocket: all who are in it at the moment, at any process, read each message."""

import asyncio

from aiohttp import WSCloseCode, web
from pydantic import ValidationError

from app.news import News, publish
from app.orders.handlers import read_order
from chassis.database import Database
from chassis.models import Body, Id, Text


class Said(Body):
    """A message of the chat."""

    name: Text
    text: Text


async def chat(order_id: Id, request: web.Request, database: Database, news: News) -> web.WebSocketResponse:
    """Talk about an order"""
    await read_order(order_id, database)
    socket = web.WebSocketResponse(max_msg_size=2_000)  # NOTIFY takes less than 8,000 bytes, and JSON escapes
    await socket.prepare(request)
    topic = f"chat-{order_id}"
    with news.about(topic) as told:
        forwarding = asyncio.create_task(_forward(told, socket))
        try:
            async for message in socket:
                said = Said.model_validate_json(message.data)
                await publish(database, topic, said.model_dump_json())
        except ValidationError:
            await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"send a name and a text")
        finally:
            forwarding.cancel()
    return socket


async def _forward(told: asyncio.Queue[str | None], socket: web.WebSocketResponse) -> None:
    while message := await told.get():
        await socket.send_str(message)
    await socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"messages were lost; connect again")
