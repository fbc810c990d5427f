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


@pytest.mark.soak
def test_the_queue_tells_the_length_of_the_whole(bare: Studio, page: Page, puppet: Puppet) -> None:
    old = puppet.take(seconds=6)
    puppet.finish(old)
    video(puppet.jobs.get(old).folder / "video.mp4", 72, size=(848, 480), fps=12)
    made = puppet.jobs.continue_video(old)
    alone = puppet.jobs.continue_video(old, joined=False)
    page.goto(f"{bare.url}/?view=queue")
    facts = {job.id: page.locator(f".job-row[data-id='{job.id}'] .facts") for job in (made, alone)}
    expect(facts[made.id]).to_contain_text("· 12 s ·")
    expect(facts[alone.id]).to_contain_text("· 6 s ·")
    puppet.jobs.cancel(made.id)
    unfinished = page.locator(".unfinished .facts", has_text="Cancelled")
    expect(unfinished).to_contain_text("· 12 s ·")
