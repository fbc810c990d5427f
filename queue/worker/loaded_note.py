"""Record which model the worker keeps loaded. The form's time leaves its loading out."""

import json

from ..store.store import Store
from ..types import WorkerInfo

KEY = "loaded"
"""Key of the note in the table `meta`."""


class LoadedNote:
    """Write the loaded model's name when it has changed.

    Args:
        store: the open store.
        pid: of the worker.
    """

    def __init__(self, store: Store, pid: int) -> None:
        self._store, self._pid = store, pid
        self._written = ""

    def write(self, model: str) -> None:
        """Write the note, if it has changed. model: its name, "" for none."""
        now = json.dumps({"pid": self._pid, "model": model})
        if now != self._written:
            self._store.set_meta(KEY, now)
            self._written = now


def loaded(store: Store, workers: list[WorkerInfo]) -> str:
    """Return the name of the model that a living worker keeps loaded, else ""."""
    try:
        said = json.loads(store.meta(KEY) or "{}")
        alive = {worker.pid for worker in workers if worker.alive}
        return str(said["model"]) if said.get("pid") in alive else ""
    except (ValueError, TypeError, KeyError, AttributeError):
        return ""
