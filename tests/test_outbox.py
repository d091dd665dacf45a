"""The page on messages that belong to a transaction: its code is checked, run, and killed between its steps."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.environments import python_for
from harness.repository import REPOSITORY
from tests.ecosystem.page import PAGES, code_of, write_code
from tests.services import run

PAGE = PAGES / "how-to" / "send-a-message-with-a-transaction.md"
REVISION = '''"""create outbox"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("""
%s
    """)


def downgrade() -> None:
    op.execute("DROP TABLE outbox")
'''
# What the page leaves out.
IMPORTS = {
    "app/withdrawals.py": """import json

from chassis.database import Database
from chassis.errors import NotFoundError
from chassis.models import Id


""",
    "app/outbox.py": """import structlog
from aiohttp import ClientError, ClientSession

from app.settings import Settings
from chassis.database import Database
from chassis.service import every

log = structlog.get_logger()

""",
}
SETTING = 'warehouse_url: str = "http://warehouse:8080"\n'


@pytest.fixture(scope="module")
def service(new_service: Callable[..., Path]) -> Path:
    """Bake a service with the code of the page."""
    service, text = new_service(), PAGE.read_text(encoding="utf-8")
    [route] = re.findall(r"; (Route\(.*\))$", text, re.MULTILINE)
    [given] = re.findall(r"; Service\(…, (.*)\)$", text, re.MULTILINE)
    [table] = re.findall(r"```sql\n(.*?)\n```", text, re.DOTALL)
    made = f"SERVICE = Service(settings=Settings, routes=[*ROUTES, {route}], {given})\n"
    made = f"from chassis.errors import NotFoundError\n\n{made}"
    code = {file: IMPORTS[file] + found for file, found in code_of(PAGE).items()}
    write_code(service, code | {"app/settings.py": SETTING, "app/service.py": made})
    (service / "migrations" / "versions" / "0002_create_outbox.py").write_text(REVISION % table, encoding="utf-8")
    shutil.copy2(REPOSITORY / "tests" / "guides" / "outbox.py", service / "tests" / "app" / "test_outbox.py")
    return service


def test_each_message_of_a_committed_transaction_arrives(service: Path, tools: Path) -> None:
    options = "-q", "-nauto", "--tb=short"
    run(service, tools, str(python_for(service)), "-m", "pytest", *options, "tests/app/test_outbox.py")


def test_the_code_passes_the_services_checks(service: Path, tools: Path) -> None:
    checked = "app/outbox.py", "app/withdrawals.py", "migrations/versions/0002_create_outbox.py"
    python = str(python_for(service))
    run(service, tools, python, "-m", "mypy", "app")
    run(service, tools, python, "-m", "ruff", "check", *checked)
    run(service, tools, python, "-m", "ruff", "format", "--check", *checked)
    run(service, tools, python, "-m", "chassis.development.lint_migrations")
