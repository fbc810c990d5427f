"""Several jobs at once over HTTP: cancelled, deleted, marked, and their videos in one zip; nobody else's."""

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.queue.types import Job
from fanslymotion.ui.context import Studio
from fanslymotion.ui.exports.zips import CHUNK, LEFT_OUT, Member, stream_zip
from starlette.testclient import TestClient

from .conftest import ANNA, BEN
from .typedefs import Typedefs

Browser = Callable[..., TestClient]


def many(client: TestClient, act: str, *jobs: str) -> dict[str, Any]:
    answer = client.post("/studio/many", json={"act": act, "jobs": jobs})
    assert answer.status_code == 200, answer.text
    assert Typedefs().mistakes(answer.json(), "Many") == []
    return answer.json()


def test_marked_and_deleted(browser: Browser, studio: Studio, done: Callable[..., Job]) -> None:
    client, (a, b, c) = browser(BEN), (done("ben", at=float(at)).id for at in (2, 3, 4))
    assert many(client, "favourite", a, b)["done"] == [a, b]
    assert [studio.jobs.get(one).favourite for one in (a, b, c)] == [True, True, False]
    many(client, "unfavourite", a)
    assert not studio.jobs.get(a).favourite
    assert many(client, "delete", a, b, a) == {"done": [a, b], "refused": {}}
    assert [job.id for job in studio.jobs.list()] == [c]
    assert not studio.settings.job_dir(a).exists()
    assert many(client, "delete", a, c) == {"done": [c], "refused": {}}, "one that is gone already is no refusal"


def test_what_is_refused_is_told_and_the_rest_is_done(
    browser: Browser, studio: Studio, photo: Path, done: Callable[..., Job]
) -> None:
    client, finished = browser(BEN), done("ben").id
    waiting = studio.jobs.submit(photo, VideoRequest(seed=2), owner="ben").id
    told = many(client, "delete", waiting, finished)
    assert told["done"] == [finished]
    assert "cancel it before deleting it" in told["refused"][waiting]["en"]
    assert told["refused"][waiting]["ru"] != told["refused"][waiting]["en"]
    assert many(client, "cancel", waiting)["done"] == [waiting]
    assert studio.jobs.get(waiting).status == "cancelled"


def test_nobody_elses(browser: Browser, studio: Studio, done: Callable[..., Job]) -> None:
    mine, bens = done("anna").id, done("ben").id
    for act in ("delete", "favourite", "cancel"):
        assert many(browser(ANNA), act, bens)["done"] == []
    assert studio.jobs.get(bens).favourite is False
    with zipfile.ZipFile(io.BytesIO(browser(ANNA).get(f"/studio/zip?jobs={mine},{bens}").content)) as archive:
        video, text = archive.namelist()
        assert mine in video
        assert f"{bens}: there is no job" in archive.read(text).decode(), "as if it had been deleted"
    assert browser(ANNA).get(f"/studio/zip?jobs={bens}").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"act": "delete", "jobs": []},
        {"act": "burn", "jobs": ["a" * 12]},
        {"act": "delete", "jobs": ["../../etc/p"]},
        {"act": "delete", "jobs": ["a" * 12] * 201},
        {"act": "delete"},
    ],
)
def test_what_is_no_list_of_jobs_is_refused(browser: Browser, body: dict[str, Any]) -> None:
    assert browser(BEN).post("/studio/many", json=body).status_code == 400


def test_a_zip_of_several_videos(browser: Browser, done: Callable[..., Job]) -> None:
    jobs = [done("ben", "её фото.jpg", 1_700_000_000.0), done("ben", "two.jpg", 1_700_000_100.0)]
    gone = done("ben", "gone.jpg")
    assert gone.video
    gone.video.unlink()
    answer = browser(BEN).get("/studio/zip?jobs=" + ",".join(job.id for job in (*jobs, gone)))
    assert answer.headers["content-type"] == "application/zip"
    assert 'filename="fanslymotion-2-videos.zip"' in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"её фото-{jobs[0].id}.mp4", f"two-{jobs[1].id}.mp4", LEFT_OUT]
        assert f"gone-{gone.id}.mp4: the video of this job is gone" in archive.read(LEFT_OUT).decode()
        for job, name in zip(jobs, archive.namelist()[:2], strict=True):
            assert job.video
            assert archive.read(name) == job.video.read_bytes()
        assert archive.infolist()[0].date_time[0] == 2023
    assert browser(BEN).get(f"/studio/zip?jobs={gone.id}").status_code == 404
    assert browser(BEN).get("/studio/zip?jobs=../x").status_code in (400, 422)


