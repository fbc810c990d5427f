"""A studio as users have it: `python app.py` as a process of its own, with the worker that it starts."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from fanslymotion.bench.tiny_home import few_frames, random_mini
from fanslymotion.settings import ROOT

START_SECONDS = 120.0

SMALL_SIZES = "[480p]\nwidth = 168\nheight = 96\n"
"""For a data folder's resolutions.toml: frames of a 25th of the pixels, which nobody has to wait for."""


def wait_for(look: Callable[[], object], seconds: float = 120.0, pause: float = 0.1) -> None:
    """Until `look` gives something true. The limit only ends a test that hangs."""
    end = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < end, "it did not come"
        time.sleep(pause)


def runs(process: psutil.Process) -> bool:
    """Not so a process that has ended and whose exit code was not asked for: not every container's first one does."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def free_port() -> int:
    """Return a port that is free now, none of those that systems give to connections meanwhile."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("", port))
            return port


@dataclass
class Studio:
    """`python app.py` as a process of its own, started from a folder that is not the checkout.

    words: for app.py. more: environment variables of its own.
    """

    home: Path
    models: Path
    words: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    more: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environ(self) -> dict[str, str]:
        own = {"FANSLYMOTION_HOME": str(self.home), "FANSLYMOTION_MODELS": str(self.models)}
        return os.environ | own | self.more

    def start(self) -> None:
        random_mini(self.home)
        few_frames(self.home)
        (self.home / "presets" / "resolutions.toml").write_text(SMALL_SIZES, encoding="utf-8")
        words = ["--no-browser", "--port", str(self.port), *self.words]
        with open(self.home / "said.txt", "a", encoding="utf-8") as said:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "app.py"), *words],
                cwd=self.home.parent,
                env=self.environ,
                stdout=said,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
            )
        wait_for(self._answers, START_SECONDS)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.home / "said.txt").read_text(encoding="utf-8")
        try:
            return httpx.get(f"{self.url}/studio/static/icon.svg", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def post(self, path: str, **options: Any) -> httpx.Response:
        """As the page itself does."""
        return httpx.post(f"{self.url}{path}", headers={"Origin": self.url}, timeout=30, **options)

    @property
    def said(self) -> str:
        return (self.home / "said.txt").read_text(encoding="utf-8")

    def stop(self) -> int:
        """Ask it to end as Ctrl+C does, and see that nothing of it is left running."""
        assert self.process is not None
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(90)
        wait_for(lambda: not any(map(runs, family)))
        return code

    def kill(self) -> None:
        assert self.process is not None
        for process in [*psutil.Process(self.process.pid).children(recursive=True), self.process]:
            process.kill()
        self.process.wait()
