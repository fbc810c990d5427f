"""A finished job: how it was made is folded; what this browser cannot play is said, with what to do."""

import re

import pytest
from fanslymotion.tests.browser.puppet import Puppet
from fanslymotion.tests.studio import Studio
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

LOG, COURSE = ".log .lines", ".progress .course"


def test_stages_graph_and_log_fold_when_it_is_done(bare: Studio, page: Page, puppet: Puppet) -> None:
    job = puppet.take()
    page.goto(f"{bare.url}/?job={job}")
    puppet.say(job, "[INFO] Getting renderer")
    puppet.measure(job, 80)
    for part in (LOG, COURSE, ".gauge", ".stages"):
        expect(page.locator(part)).to_be_visible()
    summary = page.locator(".progress > summary")
    expect(summary).to_be_hidden()
    puppet.film(job)
    expect(summary).to_have_text(re.compile("^Done in"))
    for part in (LOG, COURSE, ".gauge", ".stages"):
        expect(page.locator(part)).to_be_hidden()
    summary.click()
    page.locator(".log > summary").click()
    for part in (LOG, COURSE, ".gauge", ".stages"):
        expect(page.locator(part)).to_be_visible()
    page.reload()
    expect(page.locator(LOG)).to_be_hidden()
    other = puppet.take()
    page.goto(f"{bare.url}/?job={other}")
    expect(page.locator(LOG)).to_be_visible()  # what was opened or folded there is not a choice for those that run
    puppet.fail(other, "the disk was full")
    expect(page.locator("#job")).to_have_attribute("data-status", "failed")
    expect(page.locator(LOG)).to_be_visible()


@pytest.mark.soak
def test_a_log_that_was_folded_while_it_ran_stays_folded(bare: Studio, page: Page, puppet: Puppet) -> None:
    page.goto(f"{bare.url}/?job={puppet.take()}")
    page.locator(".log > summary").click()
    expect(page.locator(LOG)).to_be_hidden()
    page.goto(f"{bare.url}/?job={puppet.take()}")
    expect(page.locator("#job")).to_have_attribute("data-status", "running")
    expect(page.locator(LOG)).to_be_hidden()


LACKS_H264 = """
  const set = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "src").set;
  Object.defineProperty(HTMLMediaElement.prototype, "src", {
    get() { return this.getAttribute("src") ?? ""; },
    set(address) {
      set.call(this, address);
      if (address.endsWith("/video")) setTimeout(() => this.dispatchEvent(new Event("error")));
    },
  });
"""


@pytest.mark.soak
def test_a_browser_without_h264_gets_a_copy_that_it_plays(bare: Studio, page: Page, puppet: Puppet) -> None:
    job = puppet.take()
    puppet.film(job)
    page.add_init_script(LACKS_H264)
    page.goto(f"{bare.url}/?job={job}")
    said = page.locator("[data-said=unplayable]")
    expect(said).to_contain_text("This browser cannot play the video")
    said.get_by_text("Make a copy that plays here").click()
    expect(page.locator(".frame video")).to_be_visible()
    expect(said).to_be_hidden()
    page.wait_for_function("document.querySelector('.frame video').readyState >= 2")
    assert page.locator(".frame video").get_attribute("src") == f"/studio/jobs/{job}/exports/video.webm/file"
    puppet.jobs.set_favourite(job, True)
    expect(page.locator("#job [data-action=favourite]")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".frame video")).to_be_visible()  # a new state does not take it away
