"""A small disk of its own, in memory, that can be filled to the last byte. Only root on Linux may mount one."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

MB = 400


def mount(folder: Path) -> bool:
    """Mount it at `folder`; False where that is not allowed."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    folder.mkdir(parents=True, exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={MB}m", "tmpfs", str(folder)]
    return subprocess.run(words, capture_output=True).returncode == 0


def unmount(folder: Path) -> None:
    subprocess.run(["umount", "-l", str(folder)], capture_output=True)


def fill(folder: Path) -> None:
    """Take every free byte until `make_room`."""
    with open(folder / "ballast", "ab", buffering=0) as file, suppress(OSError):
        while (free := os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize) > 0:
            os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), free)


def make_room(folder: Path) -> None:
    (folder / "ballast").unlink(missing_ok=True)
