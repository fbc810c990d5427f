"""Record what was downloaded and verified, and find files that several models share."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...fs import read_patiently, write_json
from ...settings import Settings
from .hub import Remote, RemoteFile

ENDING = ".files.json"
SHARED_FROM = 2**20
"""Bytes from which a file is worth looking for in other models."""


class Manifest:
    """Record the verified files of a download in `.downloads/<name>.files.json`. Without it files are hashed again."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.path = settings.models / ".downloads" / f"{name}{ENDING}"

    def read(self) -> Remote | None:
        """Return the repository's files at the download, or None."""
        data = self._data()
        try:
            return Remote(data["repository"], data["commit"], tuple(RemoteFile(**file) for file in data["files"]))
        except (KeyError, TypeError):
            return None

    def verified(self, remote: Remote) -> set[str]:
        """Return the paths whose hash was verified, and is still the hub's."""
        known = self.read()
        if known is None:
            return set()
        same = {file.path for file in known.files} & {f.path for f in remote.files if f in known.files}
        return same & set(self._data().get("verified", ()))

    def write(self, remote: Remote, verified: set[str]) -> None:
        """Replace the record."""
        self._save(
            {
                "repository": remote.repository,
                "commit": remote.commit,
                "files": [asdict(file) for file in remote.files],
                "verified": sorted(verified),
            }
        )

    def add(self, file: RemoteFile) -> None:
        """Record a verified file."""
        data = self._data()
        data["verified"] = sorted({*data.get("verified", ()), file.path})
        self._save(data)

    def doubt(self, paths: set[str]) -> None:
        """Record damaged files, which the next download fetches again."""
        data = self._data()
        if data:
            data["verified"] = sorted(set(data.get("verified", ())) - paths)
            self._save(data)

    def delete(self) -> None:
        """Delete the record."""
        self.path.unlink(missing_ok=True)

    def _data(self) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            data = json.loads(read_patiently(self.path))
            return data if isinstance(data, dict) else {}
        return {}

    def _save(self, data: dict[str, Any]) -> None:
        write_json(self.path, data)


class SharedFiles:
    """Verified files of other downloaded models. Several models have the same text encoder, of 11 GB with Wan."""

    def __init__(self, name: str, settings: Settings) -> None:
        """Read the other models' records.

        Args:
            name: of the model that is downloaded.
            settings: tell the folder of models.
        """
        self._paths: dict[tuple[str, int], Path] = {}
        for record in sorted((settings.models / ".downloads").glob(f"*{ENDING}")):
            other = record.name.removesuffix(ENDING)
            if other != name:
                self._paths |= dict(_verified(other, settings))

    def link(self, file: RemoteFile, target: Path) -> bool:
        """Give a file of another model a second name, which takes no room on the disk.

        Args:
            file: its size and hash.
            target: the new name.

        Returns:
            Whether `target` is there now. Its content may have been damaged since it was verified.
        """
        path = self._paths.get((file.sha256, file.size))
        if path is None:
            return False
        try:
            if path.stat().st_size != file.size:
                return False
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, target)
        except OSError:  # it is gone, or this disk knows no second names
            return False
        return True


def _verified(name: str, settings: Settings) -> Iterator[tuple[tuple[str, int], Path]]:
    manifest = Manifest(name, settings)
    remote = manifest.read()
    if remote is None:
        return
    verified = manifest.verified(remote)
    for file in remote.files:
        if file.path in verified and file.sha256 and file.size >= SHARED_FROM:
            yield (file.sha256, file.size), settings.models / name / file.path
