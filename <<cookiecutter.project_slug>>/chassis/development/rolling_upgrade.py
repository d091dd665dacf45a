"""`make rolling-upgrade FROM=main`: runs the tests of an earlier commit on the present schema.

Old pods use this schema during a rolling update, and all pods use it after a rollback.
"""

import asyncio
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
from pydantic import SecretStr

from chassis.development.postgres import EmbeddedPostgresError, embedded_postgres
from chassis.errors import MigrationError
from chassis.migrations.run import migrate
from chassis.project import ROOT
from chassis.settings import Settings

_TEMPLATE = "newest"
_LOCK = "requirements-dev.txt"


def main() -> None:
    """Exit with a message if the tests of the earlier code fail."""
    earlier = sys.argv[1]
    if not earlier:
        sys.exit("Name the commit that is deployed now: make rolling-upgrade FROM=main")
    try:
        with TemporaryDirectory() as folder, embedded_postgres() as url:
            _check_out(earlier, Path(folder))
            asyncio.run(_make_template(url))
            works = _test(Path(folder), url)
    except (EmbeddedPostgresError, MigrationError) as error:
        sys.exit(str(error))
    if not works:
        sys.exit(
            f"The code of {earlier} fails on the present schema, and so would its pods during an upgrade. "
            "Expand in this release and contract in a later one: see docs/chassis/explanation/migrations.md."
        )
    print(f"The code of {earlier} works on the present schema.")


def _check_out(commit: str, folder: Path) -> None:
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, stdout=subprocess.PIPE, check=False)
    if archive.returncode != 0:
        sys.exit(f"Git has no commit {commit} of this service.")
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    makers = [
        folder / "chassis" / "testing" / "databases.py",
        folder / "tests" / "databases.py",
    ]  # now, and up to 0.2.1
    if not any("DATABASE_TEMPLATE" in file.read_text(encoding="utf-8") for file in makers if file.exists()):
        sys.exit(f"The tests of {commit} are older than `make rolling-upgrade` and do not support it.")


async def _make_template(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(f"CREATE DATABASE {_TEMPLATE}")
    await connection.close()
    await migrate(Settings(database_url=SecretStr(url.replace("/postgres?", f"/{_TEMPLATE}?"))))


def _python(code: Path) -> Path:
    """Return the Python of an environment for the earlier code's lock, which may contain other packages."""
    lock = (code / _LOCK).read_bytes()
    if lock == (ROOT / _LOCK).read_bytes():
        return Path(sys.executable)
    environment = ROOT / "build" / "environments" / hashlib.sha256(lock).hexdigest()[:12]
    # The earlier code's Makefile makes it, without the variables of the current `make`.
    variables = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "VENV"}}
    command = ["make", f"{environment}/.ready", f"VENV={environment}", f"PYTHON={sys.executable}"]
    if subprocess.run(command, cwd=code, env=variables, check=False).returncode != 0:
        sys.exit("The earlier code's environment cannot be made from its lock; see pip's message above.")
    return environment / "bin" / "python"


def _test(code: Path, url: str) -> bool:
    command = [str(_python(code)), "-m", "pytest", "--quiet", "--exitfirst", "tests/app"]
    environment = os.environ | {"DATABASE_URL": url, "DATABASE_TEMPLATE": _TEMPLATE}
    return subprocess.run(command, cwd=code, env=environment, check=False).returncode == 0


if __name__ == "__main__":
    main()
