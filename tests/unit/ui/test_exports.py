"""A video in other forms over HTTP: started, followed, fetched, ended; nothing of anybody else's."""

import io
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fanslymotion.errors import Cancelled, NotFound
from fanslymotion.pipeline.media.encode import VideoEncoder
from fanslymotion.pipeline.media.exports.formats import Clip, Export
from fanslymotion.pipeline.media.exports.make import LOCK
from fanslymotion.queue.types import Job
from fanslymotion.tests.studio import wait_for
from fanslymotion.ui.context import Studio
from fanslymotion.ui.exports import background, stills
from fanslymotion.ui.exports.background import MOST_WAITING
from filelock import FileLock
from PIL import Image
from starlette.testclient import TestClient

from .conftest import ANNA, BEN

Browser = Callable[..., TestClient]
GIF = {"format": "gif", "end": 3}
"""Where its pictures are not looked at: three frames take a tenth of the whole video's time."""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """72 frames, as `done` says, of few pixels."""
    path = tmp_path_factory.mktemp("film") / "video.mp4"
    with VideoEncoder(path, 96, 54, 12) as encoder:
        for number in range(72):
            encoder.write(np.full((54, 96, 3), 3 * number, np.uint8))
    return path.read_bytes()


@pytest.fixture
def job(done: Callable[..., Job], film: bytes) -> Job:
    made = done("ben", "her photo.jpg")
    assert made.video is not None
    made.video.write_bytes(film)
    return made


def ask(client: TestClient, job: Job, **wanted: Any) -> dict[str, Any]:
    answer = client.post(f"/studio/jobs/{job.id}/exports", json=wanted)
    assert answer.status_code == 200, answer.text
    return answer.json()


def state(client: TestClient, job: Job, name: str) -> dict[str, Any]:
    return client.get(f"/studio/jobs/{job.id}/exports/{name}").json()


def wait_until(client: TestClient, job: Job, name: str, wanted: str) -> None:
    wait_for(lambda: state(client, job, name)["state"] == wanted, pause=0.05)


