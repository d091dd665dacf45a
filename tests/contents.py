"""Compares folders: the files below one, with their modes and contents."""

import os
import stat
from pathlib import Path


def contents(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Return mode and bytes of every file below the folder, by relative path. For a link, the bytes are its target."""
    return {
        str(path.relative_to(folder)): (
            stat.filemode(path.lstat().st_mode),
            os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes(),
        )
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }
