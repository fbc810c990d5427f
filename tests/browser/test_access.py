"""For everybody: by keyboard alone, and the login page (every other view: test_every_view.py)."""

import pytest
from fanslymotion.settings import ROOT
from fanslymotion.tests.browser.studio_page import findings
from fanslymotion.tests.studio import Studio
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def test_the_login_page(make_studio, page: Page) -> None:
    guarded = make_studio("--auth", "anna:secret-1", "--no-worker")
    page.goto(guarded.url)
    expect(page.locator("form")).to_be_visible()
    assert findings(page) == []


def test_by_keyboard_alone(studio: Studio, page: Page) -> None:
    page.goto(studio.url)
    expect(page.locator("#generate")).to_be_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip", "first of all: a way past the header"
    page.set_input_files("#photo-file", ROOT / "assets" / "sample.jpg")
    expect(page.locator(".photos figure img")).to_be_visible()
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**job=**")
    expect(page.locator("[data-action=cancel]")).to_be_visible()
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    assert "job=" in page.url, "the way past the header does not lose the job"
    page.locator("[data-action=cancel]").focus()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "focus is seen"
    page.keyboard.press("Enter")
    expect(page.locator("#job")).to_have_attribute("data-status", "cancelled", timeout=60_000)
