"""The computer does not sleep while a job runs, and may again afterwards."""

import ctypes
import os
from types import SimpleNamespace

import psutil
import pytest
from fanslymotion.queue.worker import stay_awake as module
from fanslymotion.queue.worker.stay_awake import ES_CONTINUOUS, ES_SYSTEM_REQUIRED, inhibitor, stay_awake


def test_windows_is_told_at_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    kernel = SimpleNamespace(SetThreadExecutionState=told.append)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel), raising=False)

    def job() -> None:
        with stay_awake("win32"):
            assert told == [ES_CONTINUOUS | ES_SYSTEM_REQUIRED]
            raise ValueError("the job failed")

    with pytest.raises(ValueError, match="the job failed"):
        job()
    assert told[1:] == [ES_CONTINUOUS]


def test_a_mac_is_held_by_a_process_that_ends_with_ours() -> None:
    assert inhibitor("darwin") == ["caffeinate", "-i", "-w", str(os.getpid())]


@pytest.mark.skipif(os.name == "nt", reason="POSIX processes")
def test_the_holder_lives_as_long_as_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "inhibitor", lambda system: ["cat"])
    before = {child.pid for child in psutil.Process().children()}
    with stay_awake("linux"):
        [holder] = [child for child in psutil.Process().children() if child.pid not in before]
        assert holder.is_running()
    assert not holder.is_running()


def test_a_system_without_a_way_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "inhibitor", lambda system: ["/no/such/program"])
    with stay_awake("linux"):
        pass
    monkeypatch.undo()
    with stay_awake("freebsd"):
        pass
