"""Promise 11: WebSocket clients that break the protocol are closed with its code, and do not slow down others."""

import asyncio
import time
from collections import Counter
from itertools import cycle
from typing import NamedTuple

from faults.bench import SLACK_SECONDS, Bench, Scenario
from faults.footprint import GROWTH_PERCENT, NOTHING_LEFT, Footprint, footprint
from faults.others import LOAD, Others
from faults.websockets import BINARY, CLOSE, PING, TEXT, WebSocket, frame
from harness.row import Row

_AT_A_TIME = 20
_PATIENCE_SECONDS = 20
_IDLE_SECONDS = 6
_FLOODERS = 4
_FLOODED_SECONDS = 0.1  # the promised limit for requests of others; the flood takes all of the CPU
_PINGS_AT_A_TIME = 10_000
_PONG_BYTES = len(frame(PING, masked=False))
_NORMAL, _PROTOCOL_ERROR, _INVALID_TEXT, _TOO_LARGE = 1000, 1002, 1007, 1009
_CONTINUATION, _UNKNOWN = 0x0, 0x3
_RSV1 = 0x40


class Kind(NamedTuple):
    """A kind of client that breaks the protocol.

    Attributes:
        code: with which the server has to close.
    """

    name: str
    data: bytes
    code: int


KINDS = (
    Kind("a frame of 10 MiB", frame(BINARY, bytes(10 * 1024**2)), _TOO_LARGE),
    Kind("invalid UTF-8", frame(TEXT, b"\xff\xfe"), _INVALID_TEXT),
    # RFC 6455 wants 1002 for it, but aiohttp does not look at the mask's bit.
    Kind("an unmasked frame", frame(CLOSE, (1000).to_bytes(2), masked=False), _NORMAL),
    Kind("an unknown kind of frame", frame(_UNKNOWN), _PROTOCOL_ERROR),
    Kind("a reserved bit", frame(TEXT | _RSV1, b"a message"), _PROTOCOL_ERROR),
    Kind("a continuation of nothing", frame(_CONTINUATION, b"a message"), _PROTOCOL_ERROR),
    Kind("a ping of 126 bytes", frame(PING, bytes(126)), _PROTOCOL_ERROR),
    Kind("a close with the code 999", frame(CLOSE, (999).to_bytes(2)), _PROTOCOL_ERROR),
)


async def hostile(bench: Bench) -> Row:
    """Breaks the protocol in turn in all ways, and looks for what is left of it."""
    total = bench.count(4_000, 160)
    database = await bench.postgres()
    service = await bench.running_service(database.url, STREAM_IDLE_TIMEOUT_SECONDS=_IDLE_SECONDS)
    others = Others(service)
    await others.measure_without(bench.count(8, 2))
    kinds, begun, wrong, silent = cycle(KINDS), 0, Counter[str](), list[float]()

    async def attack_until(count: int, pause_seconds: float) -> None:
        nonlocal begun
        while begun < count:
            begun += 1
            kind = next(kinds)
            socket = await WebSocket.opened(service.port, "/v1/echo")
            socket.writer.write(kind.data)
            try:
                code = await asyncio.wait_for(socket.until_closed(), _PATIENCE_SECONDS)
            except TimeoutError:
                wrong[f"{kind.name}: still open"] += 1
            else:
                if code != kind.code:
                    wrong[f"{kind.name}: {code}"] += 1
            bench.status = f"{begun:,} of {total:,} hostile clients"
            await asyncio.sleep(pause_seconds)

    async def fall_silent() -> None:
        socket = await WebSocket.opened(service.port, "/v1/echo")
        socket.writer.write(frame(TEXT, b"a message")[:-4])
        since = time.perf_counter()
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await socket.until_closed(answer=False)
        silent.append(time.perf_counter() - since)

    async def attack_together(count: int, pause_seconds: float = 0) -> Footprint:
        async with asyncio.TaskGroup() as attackers:
            for _ in range(_AT_A_TIME):
                attackers.create_task(attack_until(count, pause_seconds))
                attackers.create_task(fall_silent())
        return await footprint(service, database)

    early = await attack_together(total // 2)
    async with asyncio.TaskGroup() as both:
        both.create_task(others.measure_among(bench.count(8, 2)))
        both.create_task(attack_together(total * 5 // 8, pause_seconds=0.4))
    late = await attack_together(total)
    row = Row(
        f"{total:,} WebSocket clients that send {', '.join(each.name for each in KINDS)}; {len(silent)} that send half "
        "a frame and fall silent",
        f"{_AT_A_TIME} at a time; while the others are measured, {_AT_A_TIME / 0.4:g} a second; {LOAD}; "
        f"`STREAM_IDLE_TIMEOUT_SECONDS={_IDLE_SECONDS}`",
        measured=f"the silent ones ended after {max(silent):.1f} s at most; {late.since(early)}",
        promise=f"closed with {_TOO_LARGE}, {_INVALID_TEXT} or {_PROTOCOL_ERROR}, as RFC 6455 tells, but unmasked "
        f"frames are read; no error in the log; silent ones ended in {_IDLE_SECONDS} s; memory grows "
        f"{GROWTH_PERCENT} % or less after the first half; {NOTHING_LEFT}",
    )
    others.judge(row)
    row.hold(not wrong, ", ".join(f"{count} × {mistake}" for mistake, count in wrong.items()))
    row.hold(max(silent) <= _IDLE_SECONDS + SLACK_SECONDS, f"a silent one lasted {max(silent):.1f} s")
    if errors := service.logged(level="error"):
        row.hold(False, f"{len(errors)} errors in the log")
    late.judge(row, early, judge_memory=not bench.quick)
    return row


async def flood(bench: Bench) -> Row:
    """Pings at full speed."""
    database = await bench.postgres()
    service = await bench.running_service(database.url)
    others = Others(service)
    seconds = bench.count(10, 3)
    await others.measure_without(seconds)
    early = await footprint(service, database)
    pings, ending = 0, False

    async def ping() -> None:
        nonlocal pings
        reader, writer = (await WebSocket.opened(service.port, "/v1/echo")).streams
        while not ending:
            writer.write(frame(PING) * _PINGS_AT_A_TIME)
            await reader.readexactly(_PONG_BYTES * _PINGS_AT_A_TIME)
            pings += _PINGS_AT_A_TIME
            bench.status = f"{pings:,} pings"
        writer.transport.abort()

    flooders = [asyncio.create_task(ping()) for _ in range(_FLOODERS)]
    await others.measure_among(seconds)
    ending = True
    await asyncio.gather(*flooders)
    late = await footprint(service, database)
    row = Row(
        f"{pings:,} pings of {_FLOODERS} WebSocket clients",
        f"at full speed, {_PINGS_AT_A_TIME:,} at a time; {LOAD}",
        measured=f"{pings / seconds:,.0f} pings a second; {late.since(early)}",
        promise=f"each is answered; {NOTHING_LEFT}",
    )
    others.judge(row, _FLOODED_SECONDS)
    late.judge(row, early, judge_memory=False)
    return row


SCENARIOS: dict[str, Scenario] = {"websockets.hostile": hostile, "websockets.flood": flood}
