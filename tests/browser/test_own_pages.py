"""Tests of a file share a browser's cache and nothing else: each page is a new visitor's."""

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser

STORED = """async () => [localStorage.length, sessionStorage.length, document.cookie,
  (await navigator.permissions.query({ name: "clipboard-read" })).state]"""


@pytest.mark.parametrize("visit", [1, 2])
def test_nothing_is_found_that_an_earlier_test_has_left(page: Page, visit: int) -> None:
    page.context.route("http://localhost:1/", lambda route: route.fulfill(body=str(visit), content_type="text/html"))
    page.goto("http://localhost:1/")
    assert page.locator("body").text_content() == str(visit)
    assert page.evaluate(STORED) == [0, 0, "", "prompt"]
    page.context.grant_permissions(["clipboard-read"])
    page.evaluate("() => { localStorage.a = sessionStorage.a = 1; document.cookie = 'a=1; path=/'; }")
    assert page.evaluate(STORED) == [1, 1, "a=1", "granted"]
