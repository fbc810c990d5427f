"""On Windows the card's memory ends where the plan says, and not where the machine's does."""

import sys
from types import SimpleNamespace

import pytest
from fanslymotion.pipeline.hardware.vram import forbid_spilling, gpu_is_lost

GIB = 2**30


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    found: list[float] = []
    cuda = SimpleNamespace(is_available=lambda: True, set_per_process_memory_fraction=found.append, synchronize=int)
    fake = SimpleNamespace(cuda=cuda, fractions=found, manual_seed=int)
    monkeypatch.setitem(sys.modules, "torch", fake)
    return fake


def test_windows_spills_nothing(torch: SimpleNamespace) -> None:
    forbid_spilling(6 * GIB, 8 * GIB, "win32")
    forbid_spilling(9 * GIB, 8 * GIB, "win32")
    forbid_spilling(0, 8 * GIB, "win32")
    assert torch.fractions == [0.75, 1.0, 0.05]


def test_elsewhere_the_driver_says_no_by_itself(torch: SimpleNamespace) -> None:
    forbid_spilling(6 * GIB, 8 * GIB, "linux")
    torch.cuda.is_available = lambda: False
    forbid_spilling(6 * GIB, 8 * GIB, "win32")
    assert torch.fractions == []


def test_a_card_that_is_lost(torch: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not gpu_is_lost()

    def broken() -> None:
        raise RuntimeError("CUDA error: unknown error")

    torch.cuda.synchronize = broken
    assert gpu_is_lost()
    torch.cuda.is_available = lambda: False
    assert not gpu_is_lost()
    monkeypatch.delitem(sys.modules, "torch")
    assert not gpu_is_lost()
