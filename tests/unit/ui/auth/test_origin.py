"""Requests whose Origin and Host differ: another web page's, or this page's own through a reverse proxy."""

from collections.abc import Callable

from fanslymotion.settings import Settings
from fanslymotion.ui.app import build_app
from fanslymotion.ui.auth.logins import Logins
from starlette.testclient import TestClient

from ..conftest import ANNA

Browser = Callable[..., TestClient]
OUTSIDE, INSIDE = "studio.example.org:8443", "127.0.0.1:7860"
LOGIN = {"username": ANNA[0], "password": ANNA[1]}


def log_in(browser: Browser, language: str = "en", **headers: str):
    sent = {"Origin": f"https://{OUTSIDE}", "Accept-Language": language}
    return browser().post("/login", data=LOGIN, headers={**sent, **headers})


def test_a_proxy_that_replaces_the_host_is_told_both_names_and_the_header(browser: Browser) -> None:
    for language, word in (("en", "reverse proxy"), ("ru", "обратный прокси")):
        answer = log_in(browser, language, Host=INSIDE)  # as nginx does without proxy_set_header
        assert answer.status_code == 403
        said = answer.json()["error"]
        for part in (OUTSIDE, INSIDE, "X-Forwarded-Host", word):
            assert part in said


def test_a_proxy_that_sends_another_host_is_told_that_one(browser: Browser) -> None:
    for language, word in (("en", "with its port"), ("ru", "вместе с портом")):
        sent = {"Host": INSIDE, "X-Forwarded-Host": "studio.example.org"}  # nginx' $host leaves the port out
        answer = log_in(browser, language, **sent)
        assert answer.status_code == 403
        said = answer.json()["error"]
        assert OUTSIDE in said
        assert "says studio.example.org;" in said or "называет studio.example.org;" in said
        assert word in said


def test_a_proxy_that_sends_the_browsers_host_is_let_through(browser: Browser) -> None:
    for headers in ({"Host": INSIDE, "X-Forwarded-Host": OUTSIDE}, {"Host": OUTSIDE}):
        assert log_in(browser, **headers).status_code == 200, headers


def test_a_request_without_a_host_of_its_own_is_another_pages(browser: Browser) -> None:
    origins = [{"Origin": origin} for origin in ("null", "http://[::1", "//")]
    for headers in (*origins, {"Sec-Fetch-Site": "cross-site"}):
        answer = browser().post("/login", data=LOGIN, headers=headers)
        assert answer.status_code == 403, headers
        assert "another web page" in answer.json()["error"], headers


def test_long_names_are_cut(browser: Browser) -> None:
    answer = log_in(browser, "ru", Origin="http://" + "x" * 5000, Host=INSIDE)
    assert answer.status_code == 403
    assert len(answer.json()["error"]) < 600
    assert "обратный прокси" in answer.json()["error"]


def test_a_page_without_logins_says_what_a_proxys_name_needs(settings: Settings) -> None:
    made = build_app(settings, Logins({}, b"k" * 32), "127.0.0.1")
    try:
        client = TestClient(made.guard, base_url="http://studio.example.org")
        for language, word in (("en", "with logins"), ("ru", "с логинами")):
            answer = client.get("/", headers={"Accept-Language": language})
            assert answer.status_code == 421
            for part in ("studio.example.org", "--auth-file", word):
                assert part in answer.json()["error"]
    finally:
        made.live.close()
        made.photos.close()
        made.jobs.close()
