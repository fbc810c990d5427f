"""A video that cannot be played: a sentence with what to do, and no dead black player."""

import re

import pytest
from fanslymotion.tests.browser.puppet import Puppet
from fanslymotion.tests.browser.test_finished import LACKS_H264
from fanslymotion.tests.browser.test_late_answers import held, hold
from fanslymotion.tests.studio import Studio
from playwright.sync_api import Page, expect

SAID = "[data-said=unplayable]"


@pytest.mark.parametrize(
    ("there", "words"),
    [(True, "This browser cannot play the video. Download it"), (False, "is gone from the data folder")],
)
def test_a_video_that_cannot_be_played_is_told(
    bare: Studio, page: Page, puppet: Puppet, there: bool, words: str
) -> None:
    job = puppet.take()
    puppet.finish(job)  # with bytes that are no frames
    if not there:
        (puppet.jobs.get(job).folder / "video.mp4").unlink()
    page.goto(f"{bare.url}/?job={job}")
    expect(page.locator(SAID)).to_contain_text(words)
    expect(page.locator(".frame video")).to_be_hidden()
    expect(page.locator(".frame .photo")).to_be_visible()
    again = page.locator("#job [data-action=again]")
    expect(again).to_be_hidden() if there else expect(again).to_be_visible()
    other = puppet.take()
    page.goto(f"{bare.url}/?job={other}")
    expect(page.locator("#job")).to_have_attribute("data-status", "running")
    expect(page.locator(SAID)).to_be_hidden()


def turn(page: Page, job: str) -> None:
    """Go to a job as the browser's way back does, without loading the page anew."""
    page.evaluate(
        "query => { history.pushState(null, '', query); dispatchEvent(new Event('popstate')); }", f"?job={job}"
    )


@pytest.mark.soak
def test_a_copy_that_fails_late_leaves_the_video_that_is_shown_now(bare: Studio, page: Page, puppet: Puppet) -> None:
    first, second = (puppet.take(name=name) for name in ("first.jpg", "second.jpg"))
    for job in (first, second):
        puppet.film(job)
    page.add_init_script(LACKS_H264)
    page.goto(f"{bare.url}/?job={first}")
    asked = hold(page, "**/exports", "POST")
    copy = page.locator(SAID).get_by_role("button", name="Make a copy that plays here")
    copy.click()
    held(page, asked, 1)
    turn(page, second)
    expect(page.locator(".frame video")).to_have_attribute("src", re.compile(f"{second}/video"))
    expect(copy).to_be_visible()
    expect(copy).not_to_have_attribute("aria-busy", "true")
    with page.expect_event("requestfinished", lambda request: request.url.endswith("/exports")):
        asked[0].fulfill(status=500, json={"error": "the disk is full"})
    page.evaluate("new Promise((resolve) => setTimeout(resolve))")
    expect(page.locator(".frame video")).to_have_attribute("src", re.compile(f"{second}/video"))
    expect(page.locator(".toast")).to_have_count(0)
    expect(copy).to_be_visible()
