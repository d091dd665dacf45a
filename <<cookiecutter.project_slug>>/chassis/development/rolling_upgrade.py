"""`make rolling-upgrade FROM=main`: the tests of an earlier commit's code, on the schema that the present code makes.

That is what the old pods work with during an upgrade, and all of them after a roll-back.
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
from chassis.migrate import migrate
from chassis.project import ROOT
from chassis.settings import Settings

_TEMPLATE = "newest"
_LOCK = "requirements-dev.txt"


def main() -> None:
    """Exits with a message where the earlier code's tests fail."""
    earlier = sys.argv[1]
    if not earlier:
        sys.exit("Say which commit serves until the upgrade: make rolling-upgrade FROM=main")
    try:
        with TemporaryDirectory() as folder, embedded_postgres() as url:
            _check_out(earlier, Path(folder))
            asyncio.run(_make_template(url))
            works = _test(Path(folder), url)
    except (EmbeddedPostgresError, MigrationError) as error:
        sys.exit(str(error))
    if not works:
        sys.exit(
            f"The code of {earlier} fails on the present schema, as its pods will until they are replaced. "
            "Expand in this release and contract in a later one: README.md, Migrations."
        )
    print(f"The code of {earlier} works on the present schema.")


def _check_out(commit: str, folder: Path) -> None:
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, stdout=subprocess.PIPE, check=False)
    if archive.returncode != 0:
        sys.exit(f"Git has no commit {commit} of this service.")
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    if "DATABASE_TEMPLATE" not in (folder / "tests" / "databases.py").read_text(encoding="utf-8"):
        sys.exit(f"The tests of {commit} cannot run on another schema than their own: they do not know this command.")


async def _make_template(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(f"CREATE DATABASE {_TEMPLATE}")
    await connection.close()
    await migrate(Settings(database_url=SecretStr(url.replace("/postgres?", f"/{_TEMPLATE}?"))))


def _python(code: Path) -> Path:
    """The Python of an environment with the earlier code's own lock: it may import what this code no longer needs."""
    lock = (code / _LOCK).read_bytes()
    if lock == (ROOT / _LOCK).read_bytes():
        return Path(sys.executable)
    environment = ROOT / "build" / "environments" / hashlib.sha256(lock).hexdigest()[:12]
    # Its own Makefile knows how. What this one was called with is not meant for it.
    variables = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "VENV"}}
    command = ["make", f"{environment}/.ready", f"VENV={environment}", f"PYTHON={sys.executable}"]
    if subprocess.run(command, cwd=code, env=variables, check=False).returncode != 0:
        sys.exit("The earlier code's environment cannot be made from its lock; pip says why above.")
    return environment / "bin" / "python"


def _test(code: Path, url: str) -> bool:
    command = [str(_python(code)), "-m", "pytest", "--quiet", "--exitfirst", "tests/app"]
    environment = os.environ | {"DATABASE_URL": url, "DATABASE_TEMPLATE": _TEMPLATE}
    return subprocess.run(command, cwd=code, env=environment, check=False).returncode == 0


if __name__ == "__main__":
    main()
