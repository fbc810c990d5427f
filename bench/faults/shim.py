"""Builds the preloaded library of `shim.c` and steers it: a wall clock that steps, syncs that fail. Linux only."""

import mmap
import shutil
import struct
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
LAYOUT = struct.Struct("qiiixxxx")
"""`struct control`: seconds, syncs, failed, process."""


def build(folder: Path) -> Path | None:
    """Compile the library into `folder`; None where that is not possible (no compiler, another system)."""
    compiler = shutil.which("cc")
    if sys.platform != "linux" or compiler is None:
        return None
    library = folder / "shim.so"
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"]
    return library if subprocess.run(command, capture_output=True).returncode == 0 else None


class Shim:
    """One machine's clock and syncs. library: from `build`; None leaves every call without effect."""

    def __init__(self, library: Path | None, control: Path) -> None:
        self.library = library
        self._path = control
        control.write_bytes(bytes(LAYOUT.size))
        with open(control, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), LAYOUT.size)

    def environ(self) -> dict[str, str]:
        """For the processes of this machine, which hand it on to their children."""
        return {"LD_PRELOAD": str(self.library), "CHAOS_CONTROL": str(self._path)} if self.library else {}

    def step_clock(self, seconds: int) -> None:
        """Set the wall clock so far ahead of the true time; negative: behind it."""
        self._map[:8] = struct.pack("q", seconds)

    def fail_syncs(self, count: int, process: int = 0) -> None:
        """Let the next `count` calls of fsync and fdatasync fail with EIO; 0: none any more.

        process: only this one's, so that its children do not use them up; 0: all.
        """
        self._map[16:20] = struct.pack("i", process)
        self._map[8:12] = struct.pack("i", count)

    @property
    def failed(self) -> int:
        """How many calls have failed so far."""
        return LAYOUT.unpack(self._map[: LAYOUT.size])[2]
