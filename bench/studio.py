"""A studio for benches of the page: `app.py` as a process, and a job whose worker is the bench itself."""

import asyncio
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store import transitions
from fanslymotion.queue.types import EventKind
from fanslymotion.settings import ROOT, Settings

PHOTO = ROOT / "assets" / "sample.jpg"


class Page:
    """`app.py` without a worker, and one job that this process pretends to work on. more: words for it."""

    def __init__(self, home: Path, *more: str) -> None:
        self.settings = Settings.local(home, home / "models")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        words = ["--no-browser", "--no-worker", "--port", str(self.port), *more]
        command = [sys.executable, str(ROOT / "app.py"), *words]
        self.process = subprocess.Popen(command, env=self.settings.environ(), stdout=subprocess.DEVNULL)
        self.jobs = Jobs(self.settings)
        self.url = f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """End the program."""
        self.process.terminate()
        self.process.wait()
        self.jobs.close()

    async def ready(self) -> None:
        async with httpx.AsyncClient() as client:
            while True:
                try:
                    await client.get(f"{self.url}/studio/machine")
                    return
                except httpx.TransportError:
                    await asyncio.sleep(0.2)

    def begin(self) -> str:
        job = self.jobs.submit(PHOTO, VideoRequest(seed=1))
        transitions.claim(self.jobs.store, "bench", time.time())
        return job.id

    def say(self, job_id: str, text: str) -> None:
        store = self.jobs.store
        with store.write():
            transitions.renew(store, job_id, "bench", {}, log=True)
            transitions.add_event(store, job_id, time.time(), EventKind.LOG, text, "INFO")
