"""The streams: nothing is lost, doubled or left behind between the first read and the reader thread."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from fanslymotion.errors import StoreError
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store import transitions
from fanslymotion.queue.types import Event, Job
from fanslymotion.settings import Settings
from fanslymotion.ui import live as live_module
from fanslymotion.ui.live import Live, Viewer


class Plain:
    """Shows next to nothing; what it does first can be replaced."""

    def job(self, job: Job) -> dict[str, Any]:
        return {"id": job.id, "revision": job.revision}

    def event(self, job: Job, event: Event) -> list[Any]:
        return [event.id, event.text]

    def machine(self, owner: str | None) -> dict[str, Any]:
        return {"owner": owner}

    def plain(self, user: str | None, said: Any) -> Any:
        return said


@pytest.fixture
def jobs(settings: Settings) -> Iterator[Jobs]:
    made = Jobs(settings)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("POLL_SECONDS", "MACHINE_SECONDS", "AGAIN_SECONDS"):
        monkeypatch.setattr(live_module, name, 0.01)
    monkeypatch.setattr(live_module, "IDLE_SECONDS", 0.05)


def told(text: str) -> Iterator[tuple[str, Any]]:
    for message in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in message.splitlines() if ": " in line)
        if "event" in fields:
            yield fields["event"], json.loads(fields["data"])


async def until(stream: Any, wanted: str, value: Any = None) -> Any:
    async with asyncio.timeout(20):
        async for text in stream:
            for name, data in told(text):
                if name == wanted and (value is None or data == value):
                    return data
    raise AssertionError(f"it ended without {wanted}")


def test_a_trouble_is_taken_back_when_the_store_is_well_again(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    live = Live(jobs, Plain())
    locked = False
    revision = jobs.revision

    def asked() -> int:
        if locked:
            raise StoreError("the database is locked")
        return revision()

    monkeypatch.setattr(jobs, "revision", asked)

    async def watch() -> None:
        nonlocal locked
        async with aclosing(live.stream(None, None)) as stream:
            await until(stream, "machine")
            locked = True
            await until(stream, "trouble", {"error": {"en": "the database is locked", "ru": "the database is locked"}})
            locked = False
            await until(stream, "trouble", {"error": {"en": "", "ru": ""}})

    asyncio.run(watch())
    live.close()


def test_a_state_that_only_the_first_read_saw_is_taken_back(jobs: Jobs) -> None:
    """A job began and ended between two looks of the reader: a tab that was opened meanwhile showed it as running."""
    seen: list[str] = []
    shown = threading.Event()

    class Changing(Plain):
        def machine(self, owner: str | None) -> dict[str, Any]:
            first_read = threading.current_thread().name != "live"
            if not first_read and "reader" in seen:
                shown.wait(20)  # else its look may be the first thing that the tab is told
            seen.append("first" if first_read else "reader")
            return {"active": ["a job"] if first_read and "reader" in seen else []}

    live = Live(jobs, Changing())

    async def watch() -> None:
        async with aclosing(live.stream(None, None)) as earlier, aclosing(live.stream(None, None)) as stream:
            await until(earlier, "machine", {"active": []})
            while "reader" not in seen:
                await asyncio.sleep(0.01)
            await until(stream, "machine", {"active": ["a job"]})
            shown.set()
            await until(stream, "machine", {"active": []})

    asyncio.run(watch())
    live.close()


def test_a_stream_that_begins_in_trouble_has_everything_after_it(
    jobs: Jobs, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = jobs.submit(photo, VideoRequest())
    live = Live(jobs, Plain())
    snapshot, tries = jobs.snapshot, []

    def failing_once(*args: Any, **kwargs: Any) -> Any:
        tries.append(1)
        if len(tries) < 3:
            raise StoreError("the database is locked")
        return snapshot(*args, **kwargs)

    monkeypatch.setattr(jobs, "snapshot", failing_once)

    async def watch() -> None:
        seen = {}
        async with aclosing(live.stream(None, job.id)) as stream, asyncio.timeout(20):
            async for text in stream:
                seen |= dict(told(text))
                if "job" in seen:
                    break
        assert seen["trouble"] == {"error": {"en": "", "ru": ""}}
        assert [text for _, text in seen["log"]] == ["queued"]

    asyncio.run(watch())
    live.close()


def test_a_newer_state_of_the_machine_is_not_overwritten(jobs: Jobs) -> None:
    """The first read looks, the reader thread looks later and tells its news, the first read ends."""
    view = Plain()
    live = Live(jobs, view)
    viewer = live_module.Viewer(None, None)
    live._viewers.add(viewer)

    def slow(owner: str | None) -> dict[str, Any]:
        view.machine = lambda owner: {"news": True}
        live._read_machine()
        return {"news": False}

    view.machine = slow
    assert live._first_read(viewer, 0)
    assert json.loads(viewer.machine) == {"news": True}


def join(live: Live, job: str, before: Callable[[], None] = lambda: None) -> Viewer:
    """A viewer of a job after its first read. before: happens when it has read the job, and does not have it yet."""
    viewer = Viewer(None, job)
    live._viewers.add(viewer)
    view, show = live._view, live._view.job

    def showing(job: Job) -> dict[str, Any]:
        view.job = show
        shown = show(job)
        before()
        return shown

    view.job = showing
    assert live._first_read(viewer, 0)
    return viewer


def has(viewer: Viewer) -> tuple[Any, list[str]]:
    """The job's state and the lines of its log that a viewer was given."""
    return json.loads(viewer.job), [json.loads(text)[1] for _, text in viewer.events]


