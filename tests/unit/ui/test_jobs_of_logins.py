"""Two logins on one page: whose files are served, how many jobs may wait, who moves past whom."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.queue.job_folders import AbandonedFolders
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store import transitions
from fanslymotion.queue.types import Job, Status
from fanslymotion.settings import Settings
from fanslymotion.tests.wine import needs_links
from fanslymotion.ui.api import job_routes
from fanslymotion.ui.context import Studio
from fanslymotion.ui.gradio_app import blocks
from starlette.testclient import TestClient

from .conftest import ANNA, BEN

Browser = Callable[..., TestClient]
FILES = ("", "/video", "/video?download=1", "/photo", "/poster", "/still", "/log")


def test_a_finished_jobs_files_are_its_logins_own(browser: Browser, done: Callable[..., Job]) -> None:
    job = done("ben")
    for client, code in ((browser(BEN), 200), (browser(ANNA), 404), (browser(), 401)):
        for file in FILES:
            assert client.get(f"/studio/jobs/{job.id}{file}").status_code == code, file
    assert browser(ANNA).get(f"/studio/events?job={job.id}").status_code == 404


def test_what_was_made_without_a_login_is_the_machines_owners(
    studio: Studio, browser: Browser, done: Callable[..., Job], photo: Path
) -> None:
    before, own, other = done("", at=2.0), done("anna", at=3.0), done("ben", at=4.0)
    waiting = studio.jobs.submit(photo, VideoRequest())
    anna, ben = browser(ANNA), browser(BEN)

    def shown(client: TestClient, kind: str = "done") -> list[str]:
        return [job["id"] for job in client.get(f"/studio/jobs?kind={kind}").json()["jobs"]]

    def active(client: TestClient) -> list[str]:
        return [job["id"] for job in client.get("/studio/machine").json()["active"]]

    for client, code in ((anna, 200), (ben, 404), (browser(), 401)):
        for file in FILES:
            assert client.get(f"/studio/jobs/{before.id}{file}").status_code == code, file
    assert (shown(anna), shown(ben)) == ([own.id, before.id], [other.id])
    assert (active(anna), active(ben)) == ([waiting.id], [])
    assert ben.get(f"/studio/events?job={before.id}").status_code == 404
    assert ben.post(f"/studio/jobs/{waiting.id}/cancel", json={}).status_code == 404
    assert anna.post(f"/studio/jobs/{waiting.id}/cancel", json={}).json()["status"] == "cancelled"
    assert (shown(anna, "unfinished"), shown(ben, "unfinished")) == ([waiting.id], [])
    assert ben.post("/studio/jobs/clean").json() == {"deleted": 0}
    assert anna.post("/studio/jobs/clean").json() == {"deleted": 1}
    assert ben.delete(f"/studio/jobs/{before.id}").status_code == 404
    assert anna.delete(f"/studio/jobs/{before.id}").status_code == 200


def test_a_running_jobs_preview_is_its_logins_own(studio: Studio, browser: Browser, photo: Path) -> None:
    job = studio.jobs.submit(photo, VideoRequest(), owner="ben")
    transitions.claim(studio.jobs.store, "w", 1.0)
    studio.jobs.store.tables.Preview.insert(job=job.id, version=3, image=b"RIFF").execute()
    assert browser(BEN).get(f"/studio/jobs/{job.id}/preview?v=3").content == b"RIFF"
    assert browser(ANNA).get(f"/studio/jobs/{job.id}/preview?v=3").status_code == 404
    assert browser(ANNA).get(f"/studio/events?job={job.id}").status_code == 404


def test_the_next_login_of_a_browser_gets_nothing_from_its_cache(
    studio: Studio, browser: Browser, done: Callable[..., Job], photo: Path
) -> None:
    job = done("ben")
    running = studio.jobs.submit(photo, VideoRequest(), owner="ben")
    transitions.claim(studio.jobs.store, "w", 1.0)
    studio.jobs.store.tables.Preview.insert(job=running.id, version=3, image=b"RIFF").execute()
    upload = browser(BEN).post("/studio/photos", content=photo.read_bytes()).json()
    kept = [f"/studio/jobs/{job.id}{file}" for file in ("/video", "/photo", "/poster", "/still")]
    for path in (*kept, f"/studio/jobs/{running.id}/preview", upload["view"]):
        first = browser(BEN).get(path)
        assert first.status_code == 200, path
        assert "no-cache" in first.headers["cache-control"], path
        asked = {"If-None-Match": f'W/"x", {first.headers["etag"]}'}
        again = browser(BEN).get(path, headers=asked)
        assert (again.status_code, again.content) == (304, b""), "as quick as from the cache"
        assert browser(ANNA).get(path, headers=asked).status_code == 404, path
    video = f"/studio/jobs/{job.id}/video"
    part = browser(BEN).get(video, headers={"Range": "bytes=0-3", "If-Range": browser(BEN).get(video).headers["etag"]})
    assert (part.status_code, len(part.content)) == (206, 4)


@needs_links
def test_links_are_never_followed(
    studio: Studio, browser: Browser, done: Callable[..., Job], photo: Path, tmp_path: Path, settings: Settings
) -> None:
    client = browser(BEN)
    secret = tmp_path / "secret.png"
    secret.write_bytes(photo.read_bytes())
    for name in ("video.mp4", "photo.png", "poster.jpg"):
        job = done("ben")
        (job.folder / name).unlink(missing_ok=True)
        (job.folder / name).symlink_to(secret)
        file = name.partition(".")[0]
        assert client.get(f"/studio/jobs/{job.id}/{file}").status_code == 404, name
    job = done("ben")
    (job.folder / "still.jpg").symlink_to(secret)
    assert client.get(f"/studio/jobs/{job.id}/still").status_code == 404
    moved = done("ben")
    moved.folder.rename(tmp_path / "elsewhere")
    moved.folder.symlink_to(tmp_path / "elsewhere")
    for file in ("video", "photo", "poster", "still"):
        assert client.get(f"/studio/jobs/{moved.id}/{file}").status_code == 404, file
    for name in ("photo.png", "view.jpg", "about.json"):
        upload = client.post("/studio/photos", content=photo.read_bytes()).json()
        path = settings.home / "uploads" / upload["id"] / name
        target = tmp_path / name
        path.rename(target)
        path.symlink_to(target)
        assert client.get(upload["view"]).status_code == 404, name
        assert client.post("/studio/jobs", json={"photos": [upload["id"]]}).status_code == 404, name


# --- the limit -----------------------------------------------------------------------------------------------------


def fill(studio: Studio, count: int, owner: str = "ben") -> None:
    table, request = studio.jobs.store.tables.Job, '{"resolution": "480p"}'
    rows = [
        {"id": f"{n:012x}", "position": n, "name": "", "owner": owner, "request": request, "status": "queued"}
        for n in range(count)
    ]
    with studio.jobs.store.write():
        table.insert_many([{**row, "created": 1.0} for row in rows]).execute()


def waiting(jobs: Jobs, owner: str = "ben") -> int:
    return jobs.count(owner=owner, statuses=[Status.QUEUED])


def test_at_most_200_jobs_of_a_login_wait(studio: Studio, browser: Browser, photo: Path, settings: Settings) -> None:
    assert job_routes.MOST_WAITING == 200
    fill(studio, 198)
    client = browser(BEN)
    photos = [client.post("/studio/photos", content=photo.read_bytes()).json()["id"] for _ in range(3)]
    refused = client.post("/studio/jobs", json={"photos": photos})
    assert refused.status_code == 400
    assert "198 of your jobs are waiting already" in refused.json()["error"]
    assert waiting(studio.jobs) == 198, "none of the three"
    assert not settings.jobs_dir.exists() or not list(settings.jobs_dir.iterdir())
    assert client.post("/studio/jobs", json={"photos": photos[:2]}).status_code == 200
    ended = studio.jobs.cancel(studio.jobs.list(owner="ben", limit=1)[0].id)
    assert client.post("/studio/jobs", json={"photos": photos[:1]}).status_code == 200
    assert client.post(f"/studio/jobs/{ended.id}/retry").status_code == 400
    fill_other = browser(ANNA)
    hers = fill_other.post("/studio/photos", content=photo.read_bytes()).json()["id"]
    assert fill_other.post("/studio/jobs", json={"photos": [hers]}).status_code == 200


def test_the_limit_holds_against_many_at_once(
    studio: Studio, browser: Browser, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_routes, "MOST_WAITING", 3)
    mine = browser(BEN).post("/studio/photos", content=photo.read_bytes()).json()["id"]

    def send(_: int) -> int:
        return browser(BEN).post("/studio/jobs", json={"photos": [mine]}).status_code

    with ThreadPoolExecutor(8) as pool:
        codes = sorted(pool.map(send, range(16)))
    assert codes == [200] * 3 + [400] * 13
    assert waiting(studio.jobs) == 3
    AbandonedFolders(studio.jobs.store).remove(0.0)  # Windows keeps a photo that another submit was just linking
    assert len(list(studio.settings.jobs_dir.iterdir())) == 3


def test_a_batch_with_a_photo_that_fails_late_leaves_nothing(
    studio: Studio, browser: Browser, photo: Path, settings: Settings
) -> None:
    client = browser(BEN)
    photos = [client.post("/studio/photos", content=photo.read_bytes()).json()["id"] for _ in range(3)]
    (settings.home / "uploads" / photos[2] / "photo.png").write_bytes(b"half a photo")
    assert client.post("/studio/jobs", json={"photos": photos}).status_code == 400
    assert waiting(studio.jobs) == 0
    assert not list(settings.jobs_dir.iterdir())


def test_the_api_of_scripts_has_the_same_limit() -> None:
    assert blocks.MOST_WAITING is job_routes.MOST_WAITING


# --- the line ------------------------------------------------------------------------------------------------------


def test_a_login_moves_only_among_its_own_places(studio: Studio, browser: Browser, photo: Path) -> None:
    ids = {
        name: studio.jobs.submit(photo, VideoRequest(), name=name, owner=owner).id
        for name, owner in (("a1", "anna"), ("b1", "ben"), ("a2", "anna"), ("b2", "ben"), ("a3", "anna"), ("b3", "ben"))
    }

    def line() -> list[str]:
        return [job.name for job in studio.jobs.list()]

    def move(login, name: str, place: int) -> int:
        answer = browser(login).post(f"/studio/jobs/{ids[name]}/move", json={"place": place})
        return answer.json()["place"]

    assert move(BEN, "b3", 1) == 2, "the first of his own"
    assert line() == ["a1", "b3", "a2", "b1", "a3", "b2"]
    assert move(BEN, "b3", 4) == 4
    assert line() == ["a1", "b1", "a2", "b3", "a3", "b2"]
    assert move(BEN, "b3", 3) == 2, "one up is past his own one above"
    assert move(BEN, "b3", 3) == 4, "and one down past the one below"
    assert move(BEN, "b1", 99) == 6
    assert line() == ["a1", "b3", "a2", "b2", "a3", "b1"]
    assert move(ANNA, "a3", 1) == 1, "the machine is hers"
    assert line() == ["a3", "a1", "b3", "a2", "b2", "b1"]


# --- pages ---------------------------------------------------------------------------------------------------------


def test_a_page_goes_on_where_the_last_one_ended_whatever_ends_meanwhile(
    studio: Studio, browser: Browser, done: Callable[..., Job]
) -> None:
    first = [done("ben", at=at).id for at in (5.0, 5.0, 5.0, 7.25, 7.25, 9.0, 11.0)]
    client = browser(BEN)
    seen, after = [], ""
    while True:
        page = client.get("/studio/jobs", params={"limit": 2, "after": after}).json()
        seen += [job["id"] for job in page["jobs"]]
        done("ben", at=20.0)
        after = page["next"]
        if not after:
            break
    assert sorted(seen) == sorted(first)
    assert seen[0] == first[-1]
    assert client.get("/studio/jobs", params={"after": "x"}).status_code == 422


def test_a_value_of_another_kind_is_refused_in_a_sentence(browser: Browser) -> None:
    """As every other error: scripts read `error`."""
    client = browser(BEN)
    for language, begins in (("en", "limit is 'x': "), ("ru", "limit: 'x': ")):
        answer = client.get("/studio/jobs", params={"limit": "x"}, headers={"accept-language": language})
        assert (answer.status_code, list(answer.json())) == (422, ["error"])
        assert answer.json()["error"].startswith(begins)
    long = client.get("/studio/jobs", params={"limit": "x" * 5000}).json()["error"]
    assert len(long) < 300


def test_two_cleans_at_once_are_no_error(
    studio: Studio, browser: Browser, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another page has deleted a job between this one's list and its delete."""
    jobs = [studio.jobs.submit(photo, VideoRequest(seed=1), owner="ben") for _ in range(3)]
    for job in jobs:
        studio.jobs.cancel(job.id)
    listed = studio.jobs.list

    def overtaken(**wanted: Any) -> list[Job]:
        found = listed(**wanted)
        if any(job.id == jobs[0].id for job in found):
            studio.jobs.delete(jobs[0].id)
        return found

    monkeypatch.setattr(studio.jobs, "list", overtaken)
    answer = browser(BEN).post("/studio/jobs/clean")
    assert answer.status_code == 200
    assert answer.json() == {"deleted": 2}
