"""The code of the guides on what a service needs after its first day, in one service: as it is, checked and run."""

import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import yaml

from harness.environments import python_with
from harness.repository import REPOSITORY, SERVICE
from tests.guides.writing import Pages
from tests.services import run

HOW_TO = REPOSITORY / SERVICE / "docs" / "chassis" / "how-to"
SCENARIOS = REPOSITORY / "tests" / "guides"
HELPERS = ("redis_server.py",)
# Each page, with the module of its scenarios.
PAGES = {
    "keep-tenants-apart": "tenants",
    "retry-a-call": "retries",
    "break-a-circuit": "circuits",
    "cache-a-response": "caches",
    "limit-the-rate": "rates",
    "keep-deleted-rows": "deletions",
    "keep-an-audit-trail": "audits",
    "keep-a-read-model": "totals",
    "send-a-mail": "mails",
    "upload-to-an-object-store": "uploads",
    "seed-a-database": "seeds",
}
# Pages whose code is a test, or is run by another test.
OTHERS = ["test-with-another-time", "run-work-in-one-pod"]
# What an editor adds, beside what the pages' own modules define.
IMPORTS = """
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from functools import partial
from hashlib import blake2b, sha256
from hmac import digest
from random import Random
from time import monotonic
from typing import Annotated, Literal
from urllib.parse import quote, urlencode
from uuid import uuid4

import structlog
from aiohttp import ClientError, ClientResponseError, ClientSession, ClientTimeout, web
from aiosmtplib import SMTPException, SMTPRecipientsRefused, send
from pydantic import BaseModel, Field, SecretStr
from redis.asyncio import Redis
from redis.exceptions import RedisError
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential
from time_machine import TimeMachineFixture
from yarl import URL

from app.items.models import Item
from app.settings import Settings
from chassis.caller import Caller
from chassis.conditional import is_known
from chassis.contract import ResponseHead, Route
from chassis.database import Database
from chassis.errors import ConflictError, DependencyUnavailableError, NotFoundError
from chassis.errors import Problem, ServiceError, UnauthorizedError
from chassis.models import Body, Id, Row, Text
from chassis.service import Resource, every
from chassis.testing import Client, Issuer, MakeClient
"""
# What the pages leave out, as they say.
MORE = {
    "app/uploads.py": """
class UploadFields(Body):
    size: Annotated[int, Field(ge=1, le=50 * 1024**2)]
    media_type: Literal["image/png", "image/jpeg"]


class Upload(BaseModel):
    url: str
    headers: dict[str, str]
""",
    "app/mails.py": """
log = structlog.get_logger()


async def write_mail(body: NoteFields, database: Database) -> None:
    async with database.transaction() as transaction:
        insert = "INSERT INTO mails (recipient, subject, content) VALUES ($1, $2, $3)"
        await transaction.execute(insert, "ada@example.com", "Grüße", body.body)
        if body.body == "fails":
            raise NotFoundError("It does.")
""",
    "app/totals.py": """
class Total(Row):
    name: str
    items: int
    price_cents: int
""",
    "app/reports.py": """
async def read_report(caller: Caller, redis: Redis) -> str:
    await limit_rate(redis, f"report:{caller.subject}", refill_seconds=60, tokens=3)
    return "done"

""",
    "app/cache.py": """
async def redis_works(redis: Redis) -> bool:
    return bool(await redis.ping())
""",
    "app/statistics.py": """
class Statistics(Row):
    items: int
    price_cents: int


async def make_statistics(database: Database) -> bytes:
    select = "SELECT count(*) AS items, coalesce(sum(price_cents), 0)::bigint AS price_cents FROM items"
    [row] = await database.fetch(select)
    return Statistics.from_row(row).model_dump_json().encode()
""",
    "app/prices.py": """
class Price(BaseModel):
    price_cents: int
""",
    "app/guarded.py": """
async def read_guarded_price(item_id: Id, prices: Breaker, client: ClientSession, settings: Settings) -> Price:
    with prices.guard():
        async with client.get(f"{settings.prices_url}/prices/{item_id}") as response:
            return Price.model_validate(await response.json())
""",
    "app/notes.py": """
class NoteFields(Body):
    body: Annotated[Text, Field(max_length=2000)]


class Note(Row):
    id: Id
    body: str


async def create_note(body: NoteFields, caller: Caller, database: Database) -> Note:
    async with of_tenant(database, caller) as rows:
        [row] = await rows.fetch("INSERT INTO notes (body) VALUES ($1) RETURNING id, body", body.body)
    return Note.from_row(row)


async def list_notes(caller: Caller, database: Database) -> list[Note]:
    async with of_tenant(database, caller) as rows:
        return Note.from_rows(await rows.fetch("SELECT id, body FROM notes ORDER BY id"))


async def delete_note(note_id: Id, caller: Caller, database: Database) -> None:
    async with of_tenant(database, caller) as rows:
        if not await rows.fetchval("DELETE FROM notes WHERE id = $1 RETURNING true", note_id):
            raise NotFoundError("There is no such note.")
""",
}
SETTINGS = """    redis_url: SecretStr = SecretStr("redis://localhost:6379")
    mail_from: str = "items@example.com"
    smtp_host: str = "127.0.0.1"
    smtp_port: int = 1025
    store_url: str = "http://127.0.0.1:9000/bucket"
    store_region: str = "us-east-1"
    store_key: str = ""
    store_secret: SecretStr = SecretStr("")
"""
ROUTES = """
Route("POST", "/v1/mails", write_mail, raises=(NotFoundError,))
Route("GET", "/v1/report", read_report, raises=(TooManyRequestsError,))
Route("GET", "/v1/items/{item_id}/guarded-price", read_guarded_price)
Route("POST", "/v1/notes", create_note, status=201)
Route("GET", "/v1/notes", list_notes)
Route("DELETE", "/v1/notes/{note_id}", delete_note, raises=(NotFoundError,))
"""


