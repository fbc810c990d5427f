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


def register(store: Store, *pids: int) -> None:
    for pid in pids:
        store.tables.Worker.insert(
            id=f"w{pid}", host="h", pid=pid, machine="m", lock="", state="idle", heartbeat=1.0, started=1.0
        ).execute()


def test_the_loaded_model_is_told_and_its_end(store: Store) -> None:
    assert loaded(store, [WORKER]) == set()
    note = LoadedNote(store, 42)
    note.write("mini")
    assert loaded(store, [WORKER]) == {"mini"}
    assert loaded(store, [replace(WORKER, alive=False)]) == set()
    assert loaded(store, [replace(WORKER, pid=43)]) == set()
    note.write("")
    assert loaded(store, [WORKER]) == set()


def test_each_worker_has_its_own_model(store: Store) -> None:
    """A second card's worker, which loaded another model or let go of one, wrote over what the first one keeps."""
    register(store, 42, 43)
    first, second, both = LoadedNote(store, 42), LoadedNote(store, 43), [WORKER, replace(WORKER, pid=43)]
    first.write("svd")
    second.write("mini")
    assert loaded(store, both) == {"svd", "mini"}
    second.write("")
    assert loaded(store, both) == {"svd"}
    LoadedNote(store, 44).write("mini")
    store.tables.Worker.delete().where(store.tables.Worker.pid == 42).execute()
    second.write("mini")
    assert loaded(store, [*both, replace(WORKER, pid=44)]) == {"mini"}, "the note of one that is gone goes"


def test_a_new_list_is_told_what_the_old_one_was(settings: Settings, jobs: Jobs) -> None:
    worker = Worker(settings, "w")
    worker._model_cache = SimpleNamespace(loaded=SimpleNamespace(loaded_as="mini"))
    worker._register("idle")
    worker._heartbeat()
    with jobs.store.write():
        jobs.store.tables.Worker.delete().execute()
        jobs.store.tables.Meta.delete().where(jobs.store.tables.Meta.key == KEY).execute()
    for _ in range(2):
        worker._heartbeat()
    assert loaded(jobs.store, jobs.workers()) == {"mini"}
    worker.store.close()


@pytest.mark.parametrize("text", ["{", "[]", "7", '{"pid": 42}', '{"pid": 42, "model": "mini"}'])
def test_a_damaged_note_says_nothing(store: Store, text: str) -> None:
    store.set_meta(KEY, text)
    assert loaded(store, [WORKER]) == set()


def test_a_workers_heartbeat_tells_what_it_has_loaded(settings: Settings, jobs: Jobs) -> None:
    worker = Worker(settings, "w")
    worker._register("idle")
    for model, told in ((SimpleNamespace(loaded_as="mini"), {"mini"}), (None, set())):
        worker._model_cache = SimpleNamespace(loaded=model)
        worker._heartbeat()
        assert loaded(jobs.store, jobs.workers()) == told
    worker.store.close()
