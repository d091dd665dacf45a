"""Variants of a baked service, by the tag of their image. Some of them are broken."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.cluster.images import unchanged

NEXT_VERSION = "0.2.0"
"""The version in the OpenAPI document of image 2. Image 1 has the template's version."""


def _next_version(service: Path) -> None:
    project = service / "pyproject.toml"
    text, changed = re.subn(r'(?m)^version = ".*"$', f'version = "{NEXT_VERSION}"', project.read_text())
    assert changed == 1, "pyproject.toml has one version"
    project.write_text(text)


def _crash(service: Path) -> None:
    """Make the service crash at its start. Its migrations work."""
    main = service / "app" / "__main__.py"
    main.write_text(
        'import sys\n\nif "migrate" not in sys.argv:\n    sys.exit("broken on purpose")\n' + main.read_text()
    )


def _fail_to_migrate(service: Path) -> None:
    (service / "migrations" / "versions" / "0002_fails.py").write_text(
        '''"""fail on purpose"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("ALTER TABLE no_such_table ADD COLUMN colour text")


def downgrade() -> None:
    op.execute("ALTER TABLE no_such_table DROP COLUMN colour")
'''
    )


def _stream(service: Path) -> None:
    """Add a route of server-sent events and one of a WebSocket. Their clients see which pod they are connected to."""
    (service / "app" / "streams.py").write_text(
        '''"""Streams. Events have the same ids in all pods: they count the time."""

import asyncio
import os
import time
from typing import Annotated

from aiohttp import web

from chassis.contract import Header

_EVENTS_PER_SECOND = 5
_POD = os.environ["HOSTNAME"]


def _now() -> int:
    return int(time.time() * _EVENTS_PER_SECOND)


async def send_ticks(
    request: web.Request, last_event_id: Annotated[int, Header("Last-Event-ID")] = 0
) -> web.StreamResponse:
    """Send an event for each fifth of a second since the last one."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    last = last_event_id or _now()
    while True:
        for number in range(last + 1, _now() + 1):
            await response.write(f"id: {number}\\ndata: {_POD}\\n\\n".encode())
            last = number
        await asyncio.sleep(1 / _EVENTS_PER_SECOND)


async def echo(request: web.Request) -> web.WebSocketResponse:
    """Answer each number with itself."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_json({"number": int(message.data), "pod": _POD})
    return socket
'''
    )
    with (service / "app" / "routes.py").open("a") as routes:
        routes.write(
            """
from app.streams import echo, send_ticks  # noqa: E402

ROUTES += [Route("GET", "/v1/ticks", send_ticks, produces="text/event-stream"), Route("GET", "/v1/echo", echo)]
"""
        )


VARIANTS: Mapping[str, Callable[[Path], None]] = {
    "1": unchanged,
    "2": _next_version,
    "crashing": _crash,
    "unmigratable": _fail_to_migrate,
    "streaming": _stream,
}
