"""What a disk would hold if the power went: only what was synced, at every step of what a function writes.

A model of POSIX' promises, stricter than most file systems keep them: a file's content is durable once the file was
synced, a name once its folder was. Two disks are looked at for each step: one that wrote every name at once and no
content by itself (ext4 and XFS leave files of 0 bytes so), and one that wrote nothing by itself.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

STEPS = {"open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}
"""Audit events of the calls that change files; `os.fsync` has none and is watched by itself."""

Disk = dict[str, bytes]
"""What is there after the power cut: relative path -> content."""

_watching: list["_Recorder"] = []
_hooked = False


def cuts(root: Path, action: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> list[Disk]:
    """Run `action`, which writes below `root`; return the disks of a cut before each of its steps and after it.

    The last two are those after `action`: what must be durable is in both.
    """
    global _hooked
    if not _hooked:
        sys.addaudithook(_on_event)  # stays for the life of the process, hence the list it looks into
        _hooked = True
    recorder = _Recorder(root)
    real_fsync = os.fsync

    def fsync(fd: int) -> None:
        recorder.step()
        real_fsync(fd)
        recorder.synced(fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        _watching.append(recorder)
        try:
            action()
        finally:
            _watching.remove(recorder)
            recorder.step()
            recorder.close()
    return recorder.disks


def _on_event(event: str, args: tuple[Any, ...]) -> None:
    if event in STEPS and _watching:
        _watching[-1].step()


class _Recorder:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.disks: list[Disk] = []
        self._contents: dict[int, bytes] = {}
        self._names: dict[int, dict[str, int]] = {}
        self._held: list[int] = []
        """Open files, so that the number of an inode is not given to another one."""
        self._busy = False
        for folder, _, files in os.walk(root):
            self._names[os.stat(folder).st_ino] = _listing(Path(folder))
            for name in files:
                path = Path(folder) / name
                self._held.append(os.open(path, os.O_RDONLY))
                self._contents[path.stat().st_ino] = path.read_bytes()

    def step(self) -> None:
        if self._busy:
            return
        self._busy = True
        try:
            self.disks += [self._eager(), self._lazy(self.root.stat().st_ino, "")]
        finally:
            self._busy = False

    def synced(self, fd: int) -> None:
        self._busy = True
        try:
            self._held.append(os.dup(fd))
            found = os.fstat(fd)
            path = Path(os.readlink(f"/proc/self/fd/{fd}"))
            if path.is_dir():
                self._names[found.st_ino] = _listing(path)
            else:
                self._contents[found.st_ino] = path.read_bytes()
        finally:
            self._busy = False

    def close(self) -> None:
        for fd in self._held:
            os.close(fd)

    def _eager(self) -> Disk:
        paths = [Path(folder) / name for folder, _, files in os.walk(self.root) for name in files]
        return {str(p.relative_to(self.root)): self._contents.get(p.stat().st_ino, b"") for p in paths}

    def _lazy(self, folder: int, prefix: str) -> Disk:
        disk: Disk = {}
        for name, inode in self._names.get(folder, {}).items():
            if inode in self._names:
                disk |= self._lazy(inode, f"{prefix}{name}/")
            else:
                disk[prefix + name] = self._contents.get(inode, b"")
        return disk


def _listing(folder: Path) -> dict[str, int]:
    return {entry.name: entry.inode() for entry in os.scandir(folder)}
