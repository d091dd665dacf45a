"""A small in-memory file system that only one server sees, to simulate a full disk."""

import asyncio
import os
from asyncio.subprocess import DEVNULL
from pathlib import Path

from harness.postgres_programs import server_user

_NAMESPACE = (
    ("unshare", "--mount")
    if os.geteuid() == 0
    else ("unshare", "--user", "--map-current-user", "--keep-caps", "--mount")
)


def inside(folder: Path, mebibytes: int) -> tuple[str, ...]:
    """Return a command prefix that runs a command with the file system mounted on the folder."""
    user = server_user()
    options = f"size={mebibytes}m,mode=700,uid={user.pw_uid},gid={user.pw_gid}"
    return (*_NAMESPACE, "sh", "-c", f'mount -t tmpfs -o {options} none "{folder}" && exec "$@"', "sh")


async def is_possible(folder: Path) -> bool:
    """Return whether this user can mount one on this machine."""
    process = await asyncio.create_subprocess_exec(*inside(folder, 1), "true", stdout=DEVNULL, stderr=DEVNULL)
    return await process.wait() == 0


def fill(pid: int, folder: Path) -> Path:
    """Fill the file system that a process sees in the folder. Return the path of the file that fills it."""
    filler = Path(f"/proc/{pid}/root{folder}/filler")
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(2**20))
        except OSError:
            return filler
