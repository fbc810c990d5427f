"""Downloads in processes of their own: killed, cancelled, interrupted by a reboot, against a hub on this machine."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from fanslymotion.models.download.background import Downloads
from fanslymotion.models.download.part_file import part_of
from fanslymotion.settings import Settings
from fanslymotion.tests.hub import Hub, serve

pytestmark = pytest.mark.faults

MB = 2**20
WEIGHTS = "unet/model.safetensors"
PRESET = """
label = "Tiny"
source = "hub"
repository = "acme/tiny"
files = ["*.json", "*/*.safetensors"]
width = 128
height = 72
frames = 14
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "none"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("FANSLYMOTION_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FANSLYMOTION_MODELS", str(tmp_path / "models"))
    folder = tmp_path / "home" / "presets" / "models"
    folder.mkdir(parents=True)
    (folder / "tiny.toml").write_text(PRESET, encoding="utf-8")
    return Settings.from_env(os.environ)


def hub_with(size: int, monkeypatch: pytest.MonkeyPatch) -> Hub:
    return Hub("acme/tiny", {"model_index.json": b"{}", WEIGHTS: os.urandom(MB) * (size // MB)})


def wait_for(downloads: Downloads, *statuses: str) -> str:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        state = downloads.state("tiny")
        if state and state.status in statuses:
            return state.status
        time.sleep(0.05)
    raise AssertionError(f"{downloads.state('tiny')}")


def kill(downloads: Downloads) -> None:
    state = downloads.state("tiny")
    assert state is not None
    process = psutil.Process(state.pid)
    process.kill()
    process.wait(30)


def test_killed_at_40_percent_of_200_mb_at_most_5_percent_come_twice(settings, monkeypatch):
    size = 200 * MB
    with serve(hub_with(size, monkeypatch)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        hub.delay = 0.001
        downloads = Downloads(settings)
        assert downloads.start("tiny").status == "starting"
        hub.wait_sent(WEIGHTS, int(size * 0.4))
        kill(downloads)
        assert wait_for(downloads, "interrupted")
        held = part_of(settings.models / "tiny" / WEIGHTS).stat().st_size
        hub.delay = 0
        assert downloads.resume() == ["tiny"]
        assert wait_for(downloads, "done", "failed") == "done"
        assert (settings.models / "tiny" / WEIGHTS).read_bytes() == hub.files[WEIGHTS]
        assert hub.starts[WEIGHTS] == [0, held]
        assert hub.sent[WEIGHTS] <= size * 1.05
        state = downloads.state("tiny")
        assert state is not None
        assert state.done == state.total == size + 2


def test_the_page_that_started_it_may_end_and_another_one_sees_it_go_on(settings, monkeypatch):
    size = 8 * MB
    with serve(hub_with(size, monkeypatch)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        hub.delay = 0.02
        code = (
            "from fanslymotion.models.download.background import Downloads; from fanslymotion.settings import Settings;"
            "Downloads(Settings.from_env()).start('tiny')"
        )
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
        downloads = Downloads(settings)
        hub.wait_sent(WEIGHTS, size // 4)
        assert wait_for(downloads, "running", "done")
        assert downloads.start("tiny").status in ("running", "done"), "a second click starts no second one"
        assert wait_for(downloads, "done", "failed", "interrupted") == "done"
        assert hub.sent[WEIGHTS] == size


def test_cancel_stops_it_and_the_next_start_goes_on(settings, monkeypatch):
    size = 8 * MB
    with serve(hub_with(size, monkeypatch)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        hub.delay = 0.02
        downloads = Downloads(settings)
        downloads.start("tiny")
        hub.wait_sent(WEIGHTS, size // 2)
        downloads.cancel("tiny")
        assert wait_for(downloads, "cancelled", "done", "failed") == "cancelled"
        assert downloads.resume() == [], "what was cancelled on purpose does not come back by itself"
        hub.delay = 0
        sent = hub.sent[WEIGHTS]
        downloads.start("tiny")
        assert wait_for(downloads, "done", "failed") == "done"
        assert hub.sent[WEIGHTS] <= size + 2 * MB, f"{sent} bytes had gone out at the cancel"


def test_a_command_that_finds_it_running_follows_it(settings, monkeypatch):
    size = 8 * MB
    with serve(hub_with(size, monkeypatch)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        hub.delay = 0.05
        downloads = Downloads(settings)
        downloads.start("tiny")
        hub.wait_sent(WEIGHTS, MB // 2)
        seen = []
        state = downloads.run("tiny", seen.append)
        assert state.status == "done"
        assert seen
        assert all(moment.pid != os.getpid() for moment in seen)
        assert hub.sent[WEIGHTS] == size


def test_a_network_that_answers_nothing_blocks_no_list_and_no_start(settings, monkeypatch):
    # A listening socket that nobody accepts from: connections stand, and no byte ever comes.
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        code = (
            "import sys; from fanslymotion.settings import Settings; from fanslymotion.presets import load_presets;"
            "from fanslymotion.models.registry import list_models;"
            "from fanslymotion.models.download.background import Downloads;"
            "s = Settings.from_env(); p = load_presets(s); d = Downloads(s); d.resume();"
            "assert {e.name: e.state for e in list_models(p, s)}['mini'] == 'ready';"
            "assert d.start('tiny').status == 'starting'; d.cancel('tiny');"
            "assert 'huggingface_hub' not in sys.modules and 'torch' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
        assert wait_for(Downloads(settings), "cancelled", "failed") == "cancelled"
