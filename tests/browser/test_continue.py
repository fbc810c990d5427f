"""The button that continues a finished video."""

import re

import pytest
from fanslymotion.queue.continuation import video_before
from fanslymotion.tests.browser.puppet import Puppet
from fanslymotion.tests.moving_video import video
from fanslymotion.tests.studio import Studio
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def test_a_finished_video_is_continued(bare: Studio, page: Page, puppet: Puppet) -> None:
    old = puppet.take(seconds=12)
    page.goto(f"{bare.url}/?job={old}")
    button = page.locator("#job [data-action=longer]")
    expect(page.locator("#job")).to_have_attribute("data-status", "running")
    expect(button).to_be_hidden()
    puppet.finish(old)
    video(puppet.jobs.get(old).folder / "video.mp4", 72, size=(848, 480), fps=12)
    expect(button).to_have_text("Continue video")
    button.click()
    page.wait_for_url(re.compile(rf"job=(?!{old})\w+"))
    expect(page.locator("#job")).to_have_attribute("data-status", "queued")
    made = puppet.jobs.get(page.url.split("job=")[1])
    assert made.request.seconds == 12
    assert video_before(made) is not None
