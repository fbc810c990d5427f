"""Several videos of one photo: the same settings, another seed for each."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from fanslymotion.errors import BadInput
from fanslymotion.pipeline.request import MAX_SEED, MOST_TAKES, VideoRequest
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.types import Job, Status

REQUEST = VideoRequest(seed=7, steps=3)


def seeds(jobs: list[Job]) -> list[int]:
    return [job.request.seed for job in jobs]


def alike(jobs: list[Job]) -> bool:
    return all(replace(job.request, seed=0) == replace(REQUEST, seed=0) for job in jobs)


def test_each_take_of_each_photo_is_a_job_with_a_seed_of_its_own(jobs: Jobs, photo: Path) -> None:
    made = jobs.submit_all([(photo, "a"), (photo, "b")], REQUEST, takes=3)
    assert [(job.name, job.request.seed) for job in made] == [(name, 7 + n) for name in "ab" for n in range(3)]
    assert [job.place for job in made] == list(range(1, 7))
    assert alike(made)


def test_the_takes_of_a_photo_share_its_file(jobs: Jobs, photo: Path) -> None:
    first, second = jobs.submit_all([(photo, "a")], REQUEST, takes=2)
    assert first.photo.sha256 == second.photo.sha256
    assert first.photo.path != second.photo.path
    assert os.path.samefile(first.photo.path, second.photo.path)


def test_seeds_begin_anew_after_the_last_one() -> None:
    assert [one.seed for one in VideoRequest(seed=MAX_SEED).takes(3)] == [MAX_SEED, 0, 1]


@pytest.mark.parametrize("status", [Status.QUEUED, Status.CANCELLED])
def test_another_take_has_the_same_photo_and_settings(jobs: Jobs, photo: Path, status: Status) -> None:
    old = jobs.submit(photo, REQUEST, name="Sea", owner="anna")
    if status is Status.CANCELLED:
        old = jobs.cancel(old.id)
    made = jobs.again(old.id, takes=2)
    assert alike(made)
    assert len({*seeds(made), 7}) == 3
    assert {(job.name, job.owner, job.photo.sha256) for job in made} == {("Sea", "anna", old.photo.sha256)}


def test_nothing_is_queued_where_they_are_too_many_or_the_photo_is_gone(jobs: Jobs, photo: Path) -> None:
    for takes in (0, MOST_TAKES + 1):
        with pytest.raises(BadInput, match=str(takes)):
            jobs.submit_all([(photo, "a")], REQUEST, takes=takes)
    with pytest.raises(BadInput, match="at most 3"):
        jobs.submit_all([(photo, "a")], REQUEST, takes=4, limit=3)
    assert jobs.count() == 0
    old = jobs.submit(photo, REQUEST)
    old.photo.path.unlink()
    with pytest.raises(BadInput, match="gone"):
        jobs.again(old.id)
    assert jobs.count() == 1
