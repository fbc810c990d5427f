"""The queue's public functions, without a worker."""

import errno
import hashlib
import os
import shutil
import unicodedata
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fanslymotion.errors import BadInput, NotFound, StoreError
from fanslymotion.messages import codes, msg
from fanslymotion.pipeline.families import family
from fanslymotion.pipeline.media.photo import load
from fanslymotion.queue import job_folders
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store import transitions as state
from fanslymotion.queue.store.records import mark_deleted
from fanslymotion.queue.store.rows import WORK_NAME, photo_of
from fanslymotion.queue.types import Job, JobFilter, Status, WorkerInfo, representative_workers
from fanslymotion.settings import Settings

from .conftest import REQUEST

pytestmark = pytest.mark.both_databases


def order(jobs: Jobs) -> list[str]:
    return [job.name for job in jobs.list()]


def test_submit_keeps_a_photo_of_its_own(jobs: Jobs, photo: Path, tmp_path: Path) -> None:
    own = tmp_path / "мой снимок 😀.png"
    own.write_bytes(photo.read_bytes())
    job = jobs.submit(own, REQUEST)
    own.unlink()
    assert (job.status, job.place, job.attempt, job.name) == (Status.QUEUED, 1, 1, "мой снимок 😀")
    assert photo_of(job.folder).is_file()
    assert jobs.get(job.id) == job
    assert job.request == REQUEST


