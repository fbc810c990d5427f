"""Two people share one page: each logs in and sees only what is theirs."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from fanslymotion.tests.browser.puppet import SAMPLE, Puppet
from fanslymotion.tests.browser.studio_page import findings, generate
from fanslymotion.tests.studio import Studio, wait_for
from playwright.sync_api import Browser, Page, Route, expect

pytestmark = pytest.mark.browser


def log_in(browser: Browser, studio: Studio, user: str, password: str) -> Page:
    page = browser.new_context(locale="en-GB", reduced_motion="reduce").new_page()
    page.set_default_timeout(60_000)
    page.goto(studio.url)
    page.wait_for_url("**/login**")
    page.get_by_label("Login").fill(user)
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")
    return page


@pytest.fixture(scope="module")
def studio(make_studio: Callable[..., Studio]) -> Studio:
    return make_studio("--auth", "anna:secret-1", "--auth", "ben:secret-2", "--no-worker")


def test_each_sees_only_their_own(studio: Studio, browser: Browser) -> None:
    wrong = log_in(browser, studio, "anna", "secret-2")
    expect(wrong.get_by_text("Login or password is wrong.")).to_be_visible()
    wrong.context.close()

    anna = log_in(browser, studio, "anna", "secret-1")
    expect(anna.locator("#generate")).to_be_visible()
    job = generate(anna, studio.url, SAMPLE, steps=1)
    worker = Puppet(studio.home, studio.models)
    assert worker.take() == job
    worker.film(job)
    expect(anna.locator("#job")).to_have_attribute("data-status", "done")

    ben = log_in(browser, studio, "ben", "secret-2")
    expect(ben.locator("#generate")).to_be_visible()
    ben.goto(f"{studio.url}/?job={job}")
    expect(ben.locator("#toasts")).to_contain_text("no job")
    ben.goto(f"{studio.url}/?view=gallery")
    expect(ben.locator(".nothing:visible")).to_be_visible()
    ben.goto(f"{studio.url}/?view=system")
    expect(ben.locator("#view-system .job-row").first).to_be_visible()
    expect(ben.locator("#restart")).to_be_hidden()

    anna.goto(f"{studio.url}/?view=gallery")
    expect(anna.locator(".tile")).to_have_count(1)
    anna.click("#logout button")
    anna.wait_for_url("**/login**")
    anna.goto(f"{studio.url}/?job={job}")
    anna.wait_for_url("**/login**")
    for page in (anna, ben):
        page.context.close()


def test_the_login_page_is_for_everybody(studio: Studio, page: Page) -> None:
    page.goto(studio.url)
    expect(page.locator("form")).to_be_visible()
    assert findings(page) == []


@pytest.mark.soak
def test_after_the_login_one_stays_here(studio: Studio, page: Page) -> None:
    """Links that pass for a path of this page: each once led elsewhere in some program."""

    def forget() -> None:
        page.goto("about:blank")  # the page that still loads would go to the login by itself
        page.context.clear_cookies()

    for trap in (
        "/.//evil.example/x",
        "//evil.example/x",
        "/\\\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
    ):
        forget()
        page.goto(f"{studio.url}/login?{urlencode({'next': trap})}")
        page.get_by_label("Login").fill("anna")
        page.get_by_label("Password").fill("secret-1")
        with page.expect_navigation(wait_until="commit"):
            page.keyboard.press("Enter")
        assert page.url.startswith(f"{studio.url}/"), trap
        assert "login" not in page.url
    forget()
    page.goto(f"{studio.url}/?view=queue")
    page.get_by_label("Login").fill("anna")
    page.get_by_label("Password").fill("secret-1")
    page.keyboard.press("Enter")
    expect(page.locator("#pause")).to_be_visible()


def test_a_quick_enter_keeps_the_password_out_of_the_address(studio: Studio, page: Page) -> None:
    """Pressed before the page's words are there."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    held, free = [], []
    page.route("**/studio/locales/*", lambda route: route.continue_() if free else held.append(route))
    page.goto(f"{studio.url}/login")
    page.get_by_label("Login").fill("anna")
    page.get_by_label("Password").fill("secret-1")
    page.keyboard.press("Enter")
    free.append(True)
    held.pop().continue_()
    expect(page.locator("#generate")).to_be_visible()
    assert not [url for url in asked if "secret" in url]


def answered(answer: dict[str, Any]) -> Callable[[Route], None]:
    return lambda route: route.fulfill(**answer)


def test_a_refused_login_says_why(studio: Studio, page: Page) -> None:
    page.goto(f"{studio.url}/login")
    problem = page.locator("#problem")
    answers = {
        "The page is being updated.": {"status": 503, "json": {"error": "The page is being updated."}},
        "The program answered with an error (502); try again.": {"status": 502, "body": "<html>Bad Gateway</html>"},
        "Login or password is wrong.": {"status": 401, "json": {"error": "x"}},
    }
    for sentence, answer in answers.items():
        page.unroute_all(behavior="wait")
        page.route("**/login", answered(answer))
        page.get_by_label("Login").fill("anna")
        page.get_by_label("Password").fill("secret-1")
        page.keyboard.press("Enter")
        expect(problem).to_have_text(sentence)
    tries: list[Route] = []
    page.route("**/login", lambda route: tries.append(route))
    for _ in range(2):
        page.keyboard.press("Enter")
    wait_for(lambda: page.evaluate("1") and tries)
    page.evaluate("new Promise((resolve) => setTimeout(resolve))")
    assert len(tries) == 1, "each try counts"
    tries[0].abort()


@pytest.mark.soak
def test_a_stream_that_is_refused_says_why(bare: Studio, page: Page, puppet: Puppet) -> None:
    job = puppet.take()
    refusal = {"error": "the jobs' database is locked"}
    page.route("**/studio/events*", lambda route: route.fulfill(status=503, json=refusal))
    page.route(f"**/studio/jobs/{job}", lambda route: route.fulfill(status=503, json=refusal))
    page.goto(f"{bare.url}/?job={job}")
    expect(page.locator("#trouble")).to_have_text("the jobs' database is locked")
    page.unroute_all(behavior="wait")
    # What a proxy answers by itself means that the program does not.
    for path in ("events*", f"jobs/{job}"):
        page.route(f"**/studio/{path}", lambda route: route.fulfill(status=502, body="<html>Bad Gateway</html>"))
    page.reload()
    expect(page.locator("#trouble")).to_contain_text("The program has ended or cannot be reached")
    page.unroute_all(behavior="wait")
    expect(page.locator("#trouble")).to_be_hidden()
    expect(page.locator(".live h2")).to_be_visible()
