"""A damaged list is set aside whole or not at all, wherever the program is killed, and whoever has it open."""

import os
import shutil
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest
from fanslymotion.errors import StoreError
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store import store as store_module
from fanslymotion.queue.store import transitions
from fanslymotion.queue.store.rescue import pages, set_aside
from fanslymotion.queue.store.store import Store
from fanslymotion.queue.types import Status
from fanslymotion.settings import Settings
from fanslymotion.tests.damages import PAGE, File, row_missing
from fanslymotion.tests.kill_points import each_point, fork
from fanslymotion.tests.soak import soak

from ...conftest import REQUEST

NO_FORK = pytest.mark.skipif(sys.platform == "win32", reason="no fork there")


def make_damaged(settings: Settings, photo: Path) -> list[str]:
    """A list whose table `meta` is unreadable, with a job that stands in the WAL alone; the jobs' ids."""
    jobs = Jobs(settings)
    ids = [jobs.submit(photo, REQUEST, name=f"a {n}", owner="anna").id for n in range(3)]
    jobs.close()
    child = fork()
    if not child:  # killed, so that nothing of the WAL goes into the file
        reader = Jobs(settings)
        reader.submit(photo, REQUEST, name="in the WAL", owner="ben")
        os._exit(0)
    os.waitpid(child, 0)
    path = settings.home / "jobs.db"
    wal = path.with_name("jobs.db-wal").read_bytes()
    assert wal
    with_wal = path.read_bytes()
    copy = path.with_name("copy.db")
    copy.write_bytes(with_wal)
    root = File(copy).roots["meta"]
    copy.unlink()
    data = bytearray(with_wal)
    data[(root - 1) * PAGE : root * PAGE] = b"\x5a" * PAGE
    path.write_bytes(data)
    assert path.with_name("jobs.db-wal").read_bytes() == wal
    return [*ids, *(folder.name for folder in settings.jobs_dir.iterdir() if folder.name not in ids)]


def names_in(database: Path) -> set[str]:
    """Of the jobs that can be read from it and its WAL."""
    found = pages.rows(database, Path(f"{database}-wal"))
    return {values[2] for _, values in found if len(values) > 20 and isinstance(values[2], str)}


@NO_FORK
@pytest.mark.parametrize("every", [3, *soak(1)])
def test_killed_at_any_call_nothing_is_lost_and_it_is_told(
    settings: Settings, photo: Path, tmp_path: Path, every: int
) -> None:
    ids = make_damaged(settings, photo)

    def copy(number: int) -> Path:
        return Path(shutil.copytree(settings.home, tmp_path / f"home {number}"))

    def start(home: Path) -> None:
        Store(Settings.local(home, settings.models))

    points = 0
    for home in each_point(copy, start, every):
        points += 1
        jobs = Jobs(Settings.local(home, settings.models))
        assert {job.id for job in jobs.list()} == set(ids), "also the one in the WAL"
        assert {job.status for job in jobs.list()} == {Status.QUEUED}
        assert "the job list was damaged" in jobs.notice
        jobs.close()
        (kept,) = home.glob("jobs.damaged-*")
        assert str(kept) in jobs.notice
        assert sorted(path.name for path in kept.iterdir()) == ["jobs.db", "jobs.db-wal"]
        assert names_in(kept / "jobs.db") == {"a 0", "a 1", "a 2", "in the WAL"}
        assert not list(home.glob(".jobs.damaged-*"))
        shutil.rmtree(home)
    assert points > 20 / every


def test_a_list_that_another_program_holds_open_is_replaced_later(
    settings: Settings, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows: nothing that is open can be replaced. One sentence and a pause, then it is done."""
    jobs = Jobs(settings)
    made = [jobs.submit(photo, REQUEST) for _ in range(30)]
    jobs.close()
    row_missing(settings.home / "jobs.db", Random(1))
    replace = os.replace

    def refuse(source: object, target: object) -> None:
        if str(target).endswith("jobs.db"):
            raise PermissionError(13, "The process cannot access the file because it is being used")
        replace(source, target)

    tries = []
    with monkeypatch.context() as patched:
        patched.setattr(set_aside.os, "replace", refuse)
        patched.setattr(store_module, "set_aside", lambda *a: tries.append(1) or set_aside.set_aside(*a))
        with pytest.raises(StoreError, match=r"cannot be set aside: .*; end every fanslymotion program"):
            jobs.store.examine()
        for _ in range(20):
            with pytest.raises(StoreError, match="cannot be set aside"):
                jobs.list()
    assert len(tries) == 1, "not once for every call"
    assert len(jobs.list(limit=100)) == len(made), "the next one who opens it finishes"
    assert len(list(settings.home.glob("jobs.damaged-*"))) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_nothing_of_this_process_is_open_while_the_list_is_replaced(
    settings: Settings, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page has idle threads with connections, and an error's traceback holds a statement."""
    jobs = Jobs(settings)
    for _ in range(30):
        jobs.submit(photo, REQUEST)
    jobs.store.db.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    idle, end = threading.Event(), threading.Event()

    def page() -> None:
        jobs.list()
        idle.set()
        end.wait(60)
        jobs.list()
        jobs.close()

    thread = threading.Thread(target=page)
    thread.start()
    idle.wait(60)
    jobs.close()  # and with it the pages that were read before
    row_missing(settings.home / "jobs.db", Random(1))
    open_then: list[list[str]] = []
    replace = os.replace

    def look(source: object, target: object) -> None:
        if str(target) == str(settings.home / "jobs.db"):
            held = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _is_link(fd)]
            open_then.append([name for name in held if name.startswith(str(target)) and not name.endswith(".lock")])
        replace(source, target)

    monkeypatch.setattr(set_aside.os, "replace", look)
    monkeypatch.setattr(set_aside, "sys", SimpleNamespace(platform="win32"))
    with suppress(StoreError):
        while transitions.claim(jobs.store, "w", time.time()) is not None:
            pass
    end.set()
    thread.join()
    assert open_then == [[]]
    jobs.close()


def _is_link(fd: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{fd}")
