"""The code of the guides on streams, replicas and batches, in a service: the blocks as they are, checked and run."""

import os
import re
import shutil
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest
from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

from harness.environments import python_for, python_with
from harness.redis_server import redis_server
from harness.repository import REPOSITORY, SERVICE
from harness.waiting import PATIENCE_SECONDS
from tests.guides.pages import blocks, routes_of
from tests.services import run
from tests.test_docs_page import browser

__all__ = ["browser"]  # a fixture

GUIDES = Path("docs", "chassis")
PAGES = [
    "how-to/create-many-at-once.md",
    "how-to/stream-an-export.md",
    "how-to/read-from-a-replica.md",
    "how-to/send-server-sent-events.md",
    "how-to/open-a-websocket.md",
    "how-to/tell-all-pods.md",
    "how-to/push-to-clients.md",
    "how-to/receive-a-file.md",
    "how-to/limit-a-route.md",
    "explanation/streams.md",
]
# What the pages leave out.
IMPORTS = {
    "app/items/batch.py": """
from typing import Annotated

from pydantic import Field

from app.items.models import Item, ItemFields
from chassis.contract import Limits
from chassis.database import Database
""",
    "app/items/export.py": "",
    "app/items/count.py": "",
    "app/items/events.py": """
import asyncio
import json
from typing import Annotated

from aiohttp import web

from chassis.contract import Header
from chassis.database import Database
from chassis.models import Query
""",
    "app/talk.py": """
from aiohttp import WSCloseCode, web
from pydantic import ValidationError

from chassis.models import Body
""",
    "app/news.py": """
import asyncio
from collections.abc import AsyncIterator

import asyncpg

from app.settings import Settings
""",
    "app/push.py": """
import asyncio

from aiohttp import web

from app.news import Listeners
""",
    "app/files.py": """
import asyncio
from tempfile import TemporaryFile
from typing import Annotated
from uuid import UUID, uuid4

from aiohttp import BodyPartReader, ClientSession, ClientTimeout, web

from app.settings import Settings
from chassis.contract import Header, Limits
from chassis.errors import FieldError, InvalidRequestError
""",
    "app/tickets.py": """
from contextlib import suppress

from aiohttp import WSCloseCode, web

from chassis.caller import Caller
from chassis.database import Database
""",
    "tests/app/test_talk.py": "\nfrom chassis.testing import Client\n",
}
LIMITED = '''"""The handlers whose routes the page limits."""

import asyncio

from aiohttp import web


async def read_report() -> str:
    """Take a second."""
    await asyncio.sleep(1)
    return "done"


async def put_photo(body: bytes) -> int:
    """Return the size of a picture."""
    return len(body)


async def send_quotes(request: web.Request) -> web.StreamResponse:
    """Send nothing."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await asyncio.Event().wait()
    return response
'''
ROUTES = """
from app.files import UPLOADS, pass_on, receive_file
from app.items.batch import BATCH, create_items
from app.items.events import send_items
from app.items.count import count_items
from app.items.export import export_items
from app.limited import put_photo, read_report, send_quotes
from app.push import send_news
from app.talk import talk
from app.tickets import create_ticket, talk_privately
from chassis.contract import Limits

ROUTES += [
"""
MADE = '''"""A service with the code of the guides."""

from app.news import listen, listeners
from app.routes import ROUTES
from app.settings import Settings
from chassis.service import Service

SERVICE = Service(settings=Settings, routes=ROUTES, resources=[listeners], background=[listen])
'''
SETTINGS = """
    storage_url: str = "http://localhost:9000"
    redis_url: str = ""
"""
MIGRATION = '''"""create tickets"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("%s")


def downgrade() -> None:
    op.execute("DROP TABLE tickets")
'''
REDIS = '''"""A service whose processes tell each other by Redis."""

from collections.abc import AsyncIterator

from redis.asyncio import Redis

from app.news import Listeners, listeners
from app.routes import ROUTES
from app.settings import Settings
from chassis.service import Service


async def redis(settings: Settings) -> AsyncIterator[Redis]:
    async with Redis.from_url(settings.redis_url, socket_timeout=1) as client:
        yield client


'''
RESOURCES = "SERVICE = Service(settings=Settings, routes=ROUTES, resources=[redis, listeners], background=[listen])\n"


