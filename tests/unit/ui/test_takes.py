"""Another take and other settings of a past video, over HTTP."""

from collections.abc import Callable
from pathlib import Path

from fanslymotion.queue.types import Job
from fanslymotion.tests.moving_video import video
from httpx import Response
from starlette.testclient import TestClient

from .conftest import ANNA, BEN

Browser = Callable[..., TestClient]


def test_a_finished_job_is_made_again_with_another_seed(browser: Browser, done: Callable[..., Job]) -> None:
    job, client = done("ben"), browser(BEN)
    (made,) = client.post(f"/studio/jobs/{job.id}/again", json={}).json()["jobs"]
    assert made["status"] == "queued"
    assert made["settings"]["seed"] != job.request.seed
    assert made["settings"] | {"seed": 0} == job.request.to_json() | {"seed": 0}
    assert len(client.post(f"/studio/jobs/{job.id}/again", json={"takes": 4}).json()["jobs"]) == 4
    assert browser(ANNA).post(f"/studio/jobs/{job.id}/again", json={}).status_code == 404
    assert client.post(f"/studio/jobs/{job.id}/again", json={"takes": 9}).status_code == 400


def test_a_jobs_photo_is_taken_as_an_upload(browser: Browser, done: Callable[..., Job]) -> None:
    job, client = done("ben"), browser(BEN)
    taken = client.post(f"/studio/photos/of/{job.id}", json={}).json()
    assert (taken["width"], taken["height"]) == job.photo.size
    assert taken["name"] == job.name
    assert client.post("/studio/jobs", json={"photos": [taken["id"]]}).status_code == 200
    assert browser(ANNA).post(f"/studio/photos/of/{job.id}", json={}).status_code == 404
    job.photo.path.unlink()
    gone = client.post(f"/studio/photos/of/{job.id}", json={})
    assert gone.status_code == 404
    assert "gone" in gone.json()["error"]


def test_several_takes_are_asked_for_at_once(browser: Browser, photo: Path) -> None:
    client = browser(BEN)
    mine = client.post("/studio/photos", content=photo.read_bytes()).json()["id"]
    made = client.post("/studio/jobs", json={"photos": [mine], "takes": 4, "settings": {"seed": 5}}).json()["jobs"]
    assert [job["settings"]["seed"] for job in made] == [5, 6, 7, 8]
    assert client.post("/studio/jobs", json={"photos": [mine], "takes": 0}).status_code == 400


def test_a_finished_video_is_continued(browser: Browser, done: Callable[..., Job]) -> None:
    job, client = done("ben"), browser(BEN)
    place = f"/studio/jobs/{job.id}/continue"
    refused = client.post(place, json={})
    assert refused.status_code == 400
    assert "make it again first" in refused.json()["error"]
    assert job.video is not None
    video(job.video, 72, size=(848, 480), fps=12)
    for body, frames in (({}, 143), ({"joined": False}, 72)):
        made = client.post(place, json=body).json()
        assert made["settings"] | {"seed": 1} == job.request.to_json()
        assert made["expected"] == {"width": 848, "height": 480, "frames": frames, "fps": 12}
    assert browser(ANNA).post(place, json={}).status_code == 404
    assert client.post(place, json={"joined": "no"}).status_code == 400


def test_motion_is_asked_for_by_a_word(browser: Browser, photo: Path) -> None:
    client = browser(BEN)
    mine = client.post("/studio/photos", content=photo.read_bytes()).json()["id"]

    def ask(**settings: object) -> Response:
        return client.post("/studio/jobs", json={"photos": [mine], "settings": settings})

    assert ask(motion="strong").json()["jobs"][0]["settings"]["motion_bucket_id"] == 180
    assert ask(motion="normal").json()["jobs"][0]["settings"]["motion_bucket_id"] is None
    refused = ask(motion="wild")
    assert (refused.status_code, refused.json()["error"]) == (
        400,
        "motion is 'wild'; choose one of gentle, normal, strong, or a number from 1 to 255",
    )