def test_a_job_that_was_deleted_meanwhile_is_named_in_the_zip(
    browser: Browser, studio: Studio, done: Callable[..., Job]
) -> None:
    client, (kept, deleted) = browser(BEN), (done("ben", "kept.jpg"), done("ben", "deleted.jpg"))
    assert many(client, "delete", deleted.id)["done"]
    answer = client.get(f"/studio/zip?jobs={deleted.id},{kept.id}", headers={"Accept-Language": "ru"})
    assert 'filename="fanslymotion-1-videos.zip"' in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == [f"kept-{kept.id}.mp4", LEFT_OUT]
        text = archive.read(LEFT_OUT).decode()
    assert deleted.id in text
    assert text.startswith("Этих видео нет в этом ZIP:")
    assert client.get(f"/studio/zip?jobs={deleted.id}").status_code == 404
    with zipfile.ZipFile(io.BytesIO(client.get(f"/studio/zip?jobs={kept.id}").content)) as archive:
        assert archive.namelist() == [f"kept-{kept.id}.mp4"], "nothing is said where nothing is missing"


def test_a_video_that_goes_before_its_turn_is_left_out(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).write_bytes(name.encode())
    pieces = stream_zip([Member(name, tmp_path / name, 1e9) for name in "abc"], lambda gone: f"not {gone}")
    first = next(pieces)
    (tmp_path / "b").unlink()
    with zipfile.ZipFile(io.BytesIO(first + b"".join(pieces))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a", "c", LEFT_OUT]
        assert archive.read(LEFT_OUT) == b"not ['b']"


def test_a_link_is_not_followed(browser: Browser, done: Callable[..., Job], tmp_path: Path) -> None:
    job, secret = done("ben"), tmp_path / "secret"
    secret.write_text("secret", encoding="utf-8")
    assert job.video
    job.video.unlink()
    job.video.symlink_to(secret)
    assert browser(BEN).get(f"/studio/zip?jobs={job.id}").status_code == 404


def test_a_zip_is_sent_while_it_is_made(tmp_path: Path) -> None:
    """Of files of four pieces each, no more than a piece and a header are held at a time."""
    for name in "ab":
        (tmp_path / name).write_bytes(name.encode() * (4 * CHUNK))
    pieces: Iterator[bytes] = stream_zip([Member(name, tmp_path / name, 1e9) for name in "ab"])
    first = next(pieces)
    assert first.startswith(b"PK")
    assert len(first) < CHUNK + 200
    rest = list(pieces)
    assert max(map(len, rest)) < CHUNK + 400
    with zipfile.ZipFile(io.BytesIO(first + b"".join(rest))) as archive:
        assert archive.testzip() is None
        assert [info.file_size for info in archive.infolist()] == [4 * CHUNK] * 2


@pytest.mark.parametrize(("at", "year"), [(0.0, 1980), (5e9, 2107)])
def test_a_video_made_while_the_clock_was_wrong_is_in_the_zip(tmp_path: Path, at: float, year: int) -> None:
    """A board without a battery for its clock starts in 1970, which no zip can name."""
    (tmp_path / "a").write_bytes(b"a")
    with zipfile.ZipFile(io.BytesIO(b"".join(stream_zip([Member("a", tmp_path / "a", at)])))) as archive:
        assert archive.read("a") == b"a"
        assert archive.infolist()[0].date_time[0] == year


def test_a_long_name_in_any_script_fits_a_file_name(browser: Browser, done: Callable[..., Job]) -> None:
    """120 Chinese letters have 360 bytes; a file's name may have 255."""
    job = done("ben", "\u7167" * 115 + ".jpeg")
    with zipfile.ZipFile(io.BytesIO(browser(BEN).get(f"/studio/zip?jobs={job.id}").content)) as archive:
        [name] = archive.namelist()
    saved = browser(BEN).get(f"/studio/jobs/{job.id}/video?download=1").headers["content-disposition"]
    assert unquote(saved.partition("utf-8''")[2]) == name
    assert name.startswith("\u7167" * 30)
    assert name.endswith(f"-{job.id}.mp4")
    assert len(name.encode()) < 200


def test_a_file_that_goes_meanwhile_ends_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    pieces = stream_zip([Member("a", tmp_path / "a", 1e9), Member("b", tmp_path / "b", 1e9)])
    with pytest.raises(FileNotFoundError):
        list(pieces)


def test_jobs_of_one_photo_find_together(browser: Browser, done: Callable[..., Job]) -> None:
    done("ben", "one.jpg", 2.0), done("ben", "other name.jpg", 3.0)
    listed = browser(BEN).get("/studio/jobs?kind=done").json()["jobs"]
    hashes = {job["photo_hash"] for job in listed}
    assert len(listed) == 2
    assert len(hashes) == 1
    assert len(hashes.pop()) == 16
