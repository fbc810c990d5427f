"""Who goes by the keyboard never has to begin at the top of the page."""

import pytest
from fanslymotion.tests.browser.puppet import Puppet
from fanslymotion.tests.browser.studio_page import focused
from fanslymotion.tests.browser.test_form import photos
from fanslymotion.tests.studio import Studio, wait_for
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

FOCUSED = "document.activeElement.ariaLabel ?? document.activeElement.id"


@pytest.mark.soak
def test_another_view_is_gone_on_from(bare: Studio, page: Page, puppet: Puppet) -> None:
    puppet.queue(name="a.jpg")
    page.goto(bare.url)
    expect(page.locator("#queue-count")).to_have_text("1")
    focused(page.locator("nav [data-go=queue]")).press("Enter")
    wait_for(lambda: page.evaluate(FOCUSED) == "main")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "pause"
    focused(page.locator("#view-queue .name")).press("Enter")
    expect(page.locator(".live h2")).to_be_visible()
    assert page.evaluate(FOCUSED) == "main"


def test_after_a_removal_its_neighbour_is_next(bare: Studio, page: Page, puppet: Puppet) -> None:
    queued = [puppet.queue(name=f"{name}.jpg") for name in "abc"]
    page.goto(f"{bare.url}/?view=queue")
    for name, expected in (("b", "Cancel: c.jpg"), ("c", "Cancel: a.jpg"), ("a", "main")):
        focused(page.locator(f"[aria-label='Cancel: {name}.jpg']")).press("Enter")
        wait_for(lambda expected=expected: page.evaluate(FOCUSED) == expected)
    rows = page.locator(".unfinished .job-row")
    expect(rows).to_have_count(len(queued))
    for name, expected in (("c", "Delete: b.jpg"), ("a", "Delete: b.jpg"), ("b", "main")):
        focused(page.locator(f"[aria-label='Delete: {name}.jpg']")).press("Enter")
        wait_for(lambda expected=expected: page.evaluate(FOCUSED) == expected)


def test_after_a_cancel_what_helps_is_next(bare: Studio, page: Page, puppet: Puppet) -> None:
    job = puppet.queue()
    page.goto(f"{bare.url}/?job={job}")
    focused(page.locator("[data-action=cancel]")).press("Enter")
    expect(page.locator("#job")).to_have_attribute("data-status", "cancelled")
    expect(page.locator("[data-action=again]")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#job")).to_have_attribute("data-status", "queued")
    expect(page.locator("[data-action=cancel]")).to_be_focused()
    page.click("[data-action=redo]")  # a job that still waits is the beginning of the next one, too
    expect(page.locator(".photos figure img")).to_be_visible()


@pytest.mark.soak
def test_in_the_gallery(bare: Studio, page: Page, puppet: Puppet) -> None:
    for name in "abc":
        puppet.finish(puppet.take(name=f"{name}.jpg"))
    page.goto(f"{bare.url}/?view=gallery")
    expect(page.locator(".tile")).to_have_count(3)
    for name, expected in (("b", "Delete: a.jpg"), ("a", "Delete: c.jpg"), ("c", "main")):
        focused(page.locator(f"[aria-label='Delete: {name}.jpg']")).press("Enter")
        assert page.evaluate(FOCUSED) == expected
    focused(page.locator("#toasts .link").last).press("Enter")
    assert page.evaluate(FOCUSED) == "c.jpg"


def test_photos_that_are_removed(bare: Studio, page: Page) -> None:
    page.goto(bare.url)
    page.set_input_files("#photo-file", photos(2))
    expect(page.locator(".photos figure")).to_have_count(2)
    focused(page.get_by_label("Remove this photo").last).press("Enter")
    assert page.evaluate(FOCUSED) == "Remove this photo"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "photo-file"
