"""Windows takes a job for no background work, and decides by itself again afterwards."""

import ctypes
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from fanslymotion.queue.worker.full_speed import EXECUTION_SPEED, POWER_THROTTLING, PowerThrottling, full_speed


def test_windows_is_told_at_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int, int]] = []

    def tell(process: Any, kind: int, wish: Any, size: int) -> None:
        assert (ctypes.c_ssize_t(process.value).value, kind, size) == (-1, POWER_THROTTLING, 12)
        told.append((wish._obj.version, wish._obj.control, wish._obj.state))

    kernel = SimpleNamespace(SetProcessInformation=tell)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel), raising=False)

    def job() -> None:
        with full_speed("win32"):
            assert told == [(1, EXECUTION_SPEED, 0)]
            raise ValueError("the job failed")

    with pytest.raises(ValueError, match="the job failed"):
        job()
    assert told[1:] == [(1, 0, 0)]


def test_an_older_windows_and_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=SimpleNamespace()), raising=False)
    with full_speed("win32"), full_speed("linux"):
        pass


@pytest.mark.skipif(sys.platform != "win32", reason="asks Windows itself")
def test_windows_has_understood() -> None:
    ask: Any = getattr(ctypes.windll.kernel32, "GetProcessInformation", None)  # type: ignore[attr-defined]
    if ask is None:
        pytest.skip("wine does not tell")
    found = PowerThrottling(1, 0, 0)
    with full_speed():
        assert ask(ctypes.c_void_p(-1), POWER_THROTTLING, ctypes.byref(found), ctypes.sizeof(found))
    assert (found.control, found.state) == (EXECUTION_SPEED, 0)
