"""Streams, uploads and WebSockets, written as a team writes them; a baked service gets this module as `app.streams`."""

import asyncio
from asyncio import to_thread
from pathlib import Path
from uuid import uuid4

from aiohttp import BodyPartReader, web

from app.settings import Settings
from chassis.contract import Limits, Route
from chassis.database import Database
from chassis.errors import MalformedBodyError

MEBIBYTE = 1024**2
_PIECE = b"x" * 16_383 + b"\n"


async def send_events(milliseconds: int, request: web.Request) -> web.StreamResponse:
    """Send an event now, and one after each pause, until the client leaves"""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    number = 0
    while True:
        await response.write(f"id: {number}\ndata: {number} of many\n\n".encode())
        number += 1
        await asyncio.sleep(milliseconds / 1000)


async def send_events_later(milliseconds: int, request: web.Request) -> web.StreamResponse:
    """Work for a while before the head"""
    await asyncio.sleep(milliseconds / 1000)
    return await send_events(milliseconds, request)


async def send_bytes(request: web.Request) -> web.StreamResponse:
    """Send bytes without an end"""
    response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
    await response.prepare(request)
    while True:
        await response.write(_PIECE)


async def send_rows(count: int, milliseconds: int, request: web.Request, database: Database) -> web.StreamResponse:
    """Export rows as CSV, with a pause after each hundred"""
    response = web.StreamResponse(headers={"Content-Type": "text/csv"})
    # In the list of SELECT, PostgreSQL makes the rows one by one; in FROM it would make all of them first.
    query = "SELECT generate_series(1, $1::bigint) AS id, 'Lamp' AS name, 1999 AS price_cents, now() AS created_at"
    async with database.stream(query, count) as rows:
        await response.prepare(request)
        lines: list[str] = []
        async for row in rows:
            lines.append(f"{row['id']},{row['name']},{row['price_cents']},{row['created_at'].isoformat()}\n")
            if len(lines) == 100:
                await response.write("".join(lines).encode())
                lines.clear()
                await asyncio.sleep(milliseconds / 1000)
        await response.write("".join(lines).encode())
    return response


async def send_failing_rows(fails_at: int, request: web.Request, database: Database) -> web.StreamResponse:
    """Export rows of a query that fails at one of them"""
    response = web.StreamResponse(headers={"Content-Type": "text/csv"})
    await response.prepare(request)
    query = (
        "SELECT n, 1 / ($1::bigint - n) AS quotient FROM (SELECT generate_series(1, 2 * $1::bigint) AS n) AS numbers"
    )
    async with database.stream(query, fails_at) as rows:
        async for row in rows:
            await response.write(f"{row['n']},{row['quotient']}\n".encode())
    return response


async def echo(request: web.Request) -> web.WebSocketResponse:
    """Send each message back"""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type is web.WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type is web.WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


async def push(milliseconds: int, request: web.Request) -> web.WebSocketResponse:
    """Send messages, and read none"""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    number = 0
    while not socket.closed:
        await socket.send_str(f"{number} of many")
        number += 1
        await asyncio.sleep(milliseconds / 1000)
    return socket


async def upload(request: web.Request, settings: Settings) -> list[int]:
    """Store the files of a form, and return their sizes. Their names come from the client and are not used"""
    stored: list[Path] = []
    try:
        parts = await request.multipart()
        while isinstance(part := await parts.next(), BodyPartReader):
            stored.append(settings.uploads_folder / uuid4().hex)
            with stored[-1].open("wb") as file:
                while chunk := await part.read_chunk(65_536):
                    await to_thread(file.write, chunk)
    except BaseException as error:
        for path in stored:
            path.unlink(missing_ok=True)
        if isinstance(error, ValueError):  # aiohttp's error for a malformed form
            raise MalformedBodyError("The form cannot be read.") from error
        raise
    return [path.stat().st_size for path in stored]


async def count_tasks() -> int:
    """Return the number of the process' tasks"""
    return len(asyncio.all_tasks())


ROUTES = [
    Route("GET", "/v1/events/{milliseconds}", send_events, produces="text/event-stream"),
    Route("GET", "/v1/events-later/{milliseconds}", send_events_later, produces="text/event-stream"),
    Route("GET", "/v1/bytes", send_bytes, produces="application/octet-stream"),
    Route("GET", "/v1/rows/{count}/{milliseconds}", send_rows, produces="text/csv"),
    Route("GET", "/v1/failing-rows/{fails_at}", send_failing_rows, produces="text/csv"),
    Route("GET", "/v1/echo", echo),
    Route("GET", "/v1/messages/{milliseconds}", push),
    Route(
        "POST",
        "/v1/files",
        upload,
        consumes=("multipart/form-data",),
        limits=Limits(body_bytes=2 * MEBIBYTE, body_seconds=60),
    ),
    Route("GET", "/v1/tasks", count_tasks),
]
