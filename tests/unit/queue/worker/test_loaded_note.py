"""The form knows which model need not be loaded, as long as its worker lives."""

from dataclasses import replace

import pytest
from fanslymotion.messages import msg
from fanslymotion.queue.store.store import Store
from fanslymotion.queue.types import WorkerInfo
from fanslymotion.queue.worker.loaded_note import KEY, LoadedNote, loaded

WORKER = WorkerInfo("w", "h", 42, "idle", True, 1.0, 1.0, "card", "", "", "", msg(""), 0)


def test_the_loaded_model_is_told_and_its_end(store: Store) -> None:
    assert loaded(store, [WORKER]) == ""
    note = LoadedNote(store, 42)
    note.write("mini")
    assert loaded(store, [WORKER]) == "mini"
    assert loaded(store, [replace(WORKER, alive=False)]) == ""
    assert loaded(store, [replace(WORKER, pid=43)]) == ""
    note.write("")
    assert loaded(store, [WORKER]) == ""


@pytest.mark.parametrize("text", ["{", "[]", "7", '{"pid": 42}'])
def test_a_damaged_note_says_nothing(store: Store, text: str) -> None:
    store.set_meta(KEY, text)
    assert loaded(store, [WORKER]) == ""
