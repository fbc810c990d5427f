"""Requests as a reverse proxy or a monitor sends them: HEAD, and a path of its own."""

from collections.abc import Iterator

import pytest
from fanslymotion.errors import BadInput
from fanslymotion.settings import Settings
from fanslymotion.ui.app import build_app
from fanslymotion.ui.auth.logins import Logins
from fanslymotion.ui.server.address import parse_root_path
from starlette.testclient import TestClient


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    home = tmp_path_factory.mktemp("home")
    made = build_app(Settings.local(home, home / "models"), Logins({}, b"k" * 32), "127.0.0.1", "/motion")
    yield TestClient(made.front, base_url="http://127.0.0.1", follow_redirects=False)
    made.live.close()
    made.photos.close()
    made.jobs.close()


PLACES = ("/", "/login", "/favicon.ico", "/studio/options", "/studio/static/main.js", "/studio/jobs", "/theme.css")


@pytest.mark.parametrize("place", [*PLACES, "/studio/nothing", "/studio/jobs/000000000000", "/elsewhere"])
def test_head_is_get_without_the_body(client: TestClient, place: str) -> None:
    asked, got = client.head(place), client.get(place)
    assert (asked.status_code, asked.content) == (got.status_code, b"")
    assert set(asked.headers) == set(got.headers)
    assert asked.headers["content-type"] == got.headers["content-type"]
    assert asked.headers.get("content-length") == got.headers.get("content-length")


def test_head_of_a_stream_ends(client: TestClient) -> None:
    answer = client.head("/studio/events")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.content == b""


@pytest.mark.parametrize("place", PLACES)
def test_the_root_path_may_be_taken_off_or_not(client: TestClient, place: str) -> None:
    with_it, without = client.get(f"/motion{place}"), client.get(place)
    assert with_it.status_code == without.status_code == 200
    assert with_it.headers["content-type"] == without.headers["content-type"]


def test_what_the_address_asks_for_is_kept(client: TestClient) -> None:
    answer = client.get("/motion?job=0123456789ab&x=%D0%B9")
    assert answer.headers["location"] == "/motion/?job=0123456789ab&x=%D0%B9"


def test_the_root_path_alone_leads_to_the_page(client: TestClient) -> None:
    answer = client.get("/motion")
    assert (answer.status_code, answer.headers["location"]) == (308, "/motion/")
    assert client.get("/motionless").status_code == 404


@pytest.mark.parametrize(("word", "path"), [("", ""), ("/", ""), ("/motion", "/motion"), ("/a/b.c/", "/a/b.c")])
def test_a_root_path_is_taken_with_or_without_its_last_slash(word: str, path: str) -> None:
    assert parse_root_path(word) == path


@pytest.mark.parametrize("word", ["motion", "https://x/y", "/a b", "//x", "/a/../b", "/ä", "/a?b", "/."])
def test_what_is_no_root_path_is_refused(word: str) -> None:
    with pytest.raises(BadInput, match="root path"):
        parse_root_path(word)
