"""The form knows which model need not be loaded, as long as its worker lives."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from fanslymotion.messages import msg
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store.store import Store
from fanslymotion.queue.types import WorkerInfo
from fanslymotion.queue.worker.loaded_note import KEY, LoadedNote, loaded
from fanslymotion.queue.worker.main import Worker
from fanslymotion.settings import Settings

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


def test_a_workers_heartbeat_tells_what_it_has_loaded(settings: Settings, jobs: Jobs) -> None:
    worker = Worker(settings, "w")
    worker._register("idle")
    for model, told in ((SimpleNamespace(measured_as="mini"), "mini"), (None, "")):
        worker._renderers = SimpleNamespace(loaded=model)
        worker._heartbeat()
        assert loaded(jobs.store, jobs.workers()) == told
    worker.store.close()
