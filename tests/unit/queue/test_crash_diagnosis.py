"""Three ways to die of SIGKILL: memory, the watchdog, somebody."""

from types import SimpleNamespace

import pytest
from fanslymotion.messages import codes
from fanslymotion.pipeline.hardware.container import oom_kills
from fanslymotion.queue import crash_diagnosis
from fanslymotion.queue.crash_diagnosis import CrashObserver, find_cause

GIB = 2**30


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    found = SimpleNamespace(available=8 * GIB, total=16 * GIB)
    monkeypatch.setattr(crash_diagnosis.container, "memory", lambda: found)
    return found


def test_a_kill_with_memory_left_is_nobodys_fault(memory: SimpleNamespace) -> None:
    death = CrashObserver(lambda: 7).death(-9)
    assert (death.code, death.values) == ("FM-WORKER-009", {"how": "code -9"})


def test_a_kill_that_the_kernel_counted(memory: SimpleNamespace) -> None:
    counts = iter([7, 8])
    assert CrashObserver(lambda: next(counts)).death(-9).code == "FM-WORKER-005"


def test_a_kill_without_memory_left(memory: SimpleNamespace) -> None:
    observer = CrashObserver(lambda: 0)
    memory.available = GIB // 2
    observer.look()
    memory.available = 8 * GIB  # the process is gone: what is free now says nothing
    assert observer.death(-9).values == {"free": "0.5 GB"}
    assert observer.death(3).code == "FM-WORKER-009"


def test_the_watchdogs_own_kill(memory: SimpleNamespace) -> None:
    memory.available = 0
    observer = CrashObserver(lambda: 0)
    observer.stalled = 600.0
    assert observer.death(-9).code == "FM-WORKER-003"


def test_the_kernels_count_can_be_read() -> None:
    assert oom_kills() >= 0


@pytest.mark.parametrize(
    ("output", "code", "said"),
    [
        ("No module named 'torch'", 70, "the package 'torch' is not installed"),
        ("libfancy.so.3: cannot open shared object file", 1, "the system library libfancy is missing"),
        ("Traceback\n  File /x/site-packages/torch/a.py", 1, "the package 'torch' is damaged"),
        ("std::bad_alloc", -6, "not enough memory"),
        ("", -9, "the system killed it"),
        ("", 0xC0000005, "a library crashed"),
        ("", 0xC0000005 - (1 << 32), "a library crashed"),
        ("", 0xC000001D, "lacks an instruction"),
        ("", 0xC0000135, "Visual C++ runtime"),
        ("", 0xC000012D, "not enough memory"),
        ("", 0xC000013A, "the system killed it"),
        (
            "Traceback\n  File C:\\x\\site-packages\\torch\\__init__.py\nOSError: [WinError 126] Модуль не найден. "
            r'Error loading "C:\x\c10.dll" or one of its dependencies.',
            1,
            "Visual C++ runtime",
        ),
        ("", 3, ""),
    ],
)
def test_a_crash_is_explained_in_both_languages(output: str, code: int, said: str) -> None:
    cause = find_cause(output, code)
    if not said:
        assert cause is None
        return
    assert cause is not None
    assert said in cause
    assert cause.say("ru") != cause


@pytest.mark.parametrize(
    ("output", "code", "said"),
    [
        ("Traceback\n  File /x/site-packages/torch/a.py", 1, None),  # of a failed job that it survived
        ("No module named 'torch'", 1, None),
        ("[ERROR] CUDA out of memory", 1, "not enough memory"),
        ("[INFO] x", -9, "the system killed it"),
    ],
)
def test_of_a_worker_that_had_a_job_fewer_lines_tell_the_cause(output: str, code: int, said: str | None) -> None:
    cause = find_cause(output, code, working=True)
    assert cause is None if said is None else cause is not None and said in cause


def test_the_watchdogs_own_kill_needs_no_words() -> None:
    cause = find_cause("fatal", -9, stalled=True, working=True)
    assert cause is not None
    assert "no progress" in cause


def test_a_missing_part_is_named() -> None:
    cause = find_cause("ModuleNotFoundError: No module named 'torch'", 70)
    assert cause is not None
    assert (cause.code, cause.values["name"]) == (codes.PACKAGE_MISSING, "torch")
