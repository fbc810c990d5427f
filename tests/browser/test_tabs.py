"""Tabs in front and behind, one stream for all of them; where one goes, the job comes along."""

import re

import pytest
from fanslymotion.tests.browser.puppet import Puppet
from fanslymotion.tests.browser.studio_page import hide, log_lines, open_streams, with_curtain
from fanslymotion.tests.studio import Studio, wait_for
from playwright.sync_api import BrowserContext, Page, Route, expect

pytestmark = pytest.mark.browser


def test_hidden_tabs_hold_no_stream_and_catch_up(bare: Studio, context: BrowserContext, puppet: Puppet) -> None:
    job = puppet.take()
    tabs = [context.new_page() for _ in range(3)]
    for tab in tabs:
        with_curtain(tab)
        tab.goto(f"{bare.url}/?job={job}")
        expect(tab.locator(".live h2")).to_have_text("sample.jpg")
        if tab is not tabs[-1]:
            hide(tab)
    wait_for(lambda: open_streams(*tabs) == 1)
    puppet.say(job, "[INFO] said behind the curtain")
    expect(tabs[-1].locator(".log .line").last).to_contain_text("said behind the curtain")
    assert not any("behind" in line for line in log_lines(tabs[0]))
    hide(tabs[-1])
    hide(tabs[0], False)
    expect(tabs[0].locator(".log .line").last).to_contain_text("said behind the curtain")
    assert len([line for line in log_lines(tabs[0]) if "behind" in line]) == 1
    assert open_streams(*tabs) == 1


@pytest.mark.soak
def test_a_tab_hidden_while_it_asks_why_takes_no_stream(bare: Studio, page: Page) -> None:
    """The answer to "why was my stream refused?" comes after the tab was hidden."""
    held: list[Route] = []
    with_curtain(page)
    page.route("**/studio/events*", lambda route: route.fulfill(status=503, body="{}"))
    free: list[bool] = []
    page.route("**/studio/machine", lambda route: route.continue_() if free else held.append(route))
    page.goto(bare.url)
    wait_for(lambda: page.evaluate("1") and held)
    hide(page)
    free.append(True)
    with page.expect_request("**/studio/machine"):  # it goes on asking, as hidden tabs do
        held[0].continue_()
    assert open_streams(page) == 0
    page.unroute("**/studio/events*")
    hide(page, False)
    wait_for(lambda: open_streams(page) == 1)
    expect(page.locator("#worker span")).not_to_be_empty()


def test_the_job_comes_along(bare: Studio, page: Page, puppet: Puppet) -> None:
    job = puppet.take()
    page.goto(f"{bare.url}/?job={job}")
    puppet.progress(job, stage="sampling", step=1, steps=4, fraction=0.25)
    wait_for(lambda: page.title().startswith("25"))
    page.click("[data-go=gallery]")
    puppet.progress(job, step=2, fraction=0.5)
    wait_for(lambda: page.title().startswith("50"))
    assert page.url.endswith(f"/?view=gallery&job={job}")
    page.locator("nav [data-go=create]").click()
    expect(page.locator(".live h2")).to_be_visible()
    expect(page.locator(".live [role=progressbar]")).to_have_attribute("aria-valuenow", "50")
    page.click(".brand")
    expect(page.locator(".empty")).to_be_visible()
    assert page.url == f"{bare.url}/"


def test_the_preview_is_the_jobs_own(bare: Studio, moving: Page, puppet: Puppet) -> None:
    """One goes away and comes back at the same preview; what loads late for one job is not shown for the other."""
    page = moving
    first, second = puppet.take(), puppet.take()
    puppet.preview(first, 1)
    held: list[Route] = []
    free: list[bool] = []
    page.route(re.compile(f"{first}/preview"), lambda route: route.continue_() if free else held.append(route))
    page.goto(f"{bare.url}/?job={first}")
    wait_for(lambda: page.evaluate("1") and held)
    page.click("[data-go=queue]")
    page.locator(f"[data-id='{second}'] .name").click()
    expect(page.locator(".live h2")).to_be_visible()
    free.append(True)
    with page.expect_response(re.compile(f"{first}/preview")):
        held.pop().continue_()
    shown = page.locator(".frame .preview")
    expect(shown).to_be_hidden()
    page.go_back()
    page.go_back()
    expect(shown).to_have_attribute("src", re.compile(f"{first}/preview"))
    page.click("[data-go=queue]")
    page.locator(f"[data-id='{second}'] .name").click()
    expect(shown).to_be_hidden()
    page.click("[data-go=queue]")
    page.locator(f"[data-id='{first}'] .name").click()
    expect(shown).to_have_attribute("src", re.compile(f"{first}/preview"))
    expect(shown).to_be_visible()


