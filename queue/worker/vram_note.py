"""How much video memory this machine's worker holds with its warm model: to the form it counts as free.

The driver tells no program's share on Windows, and in a container not by the number a process has there.
"""

import json

from ...pipeline.hardware.devices import Cuda
from ..store.store import Store
from ..types import WorkerInfo

KEY = "vram"


class Warmth:
    """A worker's side: writes what it holds when that has changed."""

    def __init__(self, store: Store, pid: int) -> None:
        self._store, self._pid = store, pid
        self._told = ""

    def tell(self) -> None:
        cuda = Cuda.here()
        now = json.dumps({"pid": self._pid, "bytes": cuda.held}) if cuda and cuda.works else ""
        if now != self._told:
            self._store.set_meta(KEY, now)
            self._told = now


def held(store: Store, workers: list[WorkerInfo]) -> int:
    """Bytes; 0 when the worker that said it is gone."""
    try:
        said = json.loads(store.meta(KEY) or "{}")
        alive = {worker.pid for worker in workers if worker.alive}
        return int(said["bytes"]) if said.get("pid") in alive else 0
    except (ValueError, TypeError, KeyError, AttributeError):
        return 0
