"""A new service passes its own checks, for every answer, inside and outside of a Git repository."""

import random
import string
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.environments import python_for
from tests.answers import matrix
from tests.services import run


def ids(answers: dict[str, str]) -> str:
    """Return a short test id for a row of the matrix."""
    return answers.get("project_slug", "defaults")


def assert_green(said: str) -> None:
    """Assert that `make check` passed and skipped nothing, by its output."""
    assert " passed" in said
    assert "failed" not in said
    assert "SKIPPED" not in said
    for environment in ("development", "staging", "production"):
        assert f"chart: {environment} renders" in said


@pytest.mark.parametrize("answers", [matrix()[0], *matrix()[2:-1]], ids=ids)
def test_a_new_service_passes_its_own_checks(
    new_service: Callable[..., Path], tools: Path, answers: dict[str, str]
) -> None:
    """The second row of the matrix is tested below, and the last row in tests/test_forking.py."""
    assert_green(run(new_service(**answers), tools, "make", "check"))


@pytest.mark.parametrize("answers", matrix()[:2], ids=ids)
def test_its_hooks_pass_on_its_first_commit(
    new_service: Callable[..., Path], tools: Path, answers: dict[str, str]
) -> None:
    service = new_service(**answers)
    run(service, tools, "git", "init", "--quiet")
    run(service, tools, "git", "add", "--all")
    said = run(service, tools, str(python_for(service).parent / "pre-commit"), "run", "--all-files", "--color=never")
    assert "Failed" not in said
    assert said.count("Passed") == 6, said


def test_a_secret_is_found_and_not_shown(new_service: Callable[..., Path], tools: Path) -> None:
    service = new_service()
    run(service, tools, "git", "init", "--quiet")
    run(service, tools, "git", "add", "--all")
    run(service, tools, "make", "secrets")
    token = "ghp_" + "".join(random.Random(1).choices(string.ascii_letters + string.digits, k=36))
    (service / "app" / "token.py").write_text(f'TOKEN = "{token}"\n', encoding="utf-8")
    run(service, tools, "git", "add", "--all")
    with pytest.raises(AssertionError, match=r"app/token\.py") as found:
        run(service, tools, "make", "secrets")
    assert token not in str(found.value)


def test_its_checks_pass_on_an_older_postgresql_that_they_are_given(
    new_service: Callable[..., Path], tools: Path
) -> None:
    """DATABASE_URL points to a PostgreSQL 16 server. The tests leave no database behind on it."""
    service = new_service(**matrix()[1])
    program = (
        "import asyncio, asyncpg, os, subprocess, sys\n"
        "from chassis.development.postgres import embedded_postgres\n"
        "async def names(url):\n"
        "    connection = await asyncpg.connect(url)\n"
        "    rows = await connection.fetch('SELECT datname FROM pg_database')\n"
        "    print('version', await connection.fetchval('SHOW server_version'))\n"
        "    await connection.close()\n"
        "    return sorted(row[0] for row in rows)\n"
        "with embedded_postgres() as url:\n"
        "    before = asyncio.run(names(url))\n"
        "    done = subprocess.run(['make', 'check'], env=os.environ | {'DATABASE_URL': url})\n"
        "    assert asyncio.run(names(url)) == before == ['postgres', 'template0', 'template1']\n"
        "sys.exit(done.returncode)\n"
    )
    python = str(python_for(service))
    said = run(service, tools, python, "-c", program, POSTGRES_VERSION="16")
    assert "version 16." in said
    assert_green(said)