@pytest.fixture(scope="module")
def python() -> str:
    """Return the Python of an environment that has the libraries of the pages as well."""
    locks = REPOSITORY / SERVICE / "requirements-dev.txt", REPOSITORY / "requirements-ecosystem.txt"
    return str(python_with("ecosystem", *locks))


@pytest.fixture(scope="module")
def service(new_service: Callable[..., Path], python: str, tools: Path) -> Path:
    """Bake a service with the code of all pages."""
    service, pages = new_service(), Pages(IMPORTS, MORE, SETTINGS, ROUTES)
    for page in (*PAGES, *OTHERS):
        pages.add(HOW_TO / f"{page}.md")
    pages.add(HOW_TO / "rename-a-column.md", migrate=False)  # tests/test_schema_changes.py runs it
    pages.write(service, partial(run, service, tools, python, "-m", "ruff"))
    for helper in HELPERS:
        shutil.copy2(SCENARIOS / helper, service / "tests" / "app" / helper)
    for scenarios in PAGES.values():
        shutil.copy2(SCENARIOS / f"{scenarios}.py", service / "tests" / "app" / f"test_{scenarios}.py")
    return service


def test_the_code_does_what_the_pages_say(service: Path, python: str, tools: Path) -> None:
    tests = [f"tests/app/test_{scenarios}.py" for scenarios in ("times", *PAGES.values())]
    run(service, tools, python, "-m", "pytest", "-q", "-nauto", "--tb=short", *tests)


def test_the_limit_of_the_ingress_is_an_annotation_and_an_object(service: Path, tools: Path) -> None:
    page = (HOW_TO / "limit-the-rate.md").read_text("utf-8")
    [values] = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (service / "values.yaml").write_text(values, "utf-8")
    files = [f"--values={file}" for file in ("deploy/values.yaml", "deploy/production.yaml", "values.yaml")]
    options = "template", "items", "chart", "--namespace=shop", "--set-string=image.tag=1", *files
    objects = list(yaml.safe_load_all(run(service, tools, str(tools / "helm"), *options)))
    [ingress] = [each for each in objects if each and each["kind"] == "Ingress"]
    [limit] = [each for each in objects if each and each["kind"] == "Middleware"]
    [reference] = ingress["metadata"]["annotations"].values()
    assert reference == f"shop-{limit['metadata']['name']}@kubernetescrd"
    assert limit["spec"] == {"rateLimit": {"average": 20, "burst": 40}}


def test_the_code_passes_the_services_checks(service: Path, python: str, tools: Path) -> None:
    run(service, tools, python, "-m", "mypy", "app", "tests/app")
    run(service, tools, python, "-m", "ruff", "check", "app")
    run(service, tools, python, "-m", "ruff", "format", "--check", "app")
    run(service, tools, python, "-m", "chassis.development.lint_migrations")
