"""Record how much video memory the worker's cached model holds. The form counts it as free.

The driver does not report a program's share on Windows, and in a container it knows processes by other ids.
"""

import json

from ...pipeline.hardware.devices import Cuda
from ..store.store import Store
from ..types import WorkerInfo

KEY = "vram"
"""Key of the note in the table `meta`."""


class VramNote:
    """Write the worker's video memory when it has changed.

    Args:
        store: the open store.
        pid: of the worker.
    """

    def __init__(self, store: Store, pid: int) -> None:
        self._store, self._pid = store, pid
        self._written = ""

    def write(self) -> None:
        """Write the note, if it has changed."""
        cuda = Cuda.here()
        now = json.dumps({"pid": self._pid, "bytes": cuda.held}) if cuda and cuda.works else ""
        if now != self._written:
            self._store.set_meta(KEY, now)
            self._written = now


def held(store: Store, workers: list[WorkerInfo]) -> int:
    """Return the video memory of a living worker's cached model in bytes, else 0."""
    try:
        said = json.loads(store.meta(KEY) or "{}")
        alive = {worker.pid for worker in workers if worker.alive}
        return int(said["bytes"]) if said.get("pid") in alive else 0
    except (ValueError, TypeError, KeyError, AttributeError):
        return 0
