"""Downloads that run beside the page, each in a process of its own."""

import errno
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import psutil
import pytest
from fanslymotion.errors import Cancelled
from fanslymotion.fs import write_json
from fanslymotion.models.commands import models_app
from fanslymotion.models.download import background, part_file
from fanslymotion.models.download.background import Downloads
from fanslymotion.models.download.hub import DownloadError
from fanslymotion.models.download.state import DownloadState
from fanslymotion.process_start import start_time
from fanslymotion.settings import Settings
from filelock import FileLock
from typer.testing import CliRunner

from .conftest import WEIGHTS, quick


def test_a_models_folder_that_cannot_be_is_told(hub, settings, tmp_path):
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    wrong = Settings(settings.home, tmp_path / "file" / "models", settings.database)
    for act in (Downloads(wrong).start, Downloads(wrong).run):
        with pytest.raises(DownloadError, match="FANSLYMOTION_MODELS") as caught:
            act("tiny")
        assert caught.value.code == "FM-DISK-002"


def test_an_old_wish_to_stop_does_not_end_the_next_download(hub, settings):
    downloads = Downloads(settings)
    downloads.folder.mkdir(parents=True)
    downloads.cancel_path("tiny").touch()
    assert downloads.run("tiny", patience=quick()).status == "done"


def test_a_process_that_does_not_start_is_told_at_once(hub, settings, tmp_path, monkeypatch):
    """The memory is full, or a virus scanner holds Python. It was shown as starting, then as interrupted."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    downloads = Downloads(settings)
    with pytest.raises(DownloadError, match="the download of tiny does not start") as caught:
        downloads.start("tiny")
    state = downloads.state("tiny")
    assert (state.status, state.error) == ("failed", str(caught.value))


def test_a_share_that_gives_no_locks_is_told(hub, settings, monkeypatch):
    def refused(self, **named):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fanslymotion.models.download.background.FileLock.acquire", refused)
    downloads = Downloads(settings)
    with pytest.raises(DownloadError, match="FANSLYMOTION_MODELS") as caught:
        downloads.run("tiny", patience=quick())
    assert os.strerror(errno.ENOLCK) in str(caught.value)
    state = downloads.state("tiny")
    assert (state.status, state.error) == ("failed", str(caught.value))


def process_running_as_tiny(downloads: Downloads) -> DownloadState:
    """This process stands for the one that downloads."""
    own = start_time(psutil.Process())
    state = DownloadState("tiny", "running", pid=os.getpid(), born=own.seconds, boot=own.boot, updated=time.time())
    downloads.folder.mkdir(parents=True)
    downloads.write(state)
    return state


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the downloads that would have got a process."""
    names: list[str] = []
    monkeypatch.setattr(Downloads, "_spawn", lambda self, name: names.append(name))
    return names


def test_a_start_withdraws_a_wish_to_stop_that_was_not_seen_yet(settings, started):
    downloads = Downloads(settings)
    state = process_running_as_tiny(downloads)
    downloads.cancel("tiny")
    assert downloads.start("tiny") == state
    assert not downloads.cancel_path("tiny").exists(), "the process would end, after start said that it runs"
    assert started == []


def test_a_wish_to_stop_that_is_withdrawn_while_it_is_taken_stops_nothing(hub, settings, monkeypatch, started):
    """The process says that it ends, then removes the wish: what a start has removed first, it does not find."""
    downloads, write = Downloads(settings), Downloads.write
    said: list[str] = []

    def tell(self, state):
        write(self, state)
        if state.status == "running" and not said:
            downloads.cancel("tiny")
        if state.status == "cancelled":
            downloads.start("tiny")
        said.append(state.status)

    monkeypatch.setattr(Downloads, "write", tell)
    assert downloads.run("tiny", patience=quick()).status == "done"
    assert said.count("cancelled") == 1


def test_a_start_while_a_stopped_download_ends_gets_a_process_of_its_own(hub, settings, started):
    downloads = Downloads(settings)

    def follow(state):
        if state.status == "running":
            downloads.cancel("tiny")
        if state.status == "cancelled":
            assert downloads.start("tiny").status == "starting"

    with pytest.raises(Cancelled):
        downloads.run("tiny", follow, patience=quick())
    assert started == ["tiny"]
    assert downloads.state("tiny").status == "starting", "the ended one does not write over it"