def test_a_photo_is_normalised_once(jobs: Jobs, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = jobs.submit(photo, REQUEST)
    assert first.photo.size == (320, 180)
    assert first.photo.sha256 == hashlib.sha256(photo_of(first.folder).read_bytes()).hexdigest()
    monkeypatch.delattr(load, "read_photo")
    second = jobs.submit(first.photo, REQUEST)
    assert second.photo.path.samefile(first.photo.path)
    assert second.photo == replace(first.photo, path=photo_of(second.folder))
    jobs.cancel(first.id)
    third = jobs.retry(first.id)
    jobs.delete(first.id)
    assert third.photo.digest() == third.photo.sha256 == first.photo.sha256


def test_the_photo_of_an_earlier_versions_job_is_read_again(jobs: Jobs, photo: Path) -> None:
    old = jobs.submit(photo, REQUEST)
    table = jobs.store.tables.Job
    with jobs.store.write():
        table.update(photo="").where(table.id == old.id).execute()
    found = jobs.cancel(old.id).photo
    assert (found.size, found.sha256) == ((0, 0), "")
    assert found.digest() == old.photo.sha256
    assert jobs.retry(old.id).photo.sha256 == old.photo.sha256


def test_a_new_process_sees_the_same(jobs: Jobs, photo: Path, settings: Settings) -> None:
    made = [jobs.submit(photo, REQUEST, name=str(n)).id for n in range(3)]
    with closing(Jobs(settings)) as another:
        assert [job.id for job in another.list()] == made


@pytest.mark.parametrize(
    "wrong",
    [{"resolution": "4k"}, {"seconds": 7}, {"quality": "best"}, {"model": "no-such-model"}, {"model": "svd"}],
)
def test_wrong_settings_leave_nothing(jobs: Jobs, photo: Path, settings: Settings, wrong: dict) -> None:
    with pytest.raises(BadInput):
        jobs.submit(photo, replace(REQUEST, **wrong))
    assert jobs.list() == []
    assert not settings.jobs_dir.exists()


def test_a_bad_photo_leaves_nothing(jobs: Jobs, settings: Settings) -> None:
    with pytest.raises(BadInput, match="is not a photo"):
        jobs.submit(b"text, not a photo", REQUEST, name="notes.jpg")
    assert jobs.list() == []
    assert not settings.jobs_dir.exists()


def test_of_several_photos_all_or_none_are_taken(jobs: Jobs, photo: Path, settings: Settings) -> None:
    with pytest.raises(BadInput, match="b"):
        jobs.submit_all([(photo, "a"), (b"x", "b"), (photo, "c")], REQUEST)
    assert jobs.list() == []
    assert not list(settings.jobs_dir.iterdir())
    assert [job.name for job in jobs.submit_all([(photo, "a"), (photo, "c")], REQUEST)] == ["a", "c"]
    assert order(jobs) == ["a", "c"]


def test_a_full_disk_is_said_before_anything_is_written(
    jobs: Jobs, photo: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(photo)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(StoreError, match="is full"):
        jobs.submit(photo, REQUEST)
    assert jobs.list() == []
    assert not list(settings.jobs_dir.iterdir())


def test_order_is_the_tables(jobs: Jobs, photo: Path, settings: Settings) -> None:
    ids = [jobs.submit(photo, REQUEST, name=name).id for name in "abcd"]
    assert jobs.move(ids[3], 1).place == 1
    assert order(jobs) == list("dabc")
    jobs.move(ids[0], 99)
    assert order(jobs) == list("dbca")
    jobs.move(ids[2], 2)
    with closing(Jobs(settings)) as another:
        assert order(another) == list("dcba"), "after a restart, too"
    for _ in range(60):  # again and again between the same two neighbours: the line never runs out of places
        jobs.move(order_ids(jobs)[3], 2)
    assert sorted(order(jobs)) == list("abcd")
    assert [job.place for job in jobs.list()] == [1, 2, 3, 4]


def order_ids(jobs: Jobs) -> list[str]:
    return [job.id for job in jobs.list()]


def test_moving_what_cannot_be_moved(jobs: Jobs, photo: Path) -> None:
    job = jobs.submit(photo, REQUEST)
    with pytest.raises(BadInput, match="place"):
        jobs.move(job.id, 0)
    jobs.cancel(job.id)
    with pytest.raises(BadInput, match="only waiting jobs"):
        jobs.move(job.id, 1)


def test_pause_outlives_a_restart(jobs: Jobs, photo: Path, settings: Settings) -> None:
    jobs.submit(photo, REQUEST)
    jobs.pause()
    with closing(Jobs(settings)) as another:
        assert another.paused
    assert state.claim(jobs.store, "w", 1.0) is None
    jobs.resume()
    with closing(Jobs(settings)) as another:
        assert not another.paused
    assert state.claim(jobs.store, "w", 1.0) is not None


def test_cancelling_a_waiting_job_ends_it_at_once(jobs: Jobs, photo: Path) -> None:
    first, second = (jobs.submit(photo, REQUEST) for _ in range(2))
    assert jobs.cancel(first.id).status is Status.CANCELLED
    assert jobs.cancel(first.id).status is Status.CANCELLED, "twice is no harm"
    assert jobs.get(second.id).status is Status.QUEUED, "another job is never hit"


def test_retry_is_a_new_job_with_the_same_settings(jobs: Jobs, photo: Path) -> None:
    old = jobs.submit(photo, REQUEST, name="a", owner="anna")
    with pytest.raises(BadInput, match="only a job that has ended"):
        jobs.retry(old.id)
    jobs.cancel(old.id)
    new = jobs.retry(old.id)
    assert (new.name, new.owner, new.request, new.status) == ("a", "anna", REQUEST, Status.QUEUED)
    assert new.id != old.id
    smaller = jobs.retry(old.id, request=replace(REQUEST, steps=4))
    assert smaller.request.steps == 4
    photo_of(old.folder).unlink()
    with pytest.raises(BadInput, match="choose the photo again"):
        jobs.retry(old.id)


def test_delete_takes_everything_of_an_ended_job(jobs: Jobs, photo: Path) -> None:
    job = jobs.submit(photo, REQUEST)
    with pytest.raises(BadInput, match="cancel it before"):
        jobs.delete(job.id)
    jobs.cancel(job.id)
    jobs.delete(job.id)
    assert not job.folder.exists()
    assert jobs.events_since(job.id) == []
    with pytest.raises(NotFound):
        jobs.get(job.id)


def test_each_login_has_its_own(jobs: Jobs, photo: Path) -> None:
    mine, other = (jobs.submit(photo, REQUEST, owner=name) for name in ("anna", "ben"))
    assert [job.id for job in jobs.list(owner="anna")] == [mine.id]
    assert jobs.count(owner="ben") == 1
    for act in (jobs.get, jobs.cancel, jobs.delete, jobs.retry, lambda i, owner: jobs.move(i, 1, owner)):
        with pytest.raises(NotFound):
            act(other.id, owner="anna")
    assert jobs.get(other.id).status is Status.QUEUED
    assert jobs.list(owner="ben")[0].place == 2, "the place counts everybody"


def test_events_are_in_order_and_ids_are_never_used_twice(jobs: Jobs, photo: Path) -> None:
    first = jobs.submit(photo, REQUEST)
    jobs.cancel(first.id)
    seen = jobs.events_since(first.id)
    assert [event.text for event in seen] == ["queued", "cancelled"]
    assert jobs.events_since(first.id, after=seen[0].id) == seen[1:]
    jobs.delete(first.id)
    second = jobs.submit(photo, REQUEST)
    assert jobs.events_since(second.id)[0].id > seen[-1].id, "a follower would miss it"


def test_list_has_the_running_first_then_the_line_then_the_ended(jobs: Jobs, photo: Path) -> None:
    a, b, c, d = (jobs.submit(photo, REQUEST, name=name) for name in "abcd")
    jobs.cancel(a.id)
    jobs.cancel(c.id)
    state.claim(jobs.store, "w", 1.0)
    assert order(jobs) == ["b", "d", "c", "a"]
    assert [job.name for job in jobs.list(limit=2, offset=1)] == ["d", "c"]
    assert [job.name for job in jobs.list(statuses=[Status.QUEUED])] == ["d"]
    assert jobs.get(b.id).status is Status.RUNNING
    assert jobs.get(d.id).place == 1


def worker(state: str, alive: bool, name: str = "w") -> WorkerInfo:
    return WorkerInfo(name, "h", 1, state, alive, 0.0, 0.0, "", "", "", "said", msg(""), 1)


def test_a_crash_is_told_while_the_next_worker_only_starts() -> None:
    crashed, starting, idle = worker("crashed", False), worker("starting", True), worker("idle", True)
    assert representative_workers([starting, crashed]) == [crashed]
    assert representative_workers([idle, starting, crashed]) == [idle]
    assert representative_workers([starting]) == [starting]
    assert representative_workers([worker("stopped", False)]) == [worker("stopped", False)]
    assert representative_workers([]) == []


def test_each_gpu_is_represented() -> None:
    first, second = replace(worker("idle", True, "a"), gpu="GPU-0"), replace(worker("crashed", False, "b"), gpu="GPU-1")
    again = replace(worker("starting", True, "c"), gpu="GPU-1")
    gone = replace(worker("stopped", False, "d"), gpu="GPU-2")
    far = replace(worker("running", True, "e"), machine="another", host="z")
    assert representative_workers([far, second, again, gone, first]) == [first, far, second]


def finished(jobs: Jobs, photo: Path, name: str, at: float, **changes) -> Job:
    job = jobs.submit(photo, replace(REQUEST, **changes), name=name)
    row = state.claim(jobs.store, "w", at)
    assert row is not None
    state.fail(jobs.store, job.id, "w", "", at)
    return jobs.get(job.id)


def test_a_list_is_narrowed(jobs: Jobs, photo: Path) -> None:
    old = finished(jobs, photo, "Река Ёлка.png", 100.0, resolution="1080p")
    new = finished(jobs, photo, "100% river.png", 200.0)
    jobs.set_favourite(old.id, True)

    def names(**sought) -> list[str]:
        wanted = JobFilter(**sought)
        listed = jobs.list(statuses=[Status.FAILED], sought=wanted)
        assert jobs.count(statuses=[Status.FAILED], sought=wanted) == len(listed)
        return [job.name for job in listed]

    assert names() == [new.name, old.name]
    assert names(text="река ё") == [old.name]
    assert names(text="0% R") == [new.name]
    assert names(text="%") == [new.name], "no wildcard"
    assert names(resolution="1080p") == [old.name]
    assert names(resolution="1080") == []
    assert names(model="mini") == [new.name, old.name]
    assert names(favourite=True) == [old.name]
    assert names(since=150.0) == [new.name]
    assert names(text="river", favourite=True) == []


def test_a_name_is_found_however_its_letters_are_written(jobs: Jobs, photo: Path) -> None:
    """A Mac writes the letter \u0439 of a file's name as two, a keyboard as one."""
    one, two = (unicodedata.normalize(form, "\u041c\u043e\u0439 caf\u00e9.jpg") for form in ("NFC", "NFD"))
    assert {jobs.submit(photo, REQUEST, name=name).name for name in (one, two)} == {one}
    for text in (one, two):
        assert jobs.count(sought=JobFilter(text)) == 2


def test_a_favourite_can_be_taken_back(jobs: Jobs, photo: Path) -> None:
    job = jobs.submit(photo, REQUEST)
    assert jobs.set_favourite(job.id, True).favourite
    assert not jobs.set_favourite(job.id, False).favourite
    with pytest.raises(NotFound):
        jobs.set_favourite(job.id, True, owner="somebody else")


def test_clean_up_takes_what_did_not_finish_and_nothing_else(jobs: Jobs, photo: Path, result) -> None:
    failed = [finished(jobs, photo, f"{number}.png", 1.0) for number in range(3)]
    good = jobs.submit(photo, REQUEST)
    state.claim(jobs.store, "w", 1.0)
    state.finish(jobs.store, good.id, "w", result, 2.0)
    waiting = jobs.submit(photo, REQUEST)
    assert jobs.clean(owner="somebody else") == 0
    assert jobs.clean() == 3
    assert {job.id for job in jobs.list()} == {good.id, waiting.id}
    assert not any(job.folder.exists() for job in failed)


def test_clean_up_goes_on_after_a_folder_that_cannot_be_written(
    jobs: Jobs, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = [finished(jobs, photo, f"{number}.png", float(number)) for number in range(3)]

    def refuse(folder: Path) -> None:
        if folder == failed[1].folder:
            raise PermissionError(errno.EACCES, "Permission denied")
        mark_deleted(folder)

    monkeypatch.setattr(job_folders, "mark_deleted", refuse)
    with pytest.raises(StoreError, match=f"job {failed[1].id} cannot be deleted: Permission denied"):
        jobs.clean()
    assert [job.id for job in jobs.list()] == [failed[1].id]


def test_checkpoints_that_a_full_disk_takes_in_part_are_told_in_words(
    jobs: Jobs, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = finished(jobs, photo, "a.png", 1.0)
    for name in ("one", "two"):
        (old.folder / WORK_NAME).mkdir(exist_ok=True)
        (old.folder / WORK_NAME / name).write_bytes(b"x")
    copy = shutil.copyfile

    def fill_up(source: Path, target: Path, **more: Any) -> Any:
        if "work" in Path(source).parts:
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        return copy(source, target, **more)

    monkeypatch.setattr(shutil, "copyfile", fill_up)
    with pytest.raises(StoreError) as said:
        jobs.retry(old.id)
    assert str(said.value) == f"the job cannot be kept in {jobs.settings.jobs_dir}: No space left on device"
    assert said.value.code == codes.DISK_FULL
    assert [folder.name for folder in jobs.settings.jobs_dir.iterdir()] == [old.id]


def test_a_job_is_tried_again_without_checkpoints_that_are_just_being_removed(
    jobs: Jobs, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = finished(jobs, photo, "a.png", 1.0)
    (old.folder / WORK_NAME).mkdir()
    (old.folder / WORK_NAME / "one").write_bytes(b"x")
    copy = shutil.copyfile

    def removed(source: Path, target: Path, **more: Any) -> Any:
        if Path(source).name == "one":
            os.unlink(source)
        return copy(source, target, **more)

    monkeypatch.setattr(shutil, "copyfile", removed)
    assert not (jobs.retry(old.id).folder / WORK_NAME).exists()


def test_a_name_that_is_no_text_is_taken_as_near_as_it_goes(jobs: Jobs, photo: Path) -> None:
    """From an old archive on Linux: bytes that are not UTF-8 come as halves of surrogate pairs."""
    name = "\udcf4\udcee\udcf2\udcee"  # what a file system of another code page gives
    job = jobs.submit(photo, REQUEST, name=f"{name}.jpg")
    assert jobs.get(job.id).name == "????.jpg"


def test_a_setting_that_the_models_family_lacks_is_refused(
    jobs: Jobs, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = replace(REQUEST, motion_bucket_id=40)
    assert jobs.submit(photo, wanted).request == wanted
    monkeypatch.setattr(family("svd"), "takes", ("fps",))
    with pytest.raises(BadInput, match=r"motion_bucket_id is 40, but the model .* has no such setting"):
        jobs.submit(photo, wanted)
    jobs.submit(photo, replace(REQUEST, fps=12, steps=3))
