"""Promise 9: streams end as their clients can tell, in time, and leave nothing behind."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import cycle

from faults.bench import SETTINGS, SLACK_SECONDS, Bench, Scenario
from faults.commands import APP, GUNICORN
from faults.footprint import GROWTH_PERCENT, NOTHING_LEFT, Footprint, footprint
from faults.others import LOAD, Others
from faults.scenarios.overload import memory_limit
from faults.sockets import seconds_unread
from faults.streams import StreamClient
from faults.websockets import TEXT, WebSocket, frame
from harness.http import request
from harness.row import Row
from harness.waiting import until

_DRAIN_SECONDS = 2
_AFTER_DRAIN_SECONDS = 2  # the promised limit for the ends of streams
_STOP_SECONDS = _DRAIN_SECONDS + 5  # the promised limit for the process
_GOING_AWAY = 1001
_CHECK_SECONDS = 2  # within which a timeout is noticed
_UNSENT_MIB = 64  # of all clients together
_BACK_SECONDS = 1  # the promised limit after the database is back
_POOL = 10
# Each failing export logs an error with its traceback, for which the event loop stops for a few milliseconds.
_FAILING_SECONDS = 0.02
_PAUSE_SECONDS = 1
_AT_A_TIME = 50


async def stop(bench: Bench, *, command: tuple[str, ...] = APP, workers: int = 0) -> Row:
    """Stops a service that has many streams."""
    each = bench.count(500, 50)
    database = await bench.postgres()
    settings = {"DRAIN_SECONDS": _DRAIN_SECONDS, **({"WEB_CONCURRENCY": workers} if workers else {})}
    service = await bench.running_service(database.url, command, **settings)
    events = [await StreamClient.opened(service.port, "/v1/events/1000") for _ in range(each)]
    paths = cycle(("/v1/echo", "/v1/messages/1000"))
    sockets = [await WebSocket.opened(service.port, next(paths)) for _ in range(each)]
    codes, ended = Counter[int](), list[float]()

    async def be_at(socket: WebSocket) -> None:
        talking = asyncio.create_task(_talk(socket))
        codes[await socket.until_closed()] += 1
        ended.append(time.perf_counter())
        talking.cancel()

    followers = [asyncio.create_task(client.read_to_the_end()) for client in events]
    followers += [asyncio.create_task(be_at(socket)) for socket in sockets]

    async def have_begun() -> bool:
        return all(client.tail for client in events)

    await until(have_begun, "events arrive")
    bench.status = f"stopping under {2 * each} streams"
    begun = time.perf_counter()
    stopping = asyncio.create_task(service.stop())
    await asyncio.sleep(_DRAIN_SECONDS / 2)
    refused = Counter([await _answer(service.port, path) for path in ("/v1/events/1000", "/v1/bytes", "/v1/echo")])
    seconds = await stopping
    await asyncio.gather(*followers)
    complete = sum(client.complete and client.tail.endswith(b"\n\n") for client in events)
    ended += [client.ended for client in events if client.ended]
    first, last = min(ended) - begun - _DRAIN_SECONDS, max(ended) - begun - _DRAIN_SECONDS
    under = f", Gunicorn, `WEB_CONCURRENCY={workers}`" if workers else ""
    row = Row(
        f"SIGTERM under {each} server-sent event streams and {each} WebSockets{under}",
        f"an event a second each; half of the WebSockets are sent messages, half echo them; "
        f"`DRAIN_SECONDS={_DRAIN_SECONDS}`",
        measured=f"{complete} streams of events ended with the last chunk, {codes[_GOING_AWAY]} WebSockets with "
        f"{_GOING_AWAY}; {first:.2f} to {last:.2f} s after the drain, and the process {seconds - _DRAIN_SECONDS:.2f} s",
        promise=f"no stream ends in the drain, all within {_AFTER_DRAIN_SECONDS} s after it: events with the last "
        f"chunk, WebSockets with {_GOING_AWAY}; none begins in the drain (503)",
    )
    row.hold(complete == each, f"{each - complete} streams of events did not end properly")
    row.hold(codes == {_GOING_AWAY: each}, f"codes of the WebSockets: {dict(codes)}")
    row.hold(first >= 0, f"a stream ended {-first:.2f} s before the end of the drain")
    row.hold(last <= _AFTER_DRAIN_SECONDS + SLACK_SECONDS, f"a stream ended {last:.2f} s after the drain")
    row.hold(seconds <= _STOP_SECONDS + SLACK_SECONDS, f"the process ended after {seconds:.2f} s")
    row.hold(refused == {503: 3}, f"new streams in the drain were answered with {dict(refused)}")
    if errors := service.logged(level="error"):
        row.hold(False, f"{len(errors)} errors in the log: {errors[0]['event']}")
    return row


async def _talk(socket: WebSocket) -> None:
    while True:
        socket.writer.write(frame(TEXT, b"a message"))
        await asyncio.sleep(1)


async def _answer(port: int, path: str) -> int:
    """Return the status of the response to a request for a stream."""
    if path == "/v1/echo":
        try:
            (await WebSocket.opened(port, path)).leave()
        except ConnectionRefusedError as error:
            return int(str(error).split()[1])
        return 101
    client = await StreamClient.opened(port, path)
    try:
        return await client.read_head()
    finally:
        client.leave()


async def unread(bench: Bench) -> Row:
    """Opens streams without an end, and reads nothing."""
    count = bench.count(1000, 100)
    send_seconds = bench.count(int(SETTINGS["stream_send_timeout_seconds"]), 4)
    database = await bench.postgres()
    service = await bench.running_service(database.url, STREAM_SEND_TIMEOUT_SECONDS=send_seconds)
    others = Others(service)
    bench.status = "without slow readers"
    await others.measure_without(send_seconds)
    early = await footprint(service, database)
    longest = send_seconds + _CHECK_SECONDS
    question = request("GET", "/v1/bytes")
    clients = [
        asyncio.create_task(seconds_unread(service.port, question, longest + _CHECK_SECONDS)) for _ in range(count)
    ]

    async def are_open() -> bool:
        streams = await service.gauge("http_server_active_streams")
        return streams + await service.gauge("http_server_streams_aborted_total") >= count

    await until(are_open, "all streams are open", poll_seconds=0.1)
    bench.status = f"among {count} clients that read nothing"
    await others.measure_among(send_seconds / 2)
    lived = await asyncio.gather(*clients)
    peak = service.memory("VmHWM")
    late = await footprint(service, database)
    cut = [seconds for seconds in lived if seconds is not None]
    reasons = Counter(line["reason"] for line in service.logged(event="stream_aborted"))
    limit = memory_limit()
    row = Row(
        f"{count} clients of streams without an end that read nothing",
        f"{LOAD}; `STREAM_SEND_TIMEOUT_SECONDS={send_seconds}`",
        measured=f"cut after {min(cut, default=0):.1f} to {max(cut, default=0):.1f} s; memory {early.memory:.1f} MiB, "
        f"at most {peak:.1f} MiB, {late.memory:.1f} MiB at the end",
        promise=f"cut {send_seconds} s after they last read, or before that while more than {_UNSENT_MIB} MiB are "
        f"unsent, with a line `stream_aborted` each; at most {limit} MiB of memory; {NOTHING_LEFT}",
    )
    others.judge(row)
    row.hold(len(cut) == count, f"{count - len(cut)} were still open after {longest + _CHECK_SECONDS} s")
    row.hold(max(cut, default=0) <= longest + SLACK_SECONDS, f"one was cut after {max(cut, default=0):.1f} s")
    row.hold(peak <= limit, f"{peak:.0f} MiB of memory")
    row.hold(reasons == {"slow-client": count}, f"lines `stream_aborted`: {dict(reasons)}")
    late.judge(row, early, judge_memory=False)
    return row


async def failing(bench: Bench) -> Row:
    """Reads exports whose query fails in the middle."""
    count, fails_at = bench.count(500, 60), 1000
    database = await bench.postgres()
    service = await bench.running_service(database.url, DATABASE_STREAM_POOL_SIZE=_POOL)
    others = Others(service)
    await others.measure_without(bench.count(8, 3))
    clients = list[StreamClient]()

    async def read(number: int, pause_seconds: float = 0) -> None:
        for _ in range(number // _POOL):
            clients.append(client := await StreamClient.opened(service.port, f"/v1/failing-rows/{fails_at}"))
            await client.read_to_the_end()
            await asyncio.sleep(random.uniform(0, 2 * pause_seconds))  # not all at once

    async def read_together(number: int, pause_seconds: float = 0) -> None:
        await asyncio.gather(*(read(number, pause_seconds) for _ in range(_POOL)))

    await read_together(count // 2)
    early = await footprint(service, database)
    bench.status = f"among {_POOL} failing exports at a time"
    among = asyncio.create_task(others.measure_among(bench.count(8, 3)))
    await read_together(count // 2, pause_seconds=_PAUSE_SECONDS)
    await among
    late = await footprint(service, database)
    errors = Counter(client.error or "complete" for client in clients)
    lines = Counter(line["reason"] for line in service.logged(event="stream_aborted"))
    row = Row(
        f"{count} exports of rows whose query fails at row {fails_at:,}",
        f"{_POOL} at a time; while the others are measured, {_POOL / _PAUSE_SECONDS:g} a second; {LOAD}; "
        f"`DATABASE_STREAM_POOL_SIZE={_POOL}`",
        measured=f"ended by {dict(errors)}, after {min(client.size for client in clients):,} bytes or more; "
        f"{late.since(early)}",
        promise=f"each is reset after a part of the rows, with one line `stream_aborted`; {NOTHING_LEFT}",
    )
    others.judge(row, _FAILING_SECONDS)
    row.hold(errors == {"ConnectionResetError": count}, f"{count} clients saw {dict(errors)}")
    row.hold(all(client.size for client in clients), "some got no row")
    row.hold(lines == {"internal-error": count}, f"lines `stream_aborted`: {dict(lines)}")
    late.judge(row, early, judge_memory=not bench.quick, connections=SETTINGS["database_pool_size"] + _POOL)
    return row


async def database_killed(bench: Bench) -> Row:
    """Kills the database under exports, and starts it again."""
    count = bench.count(50, 10)
    database = await bench.postgres()
    service = await bench.running_service(database.url, DATABASE_STREAM_POOL_SIZE=count)
    early = await footprint(service, database)
    clients = [await StreamClient.opened(service.port, "/v1/rows/1000000000/50") for _ in range(count)]
    followers = [asyncio.create_task(client.read_to_the_end()) for client in clients]

    async def have_begun() -> bool:
        return all(client.size for client in clients)

    await until(have_begun, "rows arrive")
    bench.status = "the database is away"
    killed = time.perf_counter()
    await database.kill()
    await asyncio.sleep(bench.count(5, 2))
    still_open = sum(not follower.done() for follower in followers)
    await database.start()
    back = time.perf_counter()
    bench.status = "the database is back"

    async def works() -> bool:
        client = await StreamClient.opened(service.port, "/v1/rows/1000/0")
        await client.read_to_the_end()
        return client.complete

    await until(works, "a new stream is complete")
    recovery = time.perf_counter() - back
    await asyncio.wait(followers, timeout=_CHECK_SECONDS)
    late = await footprint(service, database)
    complete = sum(client.complete for client in clients)
    slowest = max((client.ended - killed for client in clients if client.ended), default=0)
    lines = Counter(line["reason"] for line in service.logged(event="stream_aborted"))
    row = Row(
        f"kill -9 of the postmaster under {count} exports of rows, then a restart",
        f"`DATABASE_STREAM_POOL_SIZE={count}`",
        requests=count,
        recovery_seconds=recovery,
        measured=f"cut at most {slowest:.2f} s after the kill; {late.since(early)}",
        promise=f"all are cut, none ends as if it were complete, a line `stream_aborted` each; new ones work within "
        f"{_BACK_SECONDS} s after its return; {NOTHING_LEFT}",
    )
    row.hold(still_open == 0, f"{still_open} were still open")
    row.hold(complete == 0, f"{complete} ended as if they were complete")
    row.hold(lines == {"database-unavailable": count}, f"lines `stream_aborted`: {dict(lines)}")
    row.hold(recovery <= _BACK_SECONDS + SLACK_SECONDS, f"a new stream worked after {recovery:.2f} s")
    late.judge(row, early, judge_memory=False, connections=SETTINGS["database_pool_size"] + count)
    return row


async def _leave_before_the_head(path: str, port: int) -> str:
    client = await StreamClient.opened(port, path)
    await asyncio.sleep(0.01)
    client.leave()
    return ""


async def _leave_after_the_head(path: str, port: int) -> str:
    client = await StreamClient.opened(port, path)
    try:
        status = await client.read_head()
        return "" if status == 200 and await client.read_piece() else str(status)
    finally:
        client.leave()


async def _leave_a_socket(path: str, port: int) -> str:
    socket = await WebSocket.opened(port, path)
    socket.writer.write(frame(TEXT, b"a message"))
    await socket.receive()
    socket.writer.transport.abort()
    return ""


_LEAVE: dict[str, Callable[[int], Awaitable[str]]] = {
    "events before the head": partial(_leave_before_the_head, "/v1/events-later/500"),
    "events": partial(_leave_after_the_head, "/v1/events/3600000"),  # no write tells the handler
    "bytes": partial(_leave_after_the_head, "/v1/bytes"),
    "WebSocket echo": partial(_leave_a_socket, "/v1/echo"),
    "WebSocket push": partial(_leave_a_socket, "/v1/messages/100"),
    "rows at once": partial(_leave_before_the_head, "/v1/rows/1000000000/10"),
    "rows": partial(_leave_after_the_head, "/v1/rows/1000000000/10"),
}


async def left(bench: Bench) -> Row:
    """Opens streams of all kinds and leaves them."""
    total = bench.count(10_000, 700)
    database = await bench.postgres()
    service = await bench.running_service(database.url, DATABASE_STREAM_POOL_SIZE=_AT_A_TIME)
    others = Others(service)
    await others.measure_without(bench.count(10, 3))
    kinds, begun, wrong = cycle(_LEAVE.items()), 0, Counter[str]()

    async def leave_until(count: int, pause_seconds: float) -> None:
        nonlocal begun
        while begun < count:
            begun += 1
            name, leave = next(kinds)
            try:
                mistake = await leave(service.port)
            except (OSError, EOFError) as error:
                mistake = f"{type(error).__name__} {error}"
            if mistake:
                wrong[f"{name}: {mistake}"] += 1
            bench.status = f"{begun:,} of {total:,} streams left"
            await asyncio.sleep(pause_seconds)

    async def leave_together(count: int, pause_seconds: float = 0) -> Footprint:
        async with asyncio.TaskGroup() as leavers:
            for _ in range(_AT_A_TIME):
                leavers.create_task(leave_until(count, pause_seconds))
        return await footprint(service, database)

    early = await leave_together(total // 5)
    async with asyncio.TaskGroup() as both:
        both.create_task(others.measure_among(bench.count(8, 2)))
        both.create_task(leave_together(total * 3 // 10, pause_seconds=_PAUSE_SECONDS))
    late = await leave_together(total)
    row = Row(
        f"{total:,} streams of {len(_LEAVE)} kinds that their clients leave, before the head or after it",
        f"{_AT_A_TIME} at a time; while the others are measured, {_AT_A_TIME / _PAUSE_SECONDS:g} a second; {LOAD}",
        measured=late.since(early),
        promise=f"memory grows {GROWTH_PERCENT} % or less after the first fifth; {NOTHING_LEFT}",
    )
    others.judge(row)
    row.hold(not wrong, ", ".join(f"{number} × {mistake}" for mistake, number in wrong.items()))
    late.judge(row, early, judge_memory=not bench.quick, connections=SETTINGS["database_pool_size"] + _AT_A_TIME)
    return row


SCENARIOS: dict[str, Scenario] = {
    "streams.stop": stop,
    "streams.stop-gunicorn": partial(stop, command=GUNICORN, workers=2),
    "streams.unread": unread,
    "streams.failing": failing,
    "streams.database-killed": database_killed,
    "streams.left": left,
}