def test_two_tabs_that_open_at_once_have_all_that_happens(jobs: Jobs, photo: Path) -> None:
    """The program started again, both asked: the first to read was the last to be entered, and missed the job's end."""
    job = jobs.submit(photo, VideoRequest()).id
    live = Live(jobs, Plain())
    second: list[Viewer] = []

    def end() -> None:
        jobs.cancel(job)
        second.append(join(live, job))

    first = join(live, job, end)
    live._read_jobs()
    now = Plain().job(jobs.get(job))
    assert has(first) == has(second[0]) == (now, ["queued", "cancelled"])


def test_an_older_look_of_the_reader_takes_nothing_back(
    jobs: Jobs, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page was loaded again at the moment of the end: the reader was on its way with the state before it."""
    job = jobs.submit(photo, VideoRequest()).id
    live = Live(jobs, Plain())
    earlier = join(live, job)
    with jobs.store.write():
        transitions.add_event(jobs.store, job, 1.0, "log", "a line")
    jobs.set_favourite(job, True)
    snapshot, again = jobs.snapshot, []

    def slow(*args: Any) -> Any:
        found = snapshot(*args)
        monkeypatch.setattr(jobs, "snapshot", snapshot)
        jobs.cancel(job)
        live._leave(earlier)
        again.append(join(live, job))
        return found

    monkeypatch.setattr(jobs, "snapshot", slow)
    for _ in range(2):
        live._read_jobs()
    now = Plain().job(jobs.get(job))
    assert has(again[0]) == (now, ["queued", "a line", "cancelled"])


def test_a_waiting_job_tells_its_place_when_the_one_before_it_is_gone(jobs: Jobs, photo: Path) -> None:
    """The page went on to say "number 2 in the line": nothing is written into this job's row."""

    class Places(Plain):
        def job(self, job: Job) -> dict[str, Any]:
            return {"place": job.place}

    first, second = (jobs.submit(photo, VideoRequest()).id for _ in range(2))
    live = Live(jobs, Places())

    async def watch() -> None:
        async with aclosing(live.stream(None, second)) as stream:
            await until(stream, "job", {"place": 2})
            jobs.cancel(first)
            await until(stream, "job", {"place": 1})

    asyncio.run(watch())
    live.close()


def test_a_deleted_job_is_told_once(jobs: Jobs, photo: Path) -> None:
    job = jobs.submit(photo, VideoRequest()).id
    live = Live(jobs, Plain())
    viewer = join(live, job)
    jobs.cancel(job)
    jobs.delete(job)
    live._read_jobs()
    assert has(viewer)[0] == {"id": job, "status": "deleted"}
    viewer.job = ""
    live._read_jobs()
    assert viewer.job == ""
    late = Viewer(None, job)
    live._viewers.add(late)
    assert live._first_read(late, 0)
    assert has(late)[0] == {"id": job, "status": "deleted"}


def test_a_job_whose_row_is_lost_is_not_called_deleted(jobs: Jobs, photo: Path) -> None:
    """A damaged list was replaced: finished videos come back from their folders, a second for each."""
    job, table = jobs.submit(photo, VideoRequest()).id, jobs.store.tables.Job
    live = Live(jobs, Plain())
    viewer = join(live, job)
    row = table.get_by_id(job)
    row.delete_instance()
    viewer.job = ""
    live._read_jobs()
    late = Viewer(None, job)
    live._viewers.add(late)
    assert live._first_read(late, 0)
    assert (viewer.job, late.job) == ("", "")
    row.revision += 7
    row.save(force_insert=True)
    live._read_jobs()
    assert has(viewer)[0] == has(late)[0] == {"id": job, "revision": row.revision}


def test_a_store_that_does_not_answer_is_asked_after_a_pause(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trouble that a failed read told woke its own stream, which asked again at once, for as long as it lasted."""
    monkeypatch.setattr(live_module, "AGAIN_SECONDS", 600.0)
    tries: list[int] = []

    class Locked(Plain):
        def machine(self, owner: str | None) -> dict[str, Any]:
            if threading.current_thread().name != "live":
                tries.append(1)
                raise StoreError("the database is locked")
            return {}

    live = Live(jobs, Locked())

    async def watch() -> None:
        async with aclosing(live.stream(None, None)) as stream:
            await until(stream, "trouble")
            again = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0.3)
            assert not again.done(), "and it tells nothing twice"
            live.close()
            with pytest.raises(StopAsyncIteration):
                await again

    asyncio.run(watch())
    assert len(tries) == 1


def test_lines_that_both_readers_bring_come_once() -> None:
    """The first read has reached line 3 while the reader thread was on its way with 2 to 4."""
    viewer = Viewer(None, "a", seen=0, events=[(n, f'"{n}"') for n in (1, 2, 3, 2, 3, 4)])
    assert [line for _, data in told(viewer.take()) for line in data] == ["1", "2", "3", "4"]
    assert viewer.seen == 4
    viewer.events += [(4, '"4"'), (5, '"5"')]
    assert [line for _, data in told(viewer.take()) for line in data] == ["5"]


def test_every_line_comes_once(jobs: Jobs, photo: Path) -> None:
    """Two viewers of one job, the second joins while lines are being written."""
    job = jobs.submit(photo, VideoRequest())
    live = Live(jobs, Plain())

    async def read(count: int, late: float) -> list[str]:
        await asyncio.sleep(late)
        lines: list[str] = []
        async with aclosing(live.stream(None, job.id)) as stream, asyncio.timeout(30):
            async for text in stream:
                lines += [line for name, data in told(text) if name == "log" for _, line in data]
                if len(lines) >= count:
                    return lines
        return lines

    def write() -> None:
        for number in range(200):
            with jobs.store.write():
                transitions.add_event(jobs.store, job.id, 1.0, "log", str(number))
        jobs.close()

    async def watch() -> None:
        writing = asyncio.create_task(asyncio.to_thread(write))
        for lines in await asyncio.gather(read(201, 0.0), read(201, 0.2)):
            assert lines == ["queued", *map(str, range(200))]
        await writing

    asyncio.run(watch())
    live.close()


def test_a_stream_that_has_nothing_to_say_says_that_it_lives(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page cannot hear comments: it tells a dead connection by the silence."""
    monkeypatch.setattr(live_module, "KEEP_ALIVE_SECONDS", 0.05)
    live = Live(jobs, Plain())

    async def watch() -> None:
        async with aclosing(live.stream(None, None)) as stream:
            assert await until(stream, "machine") == {"owner": None}
            assert await until(stream, "alive") == {}

    asyncio.run(watch())
    live.close()