def test_a_video_is_saved_as_a_gif(browser: Browser, job: Job) -> None:
    client = browser(BEN)
    assert "gif" in client.get("/studio/exports").json()["formats"]
    told = ask(client, job, format="gif", start=6, end=18, ping_pong=True)
    assert told["state"] in ("waiting", "running", "done")
    wait_until(client, job, told["name"], "done")
    told = state(client, job, told["name"])
    answer = client.get(told["download"])
    assert answer.headers["content-type"] == "image/gif"
    assert f"her%20photo-{job.id}-frames-6-18-ping-pong.gif" in answer.headers["content-disposition"]
    assert told["bytes"] == len(answer.content)
    with Image.open(io.BytesIO(answer.content)) as image:
        assert (image.size, image.n_frames) == ((640, 362), 22)  # type: ignore[attr-defined]
    assert client.get(told["url"], headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    assert ask(client, job, format="gif", start=6, end=18, ping_pong=True)["state"] == "done"
    assert ask(client, job, format="mp4")["url"].endswith("/exports/video.mp4/file")


def test_each_kind_says_what_it_is(browser: Browser, job: Job) -> None:
    client = browser(BEN)
    for name, wanted, kind in (
        ("png", {"frame": 3}, "image/png"), ("webp", {"end": 4}, "image/webp"), ("web", {"end": 4}, "video/mp4"),
    ):  # fmt: skip
        told = ask(client, job, format=name, **wanted)
        wait_until(client, job, told["name"], "done")
        assert client.get(told["url"]).headers["content-type"] == kind


def test_nothing_of_somebody_elses(browser: Browser, job: Job) -> None:
    told = ask(browser(BEN), job, format="jpg", frame=0)
    wait_until(browser(BEN), job, told["name"], "done")
    anna = browser(ANNA)
    for method, path in [("POST", ""), ("GET", f"/{told['name']}"), ("GET", f"/{told['name']}/file")]:
        answer = anna.request(method, f"/studio/jobs/{job.id}/exports{path}", json={"format": "gif"})
        assert answer.status_code == 404


def test_only_what_is_an_export_is_served(browser: Browser, job: Job) -> None:
    client = browser(BEN)
    for name in ("photo.png", "job.json", "..%2Fvideo.mp4", ".export.0.part", "video.mov", "frame-x.png"):
        assert client.get(f"/studio/jobs/{job.id}/exports/{name}/file").status_code == 404, name
        assert client.get(f"/studio/jobs/{job.id}/exports/{name}").status_code == 404, name


def test_what_cannot_be_is_refused(browser: Browser, job: Job) -> None:
    client = browser(BEN)
    for wanted in (
        {}, {"format": "avi"}, {"format": "gif", "end": 73}, {"format": "gif", "frame": 1},
        {"format": "png", "frame": -1}, {"format": "gif", "start": "1"}, {"format": "gif", "more": 1},
    ):  # fmt: skip
        assert client.post(f"/studio/jobs/{job.id}/exports", json=wanted).status_code == 400, wanted


def test_a_failure_is_told_in_both_languages(browser: Browser, done: Callable[..., Job]) -> None:
    client, broken = browser(BEN), done("ben")
    told = ask(client, broken, format="webp")
    wait_until(client, broken, told["name"], "failed")
    error = state(client, broken, told["name"])["error"]
    assert "has no frame 0" in error["en"]
    assert "нет кадра 0" in error["ru"]
    assert str(broken.folder.parent) not in error["en"], "where things are is for the machine's owner"
    assert client.get(told["url"]).status_code == 404


def test_it_is_ended_while_the_page_answers(browser: Browser, studio: Studio, job: Job) -> None:
    """Another program makes one of the same video meanwhile, so that this one waits."""
    client = browser(BEN)
    with FileLock(job.folder / LOCK):
        told = ask(client, job, **GIF)
        wait_until(client, job, told["name"], "running")
        assert client.get(told["url"]).status_code == 404
        assert client.delete(f"/studio/jobs/{job.id}/exports/{told['name']}").status_code == 200
        wait_until(client, job, told["name"], "cancelled")
    again = ask(client, job, **GIF)
    wait_until(client, job, again["name"], "done")


def test_one_that_waits_is_ended_at_once_and_can_be_started_again(
    browser: Browser, studio: Studio, job: Job, done: Callable[..., Job], film: bytes
) -> None:
    """However long the one before it takes: that is another video's."""
    client, other = browser(BEN), done("ben")
    assert other.video is not None
    other.video.write_bytes(film)
    with FileLock(other.folder / LOCK):
        first = ask(client, other, **GIF)
        wait_until(client, other, first["name"], "running")
        waiting = ask(client, job, **GIF)
        assert client.delete(f"/studio/jobs/{job.id}/exports/{waiting['name']}").status_code == 200
        assert state(client, job, waiting["name"])["state"] == "cancelled"
        assert ask(client, job, **GIF)["state"] == "waiting"
    wait_until(client, job, waiting["name"], "done")


def test_one_that_is_being_ended_can_be_started_again(browser: Browser, studio: Studio, job: Job) -> None:
    client = browser(BEN)
    with FileLock(job.folder / LOCK):
        told = ask(client, job, **GIF)
        wait_until(client, job, told["name"], "running")
        client.delete(f"/studio/jobs/{job.id}/exports/{told['name']}")
        again = ask(client, job, **GIF)
    wait_until(client, job, again["name"], "done")


def test_one_that_is_finished_while_it_is_looked_for(studio: Studio, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file is not there when it is looked for, and it is done when that is known."""
    exports, plain = studio.exports, Path.stat
    with FileLock(job.folder / LOCK):
        name = exports.start(job, Export("png", frame=1))
        wait_for(lambda: exports.look(job, name)["state"] == "running", pause=0.02)
    seen: list[Path] = []

    def late(path: Path, **options: Any) -> Any:
        if path.name != name or seen:
            return plain(path, **options)
        seen.append(path)
        wait_for(lambda: exports._known[job.id, name].ended.is_set(), pause=0.02)
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "stat", late)
    assert exports.look(job, name)["state"] in ("running", "done")


def test_a_deleted_job_takes_its_files_along(browser: Browser, job: Job) -> None:
    client = browser(BEN)
    made = ask(client, job, format="png", frame=2)
    wait_until(client, job, made["name"], "done")
    ask(client, job, format="gif")
    ask(client, job, format="web")
    assert client.delete(f"/studio/jobs/{job.id}").status_code == 200
    assert not job.folder.exists()
    assert state(client, job, made["name"]).keys() == {"error"}


@pytest.mark.soak
def test_not_everything_at_once(browser: Browser, job: Job) -> None:
    client = browser(BEN)
    with FileLock(job.folder / LOCK):
        for frame in range(MOST_WAITING):
            ask(client, job, format="png", frame=frame)
        assert client.post(f"/studio/jobs/{job.id}/exports", json={"format": "gif"}).status_code == 400
        ask(client, job, format="png", frame=0)  # the one that waits already
    wait_until(client, job, f"frame-{MOST_WAITING - 1}.png", "done")


def test_what_waits_or_runs_is_never_forgotten(
    browser: Browser, studio: Studio, job: Job, done: Callable[..., Job], film: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "MOST_REMEMBERED", 2)
    client, other = browser(BEN), done("ben")
    assert other.video is not None
    other.video.write_bytes(film)
    for frame in range(2):  # the eldest, started again, is the newest
        name = ask(client, job, format="png", frame=frame)["name"]
        client.delete(f"/studio/jobs/{job.id}/exports/{name}")
        studio.exports._known[job.id, name].ended.wait(60)
        studio.exports.file(job, name).unlink(missing_ok=True)  # it may have been quicker
    with FileLock(other.folder / LOCK):
        told = ask(client, other, **GIF)
        wait_until(client, other, told["name"], "running")
        names = [ask(client, job, format="png", frame=frame)["name"] for frame in range(5)]
        assert state(client, other, told["name"])["state"] == "running"
        assert [state(client, job, name)["state"] for name in names] == ["waiting"] * 5
    wait_until(client, job, names[-1], "done")
    client.delete(f"/studio/jobs/{job.id}/exports/{names[0]}")
    assert len(studio.exports._known) <= 6, "those that have ended are"
    ask(client, job, format="png", frame=9)
    assert len(studio.exports._known) == 2


def test_none_begins_while_the_job_is_deleted(browser: Browser, studio: Studio, job: Job) -> None:
    """Between the end of those that ran and the removal of the folder."""
    client, delete, answers = browser(BEN), studio.jobs.delete, []

    def deleting(job_id: str) -> None:
        answers.append(client.post(f"/studio/jobs/{job_id}/exports", json={"format": "gif"}).status_code)
        delete(job_id)
        with pytest.raises(NotFound):  # its route had found the job before
            studio.exports.start(job, Export("gif"))

    studio.jobs.delete = deleting  # type: ignore[method-assign]
    assert client.delete(f"/studio/jobs/{job.id}").status_code == 200
    assert answers == [404]
    assert not job.folder.exists()
    assert studio.exports._none_of == set()


def test_a_still_of_a_job_that_has_just_been_deleted_leaves_nothing(studio: Studio, job: Job) -> None:
    found = stills.read_frame

    def late(*arguments: Any) -> Image.Image:
        picture = found(*arguments)
        studio.delete(job.id)
        return picture

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stills, "read_frame", late)
        with pytest.raises(NotFound):
            stills.make_still(job)
    assert not job.folder.exists()


def test_logins_take_turns(browser: Browser, studio: Studio, job: Job, done: Callable[..., Job], film: bytes) -> None:
    """One file of Anna's does not wait for all of Ben's."""
    hers = done("anna")
    assert hers.video is not None
    hers.video.write_bytes(film)
    made, make = list[str](), background.make_export

    def making(clip: Clip, *rest: Any) -> Path:
        made.append(clip.path.parent.name)
        return make(clip, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(background, "make_export", making)
        with FileLock(job.folder / LOCK):
            first = ask(browser(BEN), job, **GIF)
            wait_until(browser(BEN), job, first["name"], "running")
            for frame in range(4):
                ask(browser(BEN), job, format="png", frame=frame)
            for frame in range(2):
                ask(browser(ANNA), hers, format="png", frame=frame)
        wait_for(lambda: len(made) == 7, pause=0.02)
    assert made == [job.id, job.id, hers.id, job.id, hers.id, job.id, job.id]


def test_a_deletion_waits_for_the_export_that_still_ends(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was ended and begun again: what waits in its place has nothing to end, what runs still writes."""
    exports, writes, ends = background.Exports(), threading.Event(), threading.Event()

    def ending(*_: Any) -> None:
        writes.set()
        ends.wait(20)
        raise Cancelled

    monkeypatch.setattr(background, "make_export", ending)
    name = exports.start(job, Export("gif"))
    assert writes.wait(20)
    exports.cancel(job, name)
    exports.start(job, Export("gif"))
    deletes = threading.Event()

    def delete() -> None:
        with exports.none_of(job.id):
            deletes.set()

    threading.Thread(target=delete).start()
    assert not deletes.wait(0.3)
    ends.set()
    assert deletes.wait(20)
    exports.close()
