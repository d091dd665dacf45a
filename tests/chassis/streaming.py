"""A service that streams: `python -m tests.chassis.streaming`, or a process manager's `tests.chassis.streaming:app`."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

from aiohttp import BodyPartReader, web

from chassis.application import Application, create_application
from chassis.command_line import main
from chassis.contract import Limits, Route
from chassis.database import Database
from chassis.models import Query
from chassis.settings import Settings, load_settings

MEBIBYTE = 1024**2


class Pace(Query):
    """How much is sent, and how fast."""

    count: int = 1_000_000
    size: int = 10
    pause: float = 0
    fail_at: int | None = None


async def send_bytes(pace: Pace, request: web.Request) -> web.StreamResponse:
    """Send an export whose length is not known beforehand."""
    response = web.StreamResponse(headers={"Content-Type": "text/csv", "X-Own": "1"})
    await response.prepare(request)
    for number in range(pace.count):
        if number == pace.fail_at:
            raise RuntimeError("hunter2")
        await response.write(b"x" * (pace.size - 1) + b"\n")
        if pace.pause:
            await asyncio.sleep(pace.pause)
    return response


async def send_events(pace: Pace, request: web.Request) -> web.StreamResponse:
    """Send events until the client leaves."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for number in range(int(request.headers.get("Last-Event-ID", "-1")) + 1, pace.count):
        await response.write(f"id: {number}\ndata: {'x' * pace.size}\n\n".encode())
        await asyncio.sleep(pace.pause)
    return response


async def send_nothing(request: web.Request) -> web.StreamResponse:
    """Begin a stream, and send nothing."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await asyncio.Event().wait()
    return response


async def never_end(request: web.Request) -> web.StreamResponse:
    """Begin a stream, and go on whatever happens."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


async def echo(request: web.Request) -> web.WebSocketResponse:
    """Send each message back."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.data == "fail":
            raise RuntimeError("hunter2")
        await (socket.send_str if message.type is web.WSMsgType.TEXT else socket.send_bytes)(message.data)
    return socket


async def push(pace: Pace, request: web.Request) -> web.WebSocketResponse:
    """Send messages, and read none."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    for _ in range(pace.count):
        await socket.send_str("x" * pace.size)
        await asyncio.sleep(pace.pause)
    return socket


async def send_file(name: Literal["small", "large"]) -> web.FileResponse:
    """Send a file of the folder that the service runs in."""
    return web.FileResponse(Path(f"{name}.bin"))


async def send_later(seconds: float, request: web.Request) -> web.StreamResponse:
    """Begin after a while."""
    await asyncio.sleep(seconds)
    response = web.StreamResponse(headers={"Content-Type": "text/csv"})
    await response.prepare(request)
    return response


async def return_another(request: web.Request) -> web.StreamResponse:
    """Begin one response, and return another one."""
    await web.StreamResponse().prepare(request)
    return web.Response(text="hunter2")


async def begin_twice(request: web.Request) -> web.StreamResponse:
    """Begin one response, and then another one."""
    await web.StreamResponse().prepare(request)
    response = web.StreamResponse()
    await response.prepare(request)
    return response


async def fail_prepared(request: web.Request) -> web.Response:
    """Begin a response whose body is in memory, and fail."""
    await web.Response(text="hello").prepare(request)
    raise RuntimeError("hunter2")


async def exchange_prepared(request: web.Request) -> web.Response:
    """Begin a response whose body is in memory, and return another one."""
    await web.Response(text="hello").prepare(request)
    return web.Response(text="hunter2")


async def send_too_little(request: web.Request) -> web.StreamResponse:
    """Send fewer bytes than announced."""
    response = web.StreamResponse(headers={"Content-Length": "10"})
    await response.prepare(request)
    await response.write(b"hello")
    return response


async def send_all_at_the_end(request: web.Request) -> web.StreamResponse:
    """Send as many bytes as announced, some of them with the end."""
    response = web.StreamResponse(headers={"Content-Length": "10"})
    await response.prepare(request)
    await response.write(b"hello")
    await response.write_eof(b"hello")
    return response


