"""A page meets a damaged job list: a sentence at most, then it goes on with the new one, and says so."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.settings import Settings
from fanslymotion.tests.damages import KINDS
from fanslymotion.tests.soak import soak
from fanslymotion.ui.context import Studio
from starlette.testclient import TestClient

from .conftest import ANNA

KINDS_HERE = [name for name in KINDS if name not in ("index_entry_missing", "no_tables", "freelist", "flipped_bits")]
"""The others may not be met by what a page asks; what looks at the whole list finds them (`queue/test_damage.py`)."""
USUAL = ("header", "row_missing")
"""A file that is no database any more, and one that has lost a row. All kinds are in `queue/test_damage.py` too."""


@pytest.mark.parametrize("kind", [*USUAL, *soak(*(kind for kind in KINDS_HERE if kind not in USUAL))])
def test_a_page_goes_on(
    studio: Studio, browser: Callable[..., TestClient], photo: Path, settings: Settings, kind: str
) -> None:
    made = studio.jobs.submit_all([(photo, f"{n}") for n in range(30)], VideoRequest(seed=1), owner="anna")
    studio.jobs.close()
    path = settings.home / "jobs.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    KINDS[kind](path, Random(2))
    page = browser(ANNA)
    asked = ("/studio/machine", "/studio/jobs?kind=unfinished", "/studio/system", "/studio/doctor?fresh=true")
    first = [page.get(address) for address in asked]
    assert {answer.status_code for answer in first} <= {200, 503}
    assert all("a new list was made" in answer.json()["error"] for answer in first if answer.status_code == 503)
    assert [page.get(address).status_code for address in asked] == [200] * len(asked)
    uploaded = page.post("/studio/photos", content=photo.read_bytes()).json()["id"]
    assert page.post("/studio/jobs", json={"photos": [uploaded]}).status_code == 200
    notice = page.get("/studio/machine").json()["notice"]
    assert "the job list was damaged" in notice["en"]
    assert "список заданий был повреждён" in notice["ru"]
    store = next(check for check in page.get("/studio/doctor?fresh=true").json()["checks"] if check["key"] == "store")
    assert (store["result"], store["code"]) == ("warn", "FM-QUEUE-003")
    ids = {job.id for job in studio.jobs.list(limit=100)}
    assert {job.id for job in made} < ids
