"""What people do at the pages while everything breaks, and what they were told: the campaign's own record."""

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import httpx
from PIL import Image

from .processes import Page

PATIENCE_SECONDS = 12.0
"""After which a user gives up on an answer."""


@dataclass
class Told:
    """What pages have promised. Only what they said counts, never what is in the database.

    accepted: job -> the seed it was asked with. asked: name of a photo -> how many jobs there may be of it at most.
    refused: names whose submit was answered with an error. unclear: names whose submit got no answer at all.
    cancelled: jobs of which a page said that they end. cancel_tried, delete_tried: perhaps carried out.
    deleted: of which a page said so.
    """

    accepted: dict[str, int] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    unclear: set[str] = field(default_factory=set)
    cancelled: set[str] = field(default_factory=set)
    cancel_tried: set[str] = field(default_factory=set)
    delete_tried: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    answers: Counter[str] = field(default_factory=Counter)
    acts: list[tuple[float, str, str]] = field(default_factory=list)
    """(monotonic seconds, path, what was answered), of everything but looking."""


class Users:
    """Some threads of people at the pages. settings: of every job; each differs from others in its seed only.

    most: jobs waiting or running, beyond which none is handed in.
    """

    def __init__(self, pages: list[Page], seed: int, seeds: tuple[int, ...], settings: dict[str, Any], most: int):
        self.told = Told()
        self._pages, self._seeds, self._settings, self._most = pages, seeds, settings, most
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._names = 0
        self._seen: dict[str, dict[str, Any]] = {}
        """Each job as a page last showed it."""
        self._threads = [threading.Thread(target=self._live, args=(random.Random(seed * 7 + i),)) for i in range(2)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    # --- one at a time, also from outside -----------------------------------------------------------------------

    def submit(self, page: Page, seed: int, photos: int = 1) -> list[str]:
        """Upload photos and press Generate; the jobs' ids, [] when it was not taken."""
        with self._lock:
            self._names += 1
            name = f"photo-{self._names}.png"
            self.told.asked[name] = photos
        try:
            ids = [self._json(page, "/studio/photos", content=photo(), name=name)["id"] for _ in range(photos)]
        except (httpx.HTTPError, Refused):
            self.told.asked[name] = 0  # without Generate no job comes of it
            return []
        try:
            body = {"photos": ids, "settings": self._settings | {"seed": seed}}
            jobs = [job["id"] for job in self._json(page, "/studio/jobs", about=name, json=body)["jobs"]]
        except Refused:
            self.told.refused.add(name)
            return []
        except httpx.HTTPError:
            self.told.unclear.add(name)
            return []
        self.told.accepted |= dict.fromkeys(jobs, seed)
        return jobs

    def retry(self, page: Page, job: dict[str, Any]) -> str:
        """Press Retry; the new job's id, "" when it was not taken."""
        self.told.asked[job["name"]] = self.told.asked.get(job["name"], 0) + 1
        made = self._json(page, f"/studio/jobs/{job['id']}/retry")["id"]
        self.told.accepted[made] = job["settings"]["seed"]
        return made

    def cancel(self, page: Page, job_id: str) -> None:
        self.told.cancel_tried.add(job_id)
        after = self._json(page, f"/studio/jobs/{job_id}/cancel")
        if after["cancelling"] or after["status"] == "cancelled":
            self.told.cancelled.add(job_id)

    def delete(self, page: Page, job_id: str) -> None:
        self.told.delete_tried.add(job_id)
        self._json(page, f"/studio/jobs/{job_id}", method="DELETE")
        self.told.deleted.add(job_id)

    # --- a user's life ------------------------------------------------------------------------------------------

    def _live(self, random: random.Random) -> None:
        while not self._ended.wait(random.uniform(0.1, 0.8)):
            try:
                self._act(random, random.choice(self._pages))
            except (httpx.HTTPError, Refused):
                continue

    def _act(self, random: random.Random, page: Page) -> None:
        self._look(random, page)
        known = {i: job for i, job in list(self._seen.items()) if i not in self.told.delete_tried}
        open_jobs = [i for i, job in known.items() if job["status"] in ("queued", "running")]
        ended = [i for i, job in known.items() if i not in open_jobs]
        unfinished = [i for i in ended if known[i]["status"] != "done"]
        if len(open_jobs) < self._most and random.random() < 0.7:
            if unfinished and random.random() < 0.2:
                self.retry(page, known[random.choice(unfinished)])
            else:
                self.submit(page, random.choice(self._seeds), random.choice((1, 1, 2)))
        elif open_jobs and random.random() < 0.07:
            self.cancel(page, random.choice(open_jobs))
        elif len(ended) > 3 and random.random() < 0.15:
            self.delete(page, random.choice(ended))

    def _look(self, random: random.Random, page: Page) -> None:
        """At some of the jobs that may have moved on."""
        moving = [i for i, job in list(self._seen.items()) if job["status"] in ("queued", "running")]
        for job_id in random.sample(moving, min(3, len(moving))):
            self._json(page, f"/studio/jobs/{job_id}", method="GET")

    def _json(
        self, page: Page, path: str, method: str = "POST", name: str = "", about: str = "", **body: Any
    ) -> dict[str, Any]:
        """name: the header that says what a photo is called. about: for the record.

        Raise Refused for an answer that is an error, httpx.HTTPError where none comes.
        """
        headers = {"Origin": page.url} | ({"X-Photo-Name": name} if name else {})
        try:
            answer = httpx.request(method, page.url + path, headers=headers, timeout=PATIENCE_SECONDS, **body)
        except httpx.HTTPError as e:
            self._note("none", f"{method} {page.name}{path} {about}", type(e).__name__)
            raise
        said = "" if answer.status_code == 200 and method == "GET" else answer.text[:300]
        self._note(str(answer.status_code), f"{method} {page.name}{path} {about}", said)
        if answer.status_code != 200:
            raise Refused(f"{path}: {answer.status_code} {answer.text}")
        found = answer.json()
        for job in found.get("jobs", [found]):
            if "status" in job:
                self._seen[job["id"]] = job
        return found

    def _note(self, code: str, path: str, said: str) -> None:
        self.told.answers[code] += 1
        if not path.startswith("GET"):
            self.told.acts.append((time.monotonic(), path, f"{code} {said}"))


class Refused(Exception):
    """The page answered with an error."""


def photo() -> bytes:
    """A small picture with something in it."""
    sky, ground = Image.radial_gradient("L").resize((320, 180)), Image.linear_gradient("L").resize((320, 180))
    file = BytesIO()
    Image.merge("RGB", (sky, ground, Image.blend(sky, ground, 0.3))).save(file, "PNG")
    return file.getvalue()


def wait(ready: Any, seconds: float, pause: float = 0.1) -> bool:
    """Until `ready` gives something true; False when it did not in time."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True
