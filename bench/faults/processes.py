"""The processes that campaigns and tests of faults harm: pages, workers alone, and supervisors without a page."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
import psutil
from fanslymotion.pipeline.media.ffmpeg import ffmpeg_path
from fanslymotion.settings import ROOT, Settings

STUDIO = """
import os, sys, threading
from pathlib import Path
from fanslymotion.queue.liveness.supervisors import Supervisors
from fanslymotion.settings import Settings
log = open(sys.argv[1], "a", encoding="utf-8", buffering=1)
Supervisors(Settings.from_env(), echo=lambda line: log.write(line + "\\n")).start()
threading.Event().wait()
"""
"""What a page is to the jobs: a process with the supervisors of its machine's workers."""

WORKER = """
import sys
from fanslymotion.queue.liveness import recovery
from fanslymotion.queue.worker import main as worker
lease, machine = float(sys.argv.pop(1)), sys.argv.pop(1)
recovery.LEASE_SECONDS = recovery.HUNG_SECONDS = lease
for name, module in list(sys.modules.items()):
    if machine and name.startswith("fanslymotion.queue.") and hasattr(module, "MACHINE"):
        module.MACHINE = machine
worker.main()
"""
"""A worker without a supervisor, perhaps on another machine, that loses patience after `lease` seconds."""


class Machine:
    """A page with its worker, or a worker alone, started anew under the same name whenever it has ended.

    words: the command. log: what it says.
    """

    def __init__(self, name: str, words: list[str], environ: Mapping[str, str], log: Path) -> None:
        self.name, self.log = name, log
        self._words, self._environ = words, environ
        self._process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    def start(self) -> None:
        self.starts += 1
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                self._command(), env=dict(self._environ), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _command(self) -> list[str]:
        return self._words

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def worker(self) -> int:
        """The process id of its worker, 0 when there is none."""
        return self.pid if self.running else 0

    def kill(self) -> None:
        """SIGKILL. Returns when it has ended."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def last_words(self) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])


class LoneWorker(Machine):
    """machine: another machine's name; "" when it is this one. lease: after so many seconds others are given up."""

    def __init__(
        self, name: str, environ: Mapping[str, str], log: Path, lease: float = 120.0, machine: str = ""
    ) -> None:
        words = [sys.executable, "-c", WORKER, f"{lease:g}", machine]
        super().__init__(name, words, environ, log)

    def within(self, words: list[str]) -> None:
        """Run it by another command, which replaces itself by the worker's."""
        self._words = [*words, *self._words]

    def _command(self) -> list[str]:
        return [*self._words, "--id", f"{self.name}-{self.starts}"]


class Page(Machine):
    """`app.py` with its supervisor and, of two on one machine, one with the worker."""

    def __init__(self, name: str, environ: Mapping[str, str], log: Path, port: int) -> None:
        words = [sys.executable, str(ROOT / "app.py"), "--no-browser", "--port", str(port)]
        super().__init__(name, words, environ, log)
        self.url = f"http://127.0.0.1:{port}"

    def worker(self) -> int:
        try:
            children = psutil.Process(self.pid).children() if self.running else []
            return next((child.pid for child in children if "fanslymotion.queue.worker.main" in child.cmdline()), 0)
        except psutil.Error:
            return 0

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/studio/static/icon.svg", timeout=5).status_code == 200
        except httpx.TransportError:
            return False


def start_studio(settings: Settings, **environ: str) -> subprocess.Popen:
    """A process with a supervisor on this data folder; what its worker says goes to studio.log there."""
    env = settings.environ() | {"HF_HUB_OFFLINE": "1", **environ}
    log = settings.home / "studio.log"
    return subprocess.Popen([sys.executable, "-c", STUDIO, str(log)], env=env, stdin=subprocess.DEVNULL)


def kill(pid: int) -> bool:
    """SIGKILL, on Windows TerminateProcess; False when there is no such process."""
    try:
        psutil.Process(pid).kill()
    except psutil.Error:
        return False
    return True


def suspend(pid: int, stopped: bool) -> None:
    """Stop a process in the middle of whatever it does, or let it go on (SIGSTOP, SIGCONT)."""
    try:
        process = psutil.Process(pid)
        process.suspend() if stopped else process.resume()
    except psutil.Error:
        return


def frames_hash(video: Path) -> str:
    """Of the decoded frames, as raw RGB."""
    command = [ffmpeg_path(), "-v", "error", "-i", str(video), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    return hashlib.sha256(subprocess.run(command, check=True, capture_output=True).stdout).hexdigest()


def environment(settings: Settings, database: str, more: Mapping[str, str]) -> dict[str, str]:
    """For a machine that reaches the database by an address of its own."""
    own = {"FANSLYMOTION_DATABASE": database, "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
    return settings.environ(os.environ) | own | dict(more)
