"""Record which model each worker keeps loaded. The form's time leaves its loading out."""

import json

from ..store.store import Store
from ..types import WorkerInfo

KEY = "loaded"
"""Key of the note in the table `meta`: the models' names by the workers' process ids."""


class LoadedNote:
    """Write the loaded model's name when it has changed.

    Args:
        store: the open store.
        pid: of the worker.
    """

    def __init__(self, store: Store, pid: int) -> None:
        self._store, self._pid = store, pid
        self._written: str | None = None

    def write(self, model: str) -> None:
        """Write the note beside those of the other workers, if it has changed. model: its name, "" for none."""
        if model == self._written:
            return
        worker = self._store.tables.Worker
        with self._store.write():
            registered = {row.pid for row in worker.select(worker.pid)}
            others = {pid: name for pid, name in _read(self._store).items() if pid in registered and pid != self._pid}
            self._store.set_meta(KEY, json.dumps(others | ({self._pid: model} if model else {})))
        self._written = model

    def write_again(self) -> None:
        """Write it at the next `write` even if it has not changed: the list is a new one."""
        self._written = None


def loaded(store: Store, workers: list[WorkerInfo]) -> frozenset[str]:
    """Return the names of the models that living workers keep loaded."""
    alive = {worker.pid for worker in workers if worker.alive}
    return frozenset(name for pid, name in _read(store).items() if pid in alive)


def _read(store: Store) -> dict[int, str]:
    try:
        return {int(pid): str(name) for pid, name in json.loads(store.meta(KEY) or "{}").items()}
    except (ValueError, TypeError, AttributeError):  # damaged, or of an earlier version
        return {}
