"""Store the tile size that each frame of a job is enlarged with, so that a resumed job makes the same frames."""

import json
import logging
from pathlib import Path

from ....fs import write_json
from .tiles import SIDES

log = logging.getLogger(__name__)

SIDES_NAME = "upscale.json"
"""In the job's work folder."""


class TileSizes:
    """The tile size of each frame.

    Sizes differ in the last bits of their results, which may round to another grey level.
    A memory that runs out at frame 37 changes the size from there on. The next attempt, which begins at frame 0 again,
    does the same, whether or not it lacks memory: its frames are those that were made before.
    """

    def __init__(self, folder: Path, key: str, first: int) -> None:
        """Read the sizes that an earlier attempt kept.

        Args:
            folder: The job's work folder.
            key: Identifies the upscaler and the frames: sizes under another key do not count.
            first: Pixels of a side, for a job that begins.
        """
        self._path, self._key = folder / SIDES_NAME, key
        self._from: list[tuple[int, int]] = self._read() or [(0, first)]
        self._keep()

    @property
    def given_up(self) -> bool:
        """Whether not even the smallest tile found room: the whole video is enlarged plainly then."""
        return self._from[0][1] == 0

    def side(self, frame: int) -> int:
        """Return the pixels of a tile's side at a frame, 0-based."""
        return next(side for start, side in reversed(self._from) if start <= frame)

    def smaller(self, frame: int) -> int:
        """Take the next smaller size from this frame on and return it; 0 when there is none."""
        below = next((side for side in SIDES if side < self.side(frame)), 0)
        self._from = [(start, side) for start, side in self._from if start < frame]
        self._from.append((frame, below))
        if not below:
            self._from = [(0, 0)]
        self._keep()
        return below

    def _read(self) -> list[tuple[int, int]]:
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            found = [(int(start), int(side)) for start, side in kept["sides"]] if kept["key"] == self._key else []
        except (OSError, ValueError, KeyError, TypeError):
            return []
        whole = found and found[0][0] == 0 and all(side in (0, *SIDES) for _, side in found)
        return found if whole else []

    def _keep(self) -> None:
        try:
            write_json(self._path, {"key": self._key, "sides": self._from})
        except OSError as e:
            log.debug("%s was not written: %s", self._path, e)


def take_smaller_tiles(folder: Path) -> None:
    """Make the next attempt take smaller tiles throughout: the system killed this one because memory ran out."""
    path = folder / SIDES_NAME
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        sides = [[start, next((side for side in SIDES if side < before), before)] for start, before in kept["sides"]]
        write_json(path, kept | {"sides": sides})
    except (OSError, ValueError, KeyError, TypeError) as e:
        log.debug("%s stays as it is: %s", path, e)
