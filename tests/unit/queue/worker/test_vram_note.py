"""A warm model's video memory is known to the form, as long as its worker lives."""

from dataclasses import replace

import pytest
from fanslymotion.messages import msg
from fanslymotion.pipeline.hardware.devices import Cuda
from fanslymotion.queue.store.store import Store
from fanslymotion.queue.types import WorkerInfo
from fanslymotion.queue.worker.vram_note import KEY, VramNote, held

WORKER = WorkerInfo("w", "h", 42, "idle", True, 1.0, 1.0, "card", "", "", "", msg(""), 0)


def test_what_a_worker_holds_is_written(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert held(store, [WORKER]) == 0
    monkeypatch.setattr(Cuda, "here", staticmethod(lambda: Cuda(True, 1, 5 << 30)))
    note = VramNote(store, 42)
    note.write()
    assert held(store, [WORKER]) == 5 << 30
    assert held(store, [replace(WORKER, alive=False)]) == 0
    assert held(store, [replace(WORKER, pid=43)]) == 0
    store.set_meta(KEY, "{")
    assert held(store, [WORKER]) == 0


def test_a_worker_without_a_card_says_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cuda, "here", staticmethod(lambda: None))
    VramNote(store, 42).write()
    assert store.meta(KEY) == ""