def test_each_preview_takes_the_last_ones_place(bare: Studio, moving: Page, puppet: Puppet) -> None:
    job = puppet.take()
    moving.goto(f"{bare.url}/?job={job}")
    shown = moving.locator(".frame .preview")
    for version in (1, 2, 3):
        puppet.preview(job, version)
        expect(shown).to_have_attribute("src", re.compile(rf"{job}/preview\?v={version}$"))
        expect(shown).to_be_visible()


NOTES = """
  window.notes = [];
  window.Notification = class { constructor(title, options) { window.notes.push([title, options.body]); } close() {} };
  window.Notification.permission = "granted";
  window.Notification.requestPermission = async () => "granted";
  window.beeps = 0;
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function () { window.beeps += 1; start.call(this); };
"""


@pytest.mark.soak
def test_every_end_is_told_to_who_asked_for_it(bare: Studio, page: Page, puppet: Puppet) -> None:
    shown, other = puppet.take(), puppet.take(name="another.jpg")
    with_curtain(page)
    page.add_init_script(NOTES)
    page.goto(f"{bare.url}/?job={shown}")
    expect(page.locator("#sound")).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#notify")).to_have_attribute("aria-pressed", "false")
    page.click("#notify")
    expect(page.locator("#notify")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#queue-count")).to_have_text("2")
    page.click("[data-go=gallery]")
    hide(page)
    puppet.fail(other, "the disk was full")
    first = ["fanslymotion", "You will be told when a video is done."]
    wait_for(lambda: page.evaluate("window.notes") == [first, ["Your video could not be made", "another.jpg"]])
    assert page.evaluate("window.beeps") == 0, "the sound has its own switch"
    hide(page, False)
    page.click("#sound")
    assert page.evaluate("window.beeps") == 1, "so that one knows it"
    page.route(f"**/studio/jobs/{shown}", lambda route: route.abort(), times=1)
    with page.expect_event("requestfailed"):
        puppet.fail(shown, "the disk was full")
    puppet.take()
    wait_for(lambda: page.evaluate("window.beeps") == 2)  # asked for again
    assert len(page.evaluate("window.notes")) == 2, "nobody is notified of what they see"
    expect(page.locator("#said")).to_have_text("sample.jpg: failed")


NO_NOTES = """
  window.Notification = class { constructor() { throw new TypeError("Illegal constructor"); } };
  window.Notification.permission = "granted";
  window.Notification.requestPermission = async () => "granted";
  window.beeps = 0;
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function () { window.beeps += 1; start.call(this); };
  window.finished = 0;
  const close = AudioContext.prototype.close;
  AudioContext.prototype.close = function () { window.finished += 1; return close.call(this); };
"""


@pytest.mark.soak
def test_a_browser_that_shows_no_notifications(bare: Studio, page: Page, puppet: Puppet) -> None:
    """As on Android: the permission is given and the constructor throws."""
    jobs = [puppet.take(name=name) for name in ("a.jpg", "b.jpg")]
    with_curtain(page)
    page.add_init_script(NO_NOTES)
    page.goto(bare.url)
    expect(page.locator("#queue-count")).to_have_text("2")
    page.click("#notify")
    expect(page.locator("#toasts .error")).to_have_text("This browser does not allow notifications here.")
    expect(page.locator("#notify")).to_have_attribute("aria-pressed", "false")
    remembered = "for (const key of ['notify', 'sound']) localStorage.setItem(`fanslymotion.${key}`, true)"
    page.evaluate(remembered)  # from before the browser was as it is
    page.reload()
    expect(page.locator("#queue-count")).to_have_text("2")
    hide(page)
    for job in jobs:
        puppet.fail(job, "the disk was full")
    wait_for(lambda: page.evaluate("window.beeps") == 2)
    wait_for(lambda: page.evaluate("window.finished") == 2)
