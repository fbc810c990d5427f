"""What the gallery knows and what it does not: requests that fail, videos that come while it is open."""

import pytest
from fanslymotion.tests.browser.puppet import Puppet
from fanslymotion.tests.studio import Studio
from playwright.sync_api import Page, Route, expect

pytestmark = pytest.mark.browser

EMPTY = "No videos here yet."


def refuse(route: Route) -> None:
    route.fulfill(status=503, json={"error": "the store does not answer"})


def test_what_could_not_be_asked_is_not_called_empty(bare: Studio, page: Page, puppet: Puppet) -> None:
    puppet.finish(puppet.take())
    page.route("**/studio/jobs?*", refuse)
    page.goto(f"{bare.url}/?view=gallery")
    expect(page.locator("#toasts .error")).to_have_text("the store does not answer")
    nothing, again = page.locator("#view-gallery .nothing"), page.locator("#view-gallery .more")
    expect(again).to_have_text("Try again")
    expect(nothing).to_be_hidden()
    page.unroute_all(behavior="wait")
    again.click()
    expect(page.locator(".tile")).to_have_count(1)
    expect(again).to_be_hidden()


@pytest.mark.soak
def test_a_page_that_fails_does_not_end_the_list(bare: Studio, page: Page, puppet: Puppet) -> None:
    for _ in range(26):
        puppet.finish(puppet.take())
    page.route("**/studio/jobs?*after=1*", refuse)
    page.set_viewport_size({"width": 1440, "height": 600})
    page.goto(f"{bare.url}/?view=gallery")
    expect(page.locator(".tile")).to_have_count(24)
    more = page.locator("#view-gallery .more")
    more.scroll_into_view_if_needed()
    expect(more).to_have_text("Try again")
    page.unroute_all(behavior="wait")
    more.click()
    expect(page.locator(".tile")).to_have_count(26)
    expect(more).to_be_hidden()


def test_a_video_that_ends_meanwhile_comes_by_itself(bare: Studio, page: Page, puppet: Puppet) -> None:
    puppet.finish(puppet.take())
    job = puppet.take()
    page.goto(f"{bare.url}/?view=gallery")
    expect(page.locator(".tile")).to_have_count(1)
    expect(page.locator("#queue-count")).to_have_text("1")
    page.locator(".tile").first.evaluate("tile => (tile.id = 'old')")
    puppet.finish(job)
    expect(page.locator(".tile")).to_have_count(2)
    expect(page.locator(".tile .cover").first).to_have_attribute("href", f"./?job={job}")
    expect(page.locator("#old")).to_have_count(1)  # what was there stays as it is


@pytest.mark.parametrize(("view", "row"), [("gallery", ".tile"), ("queue", ".unfinished > li")])
def test_a_job_that_ended_is_asked_for_again_when_the_first_question_failed(
    bare: Studio, page: Page, puppet: Puppet, view: str, row: str
) -> None:
    def end(job: str) -> None:
        puppet.finish(job) if view == "gallery" else puppet.fail(job, "the disk was full")

    end(puppet.take())
    job = puppet.take()
    page.goto(f"{bare.url}/?view={view}")
    expect(page.locator(row)).to_have_count(1)
    expect(page.locator("#queue-count")).to_have_text("1")
    page.route("**/studio/jobs?*", lambda route: route.abort(), times=1)
    with page.expect_event("requestfailed"):
        end(job)
    puppet.take()
    expect(page.locator(row)).to_have_count(2)


def test_nothing_is_called_empty_before_it_is_known(bare: Studio, page: Page, puppet: Puppet) -> None:
    page.route("**/studio/events*", lambda route: None)
    page.goto(f"{bare.url}/?view=queue")
    expect(page.locator("#view-queue h2").first).to_have_text("Queue")
    expect(page.locator("#view-queue .nothing")).to_be_hidden()
    page.unroute_all()