async def fail_iterated(request: web.Request) -> web.Response:
    """Return a response whose body fails."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"0\n"
        raise RuntimeError("hunter2")

    return web.Response(body=pieces(), content_type="text/csv")


async def stop_iterating(request: web.Request) -> web.Response:
    """Return a response whose body stops in the middle."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b": hello\n\n"
        await asyncio.Event().wait()

    return web.Response(body=pieces(), content_type="text/event-stream")


async def send_iterated(request: web.Request) -> web.Response:
    """Return a response whose body is an asynchronous generator."""

    async def pieces() -> AsyncIterator[bytes]:
        for number in range(3):
            yield f"{number}\n".encode()

    return web.Response(body=pieces(), content_type="text/csv")


async def upload(request: web.Request) -> dict[str, list[int]]:
    """Take files piece by piece, and return their sizes."""
    sizes = []
    parts = await request.multipart()
    while isinstance(part := await parts.next(), BodyPartReader):
        size = 0
        while chunk := await part.read_chunk(65536):
            size += len(chunk)
        sizes.append(size)
    return {"sizes": sizes}


async def upload_texts(request: web.Request) -> list[str]:
    """Take the texts of a form."""
    return [await part.text() async for part in await request.multipart() if isinstance(part, BodyPartReader)]


async def upload_raw(request: web.Request) -> dict[str, int | str]:
    """Take a body piece by piece, and return its size and its digest."""
    size, digest = 0, hashlib.sha256()
    async for chunk in request.content.iter_any():
        size += len(chunk)
        digest.update(chunk)
    return {"size": size, "sha256": digest.hexdigest()}


async def upload_to_memory(body: bytes) -> int:
    """Take a body as a whole."""
    return len(body)


async def wait(seconds: float) -> float:
    """Take a place in flight for a while."""
    await asyncio.sleep(seconds)
    return seconds


async def wait_alone(seconds: float) -> float:
    """Take the route's only place in flight for a while."""
    await asyncio.sleep(seconds)
    return seconds


async def query(database: Database) -> int:
    """Ask the database."""
    return len(await database.fetch("SELECT 1"))


UPLOAD = Limits(body_bytes=50 * MEBIBYTE, body_seconds=600)
ROUTES = [
    Route("GET", "/bytes", send_bytes, produces="text/csv"),
    Route("GET", "/events", send_events, produces="text/event-stream"),
    Route("GET", "/nothing", send_nothing, produces="text/event-stream", limits=Limits(idle_seconds=0.5)),
    Route("GET", "/never-ending", never_end, produces="text/event-stream"),
    Route("GET", "/echo", echo),
    Route("GET", "/small-messages", push, limits=Limits(body_bytes=1000)),
    Route("GET", "/files/{name}", send_file, produces="application/octet-stream"),
    Route("GET", "/later/{seconds}", send_later, produces="text/csv"),
    Route("GET", "/another", return_another, produces="text/plain"),
    Route("GET", "/twice", begin_twice, produces="text/plain"),
    Route("GET", "/prepared", fail_prepared, produces="text/plain"),
    Route("GET", "/exchanged", exchange_prepared, produces="text/plain"),
    Route("GET", "/too-little", send_too_little, produces="text/plain"),
    Route("GET", "/all", send_all_at_the_end, produces="text/plain"),
    Route("GET", "/iterated/failing", fail_iterated, produces="text/csv"),
    Route("GET", "/iterated/stopping", stop_iterating, produces="text/event-stream"),
    Route("GET", "/iterated", send_iterated, produces="text/csv"),
    Route("POST", "/uploads", upload, consumes=("multipart/form-data",), limits=UPLOAD),
    Route("POST", "/uploads/texts", upload_texts, consumes=("multipart/form-data",)),
    Route("PUT", "/uploads/raw", upload_raw, consumes=("*/*",), limits=UPLOAD),
    Route("PUT", "/uploads/whole", upload_to_memory, consumes=("*/*",), limits=Limits(body_bytes=2 * MEBIBYTE)),
    Route("GET", "/wait/{seconds}", wait, limits=Limits(deadline_seconds=0.5)),
    Route("GET", "/alone/{seconds}", wait_alone, limits=Limits(in_flight=1)),
    Route("GET", "/query", query),
]


def app() -> Application:
    """Return the application, for a process manager that creates the service itself."""
    return create_application(ROUTES, load_settings(Settings))


if __name__ == "__main__":
    main(Settings, ROUTES)
