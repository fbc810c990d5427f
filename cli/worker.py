"""The commands `fanslymotion worker` and `fanslymotion restart-worker`."""

import signal
import socket
import sys
import time
from typing import Annotated

import typer

from ..console import err, out
from ..errors import FanslymotionError
from ..messages import msg
from .arguments import open_jobs
from .follower import POLL_SECONDS

RESTART_SECONDS = 120.0  # a worker hands its job back within a step; the slowest steps take about a minute


def worker(
    supervised: Annotated[bool, typer.Option(help="Start it again when it dies.")] = True,
) -> None:
    """Run a worker in this window, without the page."""
    if not supervised:
        from ..queue.worker.main import main as run_worker

        sys.argv = ["fanslymotion worker"]
        run_worker()
        return
    from ..queue.liveness.supervisors import Supervisors

    jobs, settings = open_jobs()
    if any(other.alive and other.host == socket.gethostname() for other in jobs.workers()):
        err().print("Another program keeps a worker for this data folder; this one takes over when it ends.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Supervisors(settings, echo=lambda line: print(line, flush=True)):
        try:
            while True:  # a wait without an end cannot be interrupted on Windows
                time.sleep(0.5)
        except KeyboardInterrupt:
            err().print("Ending: the worker stops after its step; its job goes on at the next start.")


def restart_worker() -> None:
    """Restart the worker. The running job resumes from its checkpoint."""
    jobs, _ = open_jobs()
    before = {worker.id for worker in jobs.workers() if worker.alive}
    if not jobs.restart_worker():
        raise FanslymotionError(msg("no worker is running; 'fanslymotion ui' and 'fanslymotion worker' start one"))
    err().print("Asked the worker to restart; it hands its job back at the next step …")
    deadline = time.monotonic() + RESTART_SECONDS
    while time.monotonic() < deadline:
        for worker in jobs.workers():
            if worker.id not in before and worker.ready:
                out().print(f"The worker runs again (process {worker.pid}).")
                return
        time.sleep(POLL_SECONDS)
    raise FanslymotionError(
        msg(
            "no new worker is ready after {seconds:.0f} s; does something keep it running? 'fanslymotion "
            "worker' starts one, and shows what goes wrong",
            seconds=RESTART_SECONDS,
        )
    )