def test_a_clock_that_is_set_ends_no_running_download(hub, settings, monkeypatch):
    """Linux computes the start of the system, and psutil the age of a process, from the clock."""
    if sys.platform == "linux":
        boot = psutil.boot_time()
        monkeypatch.setattr("psutil._pslinux.boot_time", lambda: boot + clock.step)
    downloads, seen = Downloads(settings), []

    def look(state: DownloadState) -> None:
        for clock.step in (0, 3600, -3600):
            now = downloads.state("tiny")
            if not state.over:
                seen.append(now.status)

    clock = SimpleNamespace(step=0)
    assert downloads.run("tiny", look, patience=quick()).status == "done"
    assert set(seen) == {"running"}


def test_a_process_that_has_got_the_number_of_an_ended_one_is_not_taken_for_it(settings):
    downloads = Downloads(settings)
    downloads.folder.mkdir(parents=True)
    for other in ({"born": 1.0}, {"boot": "another start of the system"}):
        own = start_time(psutil.Process())
        state = DownloadState("tiny", "running", pid=os.getpid(), **{"born": own.seconds, "boot": own.boot, **other})
        downloads.write(state)
        assert downloads.state("tiny").status == "interrupted"


def test_ended_processes_are_collected_from_any_thread():
    from fanslymotion.models.download import background as module

    for _ in range(20):
        module._started.append(subprocess.Popen([sys.executable, "-c", ""]))
    wait = [process.wait() for process in list(module._started)]
    assert wait
    with ThreadPoolExecutor(8) as pool:
        assert not any(pool.map(lambda _: module._alive(2**22, 0.0, ""), range(100)))
    assert module._started == []


def test_a_full_disk_is_kept_as_the_reason(hub, settings, monkeypatch):
    """Then no new file can be written, not even that of the state; it was shown as interrupted, and begun again."""
    downloads, wrote = Downloads(settings), []

    def full(path, data):
        if wrote:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        wrote.append(path)
        write_json(path, data)

    def refuse(part, piece):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(background, "write_json", full)
    monkeypatch.setattr(part_file.PartFile, "write", refuse)
    with pytest.raises(DownloadError, match="the disk is full") as caught:
        downloads.run("tiny", patience=quick())
    state = Downloads(settings).state("tiny")
    assert (state.status, state.code, state.error) == ("failed", "FM-DISK-003", str(caught.value))


def test_a_clock_that_was_set_back_leaves_no_download_starting_for_ever(settings, started):
    downloads = Downloads(settings)
    downloads.folder.mkdir(parents=True)
    downloads.write(DownloadState("tiny", "starting", updated=time.time() + 86_400))
    assert downloads.state("tiny").status == "interrupted"
    downloads.start("tiny")
    assert started == ["tiny"]


@pytest.fixture
def other_process(settings):
    """Another process that downloads: its state, and its lock."""
    downloads = Downloads(settings)
    downloads.folder.mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        born = start_time(psutil.Process(process.pid))
        state = DownloadState("tiny", "running", "downloading", "a.bin", 5, 10, pid=process.pid, updated=time.time())
        downloads.write(replace(state, born=born.seconds, boot=born.boot))
        with FileLock(downloads.folder / "tiny.lock"):
            yield downloads
        process.communicate(b"\n")


def test_ctrl_c_while_another_process_downloads_says_that_it_goes_on(other_process, monkeypatch):
    def interrupted(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(background, "LOCK_WAIT", 0.0)
    monkeypatch.setattr(background.time, "sleep", interrupted)
    done = CliRunner().invoke(models_app, ["download", "tiny"])
    assert done.exit_code == 130
    assert "Stopped" not in done.stderr
    assert "goes on in the background" in done.stderr
    assert "fanslymotion models cancel tiny" in done.stderr


def test_where_no_bar_can_be_drawn_there_are_lines(hub, settings):
    """In a pipe or a file: hours without a word otherwise."""
    hub.files[WEIGHTS] = bytes(range(256)) * 40_000
    hub.statuses[WEIGHTS] = [503]
    hub.retry_after = "1"
    done = CliRunner().invoke(models_app, ["download", "tiny"])
    assert done.exit_code == 0, done.output
    lines = done.stderr.splitlines()
    assert any(f"% downloading {WEIGHTS}" in line for line in lines), lines
    assert any("it answered 503" in line and "next try in" in line for line in lines), lines
    assert len(lines) < 40
