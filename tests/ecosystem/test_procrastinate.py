"""procrastinate, as docs/chassis/how-to/put-jobs-into-a-queue.md tells it: jobs survive a kill -9."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.ecosystem.conftest import Run
from tests.ecosystem.page import PAGES, code_of
from tests.ecosystem.running import Running, until

PAGE = PAGES / "how-to" / "put-jobs-into-a-queue.md"
IMPORTS = """from collections.abc import AsyncIterator

from procrastinate import App, JobContext, PsycopgConnector
from psycopg_pool import AsyncConnectionPool

from app.settings import Settings
from chassis.database import Database
from chassis.service import every


"""
[SQL] = re.findall(
    r"^_ENQUEUE = .*?\n\"{3}\n",
    (PAGES / "explanation" / "background-work.md").read_text("utf-8"),
    re.MULTILINE | re.DOTALL,
)
ROUTES = f'''"""All routes of the service."""

import json

from app.jobs import send_invoice
from chassis.contract import Route
from chassis.database import Database
from chassis.errors import ConflictError
from chassis.models import Id

{SQL}

async def send(invoice_id: Id) -> None:
    await send_invoice.defer_async(invoice_id=invoice_id)


async def send_in_transaction(invoice_id: Id, database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(_ENQUEUE, json.dumps({{"invoice_id": invoice_id}}))
        if invoice_id != 2:
            raise ConflictError("So the transaction is rolled back.")


async def read_jobs(database: Database) -> list[list[str | int | bool]]:
    return [
        list(row)
        for row in await database.fetch(
            "SELECT (args ->> 'invoice_id')::int, status::text, attempts, sent_at IS NOT NULL"
            " FROM procrastinate_jobs JOIN invoices ON invoices.id = (args ->> 'invoice_id')::int"
            " ORDER BY procrastinate_jobs.id"
        )
    ]


ROUTES = [
    Route("POST", "/v1/invoices/{{invoice_id}}/send", send),
    Route("POST", "/v1/invoices/{{invoice_id}}/send-in-transaction", send_in_transaction, raises=(ConflictError,)),
    Route("GET", "/v1/jobs", read_jobs),
]
'''
REVISION = '''"""create jobs"""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
    op.execute("CREATE TABLE invoices (id bigint PRIMARY KEY, sent_at timestamptz)")
    op.execute("INSERT INTO invoices VALUES (1), (2), (3), (4)")


def downgrade() -> None:
    """Nobody goes back."""
'''
# So that there is time to kill the worker while it carries out a job.
SLOW = """
    CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1.5); RETURN NEW; END';
    CREATE TRIGGER slow BEFORE UPDATE ON invoices FOR EACH ROW EXECUTE FUNCTION wait();
"""
# The worker's last heartbeat is old enough, and the lease of the dead process is over.
LATER = "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'; DELETE FROM background_leases;"
[GIVEN] = re.findall(r"app/jobs\.py; Service\(…, (.*)\)", PAGE.read_text(encoding="utf-8"))
WORKER = code_of(PAGE)["app/jobs.py"].replace("run_worker_async(", "run_worker_async(fetch_job_polling_interval=0.5, ")
CODE = {
    "app/jobs.py": IMPORTS + WORKER,
    "app/routes.py": ROUTES,
    "app/service.py": f"SERVICE = Service(settings=Settings, routes=ROUTES, {GIVEN})\n",
    "migrations/versions/0002_create_jobs.py": REVISION,
}


@pytest.fixture(scope="module")
def made(made: Path, python: Path) -> Path:
    """Return the service with procrastinate's schema."""
    [schema] = python.parents[1].glob("lib/*/site-packages/procrastinate/sql/schema.sql")
    text = "-- squawk-ignore-file\n" + schema.read_text(encoding="utf-8")
    (made / "migrations" / "versions" / "0002_create_jobs.sql").write_text(text, encoding="utf-8")
    return made


def execute(python: Path, url: str, statements: str) -> None:
    """Execute statements in the service's database."""
    program = "import psycopg, sys; psycopg.connect(sys.argv[1], autocommit=True).execute(sys.argv[2])"
    subprocess.run([python, "-c", program, url, statements], check=True)


def jobs(service: Running) -> Any:
    """Return the jobs, each by its invoice, its state, how often it began, and whether the invoice is sent."""
    return service.get("/v1/jobs").json


def test_a_job_is_carried_out(run_service: Run) -> None:
    with run_service() as service:
        assert service.request("POST", "/v1/invoices/1/send").status == 204
        assert service.request("POST", "/v1/invoices/2/send-in-transaction").status == 204
        assert service.request("POST", "/v1/invoices/3/send-in-transaction").status == 409
        done = [[1, "succeeded", 1, True], [2, "succeeded", 1, True]]
        until(lambda: jobs(service) == done, "the jobs are carried out")
        assert service.stop() == 0


def test_a_job_of_a_killed_worker_is_carried_out_by_the_next_one(
    run_service: Run, python: Path, database_url: str
) -> None:
    execute(python, database_url, SLOW)
    with run_service() as service:
        assert service.request("POST", "/v1/invoices/4/send").status == 204
        until(lambda: jobs(service)[-1][:3] == [4, "doing", 0], "the job has begun")
        service.kill()
    execute(python, database_url, LATER)
    with run_service() as service:
        until(lambda: jobs(service)[-1] == [4, "succeeded", 2, True], "the job is carried out")
        assert service.stop() == 0
