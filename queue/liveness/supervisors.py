"""Keep a worker running for each of this machine's GPUs, or one if there is at most one GPU."""

from typing import Any

from ...settings import Settings
from .supervisor import Echo, Supervisor
from .worker_slots import WorkerSlot, worker_slots


class Supervisors:
    """Keep all workers running that this machine should run, with a `Supervisor` for each, during the block.

    Args:
        settings: the data folder, and which GPUs get a worker.
        echo: receives each line of the workers' output, which names the GPU if there are several.

    Raises:
        BadInput: the settings name a GPU that this machine does not have.
    """

    def __init__(self, settings: Settings, *, echo: Echo | None = None) -> None:
        slots = worker_slots(settings.gpus)
        self._all = [Supervisor(settings, echo=_named(echo, slot), slot=slot) for slot in slots]

    def __enter__(self) -> "Supervisors":
        self.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def start(self) -> None:
        """Start the threads that keep the workers running."""
        for supervisor in self._all:
            supervisor.start()

    def stop(self) -> None:
        """Ask all workers to return their jobs to the queue and end, as `Supervisor.stop`. Returns when they have."""
        for supervisor in self._all:
            supervisor.ask_to_stop()
        for supervisor in self._all:
            supervisor.stop()


def _named(echo: Echo | None, slot: WorkerSlot) -> Echo | None:
    if echo is None or slot.workers == 1:
        return echo
    return lambda line: echo(f"[{slot.name}] {line}")
