"""By keyboard alone, from the photo to the job's end."""

import pytest
from fanslymotion.tests.browser.puppet import SAMPLE, Puppet
from fanslymotion.tests.browser.studio_page import focused
from fanslymotion.tests.studio import Studio
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def test_by_keyboard_alone(bare: Studio, page: Page, puppet: Puppet) -> None:
    page.goto(bare.url)
    expect(page.locator("#generate")).to_be_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip", "first of all: a way past the header"
    page.set_input_files("#photo-file", SAMPLE)
    expect(page.locator(".photos figure img")).to_be_visible()
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**job=**")
    expect(page.locator("[data-action=cancel]")).to_be_visible()
    focused(page.locator(".skip"))
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    assert "job=" in page.url, "the way past the header does not lose the job"
    focused(page.locator("[data-action=cancel]"))
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "focus is seen"
    page.keyboard.press("Enter")
    expect(page.locator("#job")).to_have_attribute("data-status", "cancelled")