def as_the_pages_tell(service: Path) -> None:
    """Write the code of the pages into a service."""
    routes, code = ROUTES, IMPORTS.copy()
    for page in PAGES:
        text = (service / GUIDES / page).read_text("utf-8")
        routes += "".join(f"    {route},\n" for route in routes_of(text))
        for file, content in blocks(text):
            name = file.partition(";")[0]
            if name != "app/routes.py":
                code[name] += f"\n\n{content.strip()}\n"
        if table := re.search(r"CREATE TABLE tickets [^`]+", text):
            (service / "migrations" / "versions" / "0002_create_tickets.py").write_text(MIGRATION % table[0], "utf-8")
    for name, content in code.items():
        (service / name).write_text(f'"""From the guides."""\n\n{content.strip()}\n', "utf-8")
    (service / "app" / "limited.py").write_text(LIMITED, "utf-8")
    (service / "app" / "service.py").write_text(MADE, "utf-8")
    for file, more in {"routes.py": f"{routes}]\n", "settings.py": SETTINGS}.items():
        with (service / "app" / file).open("a", encoding="utf-8") as opened:
            opened.write(more)
    for scenarios, name in {"streaming": "test_guides.py", "batch": "test_batch.py"}.items():
        shutil.copy2(REPOSITORY / "tests" / "guides" / f"{scenarios}.py", service / "tests" / "app" / name)


@pytest.fixture(scope="module")
def service(new_service: Callable[..., Path]) -> Path:
    """Bake a service with the code of the pages."""
    service = new_service()
    as_the_pages_tell(service)
    return service


def test_the_code_of_the_guides_does_what_they_say(service: Path, tools: Path) -> None:
    tests = "tests/app/test_guides.py", "tests/app/test_talk.py", "tests/app/test_batch.py"
    options = "-q", "-nauto", "--tb=short", "-k", "not redis"
    run(service, tools, str(python_for(service)), "-m", "pytest", *options, *tests)


@pytest.mark.parametrize("page", ["how-to/change-a-part-of-a-resource.md", "how-to/add-a-filter.md"])
def test_the_code_of_the_example_on_pages_is_the_example_s(page: str) -> None:
    shown = list(blocks((REPOSITORY / SERVICE / GUIDES / page).read_text("utf-8")))
    assert shown
    for file, code in shown:
        lines = (REPOSITORY / SERVICE / file.partition(";")[0]).read_text("utf-8").splitlines()
        assert [line for line in code.splitlines() if line not in lines] == []


@pytest.mark.skipif(
    not shutil.which("redis-server") and not os.environ.get("REQUIRE_REDIS"), reason="needs redis-server"
)
def test_redis_tells_all_processes_too(service: Path, tools: Path) -> None:
    page = (service / GUIDES / "explanation" / "streams.md").read_text("utf-8")
    [by_redis] = re.findall(r"```python\n(async def listen\(redis.*?)```", page, re.DOTALL)
    (service / "app" / "service.py").write_text(f"{REDIS}{by_redis}\n\n{RESOURCES}", "utf-8")
    python = python_of(service)
    with redis_server() as url:
        options = "-q", "--tb=short", "-k", "redis"
        run(service, tools, python, "-m", "pytest", *options, "tests/app/test_guides.py", REDIS_URL=url)


def test_the_code_of_the_guides_passes_the_services_checks(service: Path, tools: Path) -> None:
    checked = "app", "tests/app/test_talk.py"
    run(service, tools, python_of(service), "-m", "mypy", *checked)
    run(service, tools, python_of(service), "-m", "ruff", "format", "--check", *checked)


class Events(BaseHTTPRequestHandler):
    """Answers three requests for events: two events and the end, the refusal of a pod that drains, another event."""

    answered: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self) -> None:
        if not self.path.startswith("/v1"):  # the page, and a browser's icon
            self._answer(200, "text/html", "<title>events</title>")
            return
        answers = [
            (200, "retry: 100\n\nid: 1\ndata: a\n\nid: 2\ndata: b\n\n"),
            (503, "{}"),
            (200, "id: 3\ndata: c\n\n"),
        ]
        status, body = answers[min(len(self.answered), 2)]
        self.answered.append((self.path, self.headers["Last-Event-ID"]))
        self._answer(status, "text/event-stream", body)

    def _answer(self, status: int, media_type: str, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def test_a_browser_misses_no_event(browser: webdriver.Chrome) -> None:
    page = (REPOSITORY / SERVICE / GUIDES / "how-to" / "send-server-sent-events.md").read_text("utf-8")
    [script] = re.findall(r"```js\n(.*?)```", page, re.DOTALL)
    with ThreadingHTTPServer(("127.0.0.1", 0), Events) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        browser.get(f"http://127.0.0.1:{server.server_port}/")
        browser.execute_script(f"{script}; window.listen = listen")
        browser.execute_script("window.seen = []; console.log = (data) => window.seen.push(data); listen(0)")
        WebDriverWait(browser, PATIENCE_SECONDS).until(
            lambda _: browser.execute_script("return window.seen.length") >= 3
        )
        assert browser.execute_script("return window.seen.slice(0, 3)") == ["a", "b", "c"]
        browser.get("about:blank")
        server.shutdown()
    assert Events.answered[:3] == [
        ("/v1/item-events?after=0", None),
        ("/v1/item-events?after=0", "2"),
        ("/v1/item-events?after=2", None),
    ]


def python_of(service: Path) -> str:
    """Return the Python of an environment that has Redis' client as well."""
    return str(python_with("ecosystem", service / "requirements-dev.txt", REPOSITORY / "requirements-ecosystem.txt"))
