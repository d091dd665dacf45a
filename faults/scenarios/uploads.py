"""Promise 10: hostile uploads are refused or ended, and leave no file and nothing else behind."""

import asyncio
import re
import time
from collections import Counter

from faults.bench import SETTINGS, SLACK_SECONDS, Bench, Scenario
from faults.footprint import GROWTH_PERCENT, NOTHING_LEFT, Footprint, footprint
from faults.hostile import Kind, attack
from faults.others import LOAD, Others
from faults.sockets import Dripping
from harness.row import Row

_MOST_BYTES = 2 * 1024**2  # the limit of the route
_PARTS = 10_000
_AT_A_TIME = 10
_PATIENCE_SECONDS = 30
_PAUSE_SECONDS = 0.1
# Have the allocator return what is free. Otherwise large bodies leave it in pieces, and no leak could be seen.
_ALLOCATOR: dict[str, str | float] = {"MALLOC_MMAP_THRESHOLD_": 65_536, "MALLOC_TRIM_THRESHOLD_": 65_536}
# A body may arrive at any rate in the first interval. The second one tells that it is too slow.
_SLOW_SECONDS = 2 * SETTINGS["body_timeout_seconds"] + 1
_HEAD = (
    b"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    b"Content-Type: multipart/form-data; boundary=b\r\n"
)
_CHUNKED = _HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
_END = b"--b--\r\n"
_TAKEN, _BAD, _TOO_LARGE = ((b"200",),), ((b"400",),), ((b"413",),)


def _part(content: bytes, name: bytes = b"lamp.png") -> bytes:
    return b'--b\r\nContent-Disposition: form-data; name="f"; filename="%b"\r\n\r\n%b\r\n' % (name, content)


def _sized(body: bytes, length: int | None = None) -> bytes:
    return _HEAD + b"Content-Length: %d\r\n\r\n" % (len(body) if length is None else length) + body


def _chunked(body: bytes) -> bytes:
    return _CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


_FORM = _part(b"x" * 100_000) + _END
_LARGE = _part(b"x" * _MOST_BYTES) + _END
KINDS = (
    Kind("chunked", (_chunked(_FORM),), _TAKEN),
    Kind("length too short", (_sized(_FORM, 1000),), ((b"400",), (b"400", b"400"))),
    Kind("cut in the middle", (_sized(_FORM)[:50_000],)),
    Kind("cut in the middle, chunked", (_chunked(_FORM)[:50_000],)),
    Kind("0 bytes", (_sized(b""),), _BAD),
    Kind("0 bytes, chunked", (_CHUNKED + b"0\r\n\r\n",), _BAD),
    Kind("a file of 0 bytes", (_sized(_part(b"") + _END),), _TAKEN),
    Kind("no end of the form", (_sized(_FORM[: -len(_END)]),), _BAD),
    Kind("another boundary", (_sized(_FORM.replace(b"--b", b"--c")),), _BAD),
    Kind("the name ../../x", (_sized(_part(b"x", b"../../x") + _END),), _TAKEN),
    Kind("too large", (_sized(_LARGE),), _TOO_LARGE),
    Kind("too large, chunked", (_chunked(_LARGE),), _TOO_LARGE),
)
_TOO_LONG = Kind("length too long", (_sized(_FORM, len(_FORM) + 1000),), ((b"408",),))
_MANY = Kind(f"{_PARTS:,} parts", (_sized(_part(b"x") * _PARTS + _END),), _TAKEN)


async def hostile(bench: Bench) -> Row:
    """Uploads in all wrong ways, and looks for what is left of it."""
    rounds = bench.count(40, 4)
    root = bench.folder / "uploads"
    folder = root / "of" / "the-service"
    folder.mkdir(parents=True)
    database = await bench.postgres()
    service = await bench.running_service(database.url, UPLOADS_FOLDER=str(folder), **_ALLOCATOR)  # type: ignore[arg-type]
    others = Others(service)
    await others.measure_without(bench.count(8, 3))
    wrong, taken, uploads = Counter[str](), 0, 0
    slow = list[tuple[float, bytes]]()

    async def upload(kind: Kind, files: int = 1) -> None:
        nonlocal taken, uploads
        uploads += 1
        if mistake := await attack(service.port, kind, _PATIENCE_SECONDS):
            wrong[mistake] += 1
        taken += files * (kind.statuses == _TAKEN)

    async def upload_slowly() -> None:
        async with Dripping(service.port, _sized(_FORM)[:-1000]) as client:
            await asyncio.wait_for(client.until_ended(), _PATIENCE_SECONDS)
            slow.append((time.perf_counter() - client.begun, client.answer[9:12]))

    async def upload_all(times: int, pause_seconds: float = 0) -> Footprint:
        slow_ones = [asyncio.create_task(upload_slowly()) for _ in range(_AT_A_TIME)]
        for number in range(times):
            bench.status = f"{uploads} uploads"
            if pause_seconds:  # not all at once
                for kind in KINDS:
                    await upload(kind)
                    await asyncio.sleep(pause_seconds)
            else:
                await asyncio.gather(*(upload(kind) for kind in KINDS))
            if not number:
                await upload(_TOO_LONG)
        await asyncio.gather(*slow_ones)
        return await footprint(service, database)

    await upload(_MANY, _PARTS)
    early = await upload_all(rounds // 2)
    bench.status = "the others among uploads"
    among = asyncio.create_task(others.measure_among(bench.count(8, 3)))
    late = await upload_all(rounds // 2, pause_seconds=_PAUSE_SECONDS)
    await among
    files = [each for each in root.rglob("*") if each.is_file()]
    outside = [each for each in files if each.parent != folder or not re.fullmatch("[0-9a-f]{32}", each.name)]
    longest = max(seconds for seconds, _ in slow)
    allocator = ", ".join(f"`{name}={value}`" for name, value in _ALLOCATOR.items())
    kinds = [each.name for each in (*KINDS, _TOO_LONG, _MANY)]
    row = Row(
        f"{uploads + len(slow)} uploads of {len(kinds) + 1} kinds: {', '.join(kinds)}, a byte a second",
        f"{LOAD}, but not beside the {_PARTS:,} parts; {allocator}",
        measured=f"{taken:,} files stored; the slow ones ended after {longest:.1f} s at most; {late.since(early)}",
        promise=f"a 2xx or the 4xx that fits; a 408 for slow ones after {_SLOW_SECONDS:g} s; no file of a failed "
        f"upload, none outside of the folder; memory grows {GROWTH_PERCENT} % or less after the first half; "
        f"{NOTHING_LEFT}",
    )
    others.judge(row)
    row.hold(not wrong, ", ".join(f"{count} × {mistake}" for mistake, count in wrong.items()))
    answers = Counter(answer.decode() for _, answer in slow)
    row.hold(answers == {"408": len(slow)}, f"slow ones were answered with {dict(answers)}")
    row.hold(longest <= _SLOW_SECONDS + SLACK_SECONDS, f"a slow one lasted {longest:.1f} s")
    row.hold(len(files) == taken, f"{len(files)} files, not {taken}")
    row.hold(not outside, f"{len(outside)} files outside of the folder, or with the name of the client's")
    late.judge(row, early, judge_memory=not bench.quick)
    return row


SCENARIOS: dict[str, Scenario] = {"uploads.hostile": hostile}
