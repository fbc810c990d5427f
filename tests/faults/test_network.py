"""The page and a bad line: what was broken off goes on by itself, and a silent network costs nothing."""

import os
import socket
import time
from pathlib import Path

import psutil
import pytest
from fanslymotion.bench.tiny_home import tiny_preset
from fanslymotion.models.download.background import Downloads
from fanslymotion.models.download.part_file import part_of
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.types import Status
from fanslymotion.settings import Settings
from fanslymotion.tests.hub import Hub, serve
from fanslymotion.tests.studio import Studio, wait_for

from .test_download_kill import MB, PRESET, WEIGHTS

pytestmark = pytest.mark.faults

START_SECONDS = 10.0


def start_limit() -> float:
    """START_SECONDS on a machine that has nothing else to do."""
    return START_SECONDS * max(1.0, psutil.getloadavg()[0] / (psutil.cpu_count() or 1))


@pytest.mark.soak
def test_a_download_that_died_with_the_page_goes_on_with_the_next_one(tmp_path: Path) -> None:
    """T15: a power cut in the middle of 16 MB."""
    home, models = tmp_path / "data", tmp_path / "models"
    (home / "presets" / "models").mkdir(parents=True)
    (home / "presets" / "models" / "tiny.toml").write_text(PRESET, encoding="utf-8")
    size = 16 * MB
    hub = Hub("acme/tiny", {"model_index.json": b"{}", WEIGHTS: os.urandom(MB) * 16})
    hub.delay = 0.02
    with serve(hub):
        more = {"HF_ENDPOINT": hub.url, "NO_PROXY": "127.0.0.1,localhost", "HF_TOKEN": ""}
        studio = Studio(home, models, ("--no-worker",), more=more)
        downloads = Downloads(Settings(home, models, ""))
        studio.start()
        try:
            answer = studio.post("/studio/models/tiny/download")
            assert answer.status_code == 200, answer.text
            hub.wait_sent(WEIGHTS, size // 2)
        finally:
            running = downloads.state("tiny")
            studio.kill()
        assert running is not None
        process = psutil.Process(running.pid)
        process.kill()
        process.wait(30)
        held = part_of(models / "tiny" / WEIGHTS).stat().st_size
        assert 0 < held < size
        hub.delay = 0.0
        studio.start()
        try:
            wait_for(lambda: (state := downloads.state("tiny")) and state.status == "done", 120)
        finally:
            studio.kill()
        assert (models / "tiny" / WEIGHTS).read_bytes() == hub.files[WEIGHTS]
        assert hub.starts[WEIGHTS] == [0, held]


def test_with_a_network_that_answers_nothing_the_page_starts_and_mini_draws(
    tmp_path: Path, models_dir: Path, photo: Path
) -> None:
    """Every address outside leads to a socket that takes connections and never says a word."""
    home = tmp_path / "data"
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        nowhere = f"http://127.0.0.1:{silent.getsockname()[1]}"
        more = {"HF_ENDPOINT": nowhere, "HTTPS_PROXY": nowhere, "HTTP_PROXY": nowhere, "NO_PROXY": "127.0.0.1"}
        studio = Studio(home, models_dir, more=more)
        tiny_preset(home)
        began, limit = time.monotonic(), start_limit()
        studio.start()
        took = time.monotonic() - began
        try:
            jobs = Jobs(Settings.local(home, models_dir))
            job = jobs.submit(photo, VideoRequest(resolution="480p", seconds=6, steps=1, seed=1))
            wait_for(lambda: jobs.get(job.id).status.final, 180)
            assert jobs.get(job.id).status is Status.DONE
            jobs.close()
        finally:
            studio.kill()
    assert took < limit
