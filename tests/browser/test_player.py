"""A video that cannot be played: a sentence with what to do, and no dead black player."""

import pytest
from fanslymotion.tests.browser.puppet import Puppet
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
