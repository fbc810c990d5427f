"""What a job shows while it runs and when it has ended badly: nothing jumps, every button does what it says."""

import json
import re

import httpx
import pytest
from fanslymotion.messages import Message, codes
from fanslymotion.queue.types import Status
from fanslymotion.tests.browser.puppet import SAMPLE, Puppet
from fanslymotion.tests.browser.studio_page import findings, focused, of_language, shifts, with_shifts
from fanslymotion.tests.soak import soak
from fanslymotion.tests.studio import Studio, wait_for
from playwright.sync_api import Page, Route, expect

pytestmark = pytest.mark.browser

FROM_THE_END = "box.scrollHeight - box.scrollTop - box.clientHeight"
KILLED = Message(
    "the worker was killed by the system, whose memory had run out, 3 times at stage sampling (0.4 GB were free); "
    "the last lines of the worker:\nKilled",
    code=codes.KILLED_FOR_MEMORY,
)
DAMAGED = Message(
    "the job list was damaged; it was kept as {place} and a new one was made. Jobs in it: {jobs}; waiting: {waiting}; "
    "to be retried if still wanted, because nothing tells how they stood: {unknown}. Finished videos are still in "
    "{folder}",
    {"place": "old.db", "jobs": 3, "waiting": 1, "unknown": 2, "folder": "/home/jobs"},
)
NO_PHOTO = Message("the photo is gone", code=codes.BAD_PHOTO)
BROKEN = "[ERROR] it broke\nTraceback (most recent call last):\n  File one\nValueError: <b>no</b>"


def work(puppet: Puppet, job: str) -> None:
    """Some of everything that streams."""
    puppet.progress(job, stage="loading")
    puppet.say(job, "[INFO] Getting renderer")
    puppet.progress(job, stage="sampling", step=14, steps=25, window=1, windows=2, fraction=0.33, eta=100.0)
    puppet.measure(job, 97)
    puppet.preview(job, 1)
    for number in range(30):
        puppet.say(job, f"[DEBUG] line {number}", "DEBUG")
    puppet.progress(job, stage="decoding", step=3, steps=72, fraction=0.8, eta=20.0)
    puppet.measure(job, 50, "decoding")


@pytest.mark.parametrize("width", [1440, *soak(390, 1000)])
def test_nothing_jumps_while_it_streams(bare: Studio, page: Page, puppet: Puppet, width: int) -> None:
    with_shifts(page)
    page.set_viewport_size({"width": width, "height": 900})
    job = puppet.queue()
    page.goto(f"{bare.url}/?job={job}")
    expect(page.locator(".live span.now")).to_contain_text("number 1")
    page.locator("#job").scroll_into_view_if_needed()
    puppet.take()
    work(puppet, job)
    expect(page.locator(".stages .now")).to_have_text("Decoding & smoothing")
    expect(page.locator(".gauge-words")).to_contain_text("50 %")
    expect(page.locator(".frame .preview")).to_be_visible()
    assert [shift for shift in shifts(page) if shift[0] > 0.001] == []
    page.reload()
    expect(page.locator(".gauge-words")).to_contain_text("50 %")
    wait_for(lambda: page.locator(".log .lines").evaluate(f"box => {FROM_THE_END} < 24"))
    expect(page.locator(".frame .preview")).to_be_visible()
    expect(page.locator(".cost").first).not_to_be_empty()
    assert [shift for shift in shifts(page) if shift[0] > 0.001] == []


def test_what_is_loaded_is_named(bare: Studio, page: Page, puppet: Puppet) -> None:
    job = puppet.take()
    page.goto(f"{bare.url}/?job={job}")
    parts = {
        "libraries": "the libraries",
        "image_encoder": "the photo encoder",
        "vae": "the VAE",
        "unet": "the UNet, the largest part",
        "motion_encoder": "the model: motion encoder",  # another family's, for which the page has no words
    }
    for step, (part, name) in enumerate(parts.items()):
        puppet.progress(job, stage="loading", step=step, steps=5, part=part)
        expect(page.locator(".live span.now")).to_have_text(f"Loading {name} · {step + 1} of 5")
    puppet.progress(job, stage="conditioning", step=0, steps=0, part="")
    expect(page.locator(".live span.now")).to_have_text("Encoding the photo")


def test_a_phone_shows_the_job_before_the_form(bare: Studio, page: Page, puppet: Puppet) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{bare.url}/?job={puppet.take()}")
    expect(page.locator("#job .stages")).to_be_in_viewport()
    page.goto(bare.url)
    expect(page.locator("#form .drop[for=photo-file]")).to_be_in_viewport()


RECORD_SCROLLS = """() => {
  window.scrolls = [];
  const plain = Element.prototype.scrollIntoView;
  Element.prototype.scrollIntoView = function (how) { window.scrolls.push(how.behavior); plain.call(this, how); };
}"""


@pytest.mark.parametrize("way", ["Change and redo", *soak("Choose another photo", "Create")])
def test_a_phone_goes_from_the_job_to_the_form(bare: Studio, page: Page, puppet: Puppet, way: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    job = puppet.take()
    puppet.fail(job, NO_PHOTO)
    page.goto(f"{bare.url}/?job={job}")
    expect(page.locator(".failure")).to_be_visible()
    expect(page.locator("#form .resolution")).not_to_be_in_viewport()
    entries = page.evaluate("history.length")
    page.evaluate(RECORD_SCROLLS)
    link = page.locator("nav [data-go=create]")
    if way == "Choose another photo":
        with page.expect_file_chooser():
            page.locator(".failure").get_by_role("button", name=way).click()
    else:
        (link if way == "Create" else page.get_by_role("button", name=way)).click()
    expect(page.locator("#form .resolution")).to_be_in_viewport()
    assert page.evaluate("history.length") == entries, "the address is the same"
    assert set(page.evaluate("window.scrolls")) == {"auto"}, "no motion is wanted"


def test_the_start_page_does_not_jump(bare: Studio, page: Page) -> None:
    with_shifts(page)
    with page.expect_response("**/studio/doctor**"):
        page.goto(bare.url)
    expect(page.locator(".welcome-facts li")).to_have_count(3)
    expect(page.locator(".cost").first).not_to_be_empty()
    assert [shift for shift in shifts(page) if shift[0] > 0.001] == []


def test_the_doctor_is_asked_only_where_it_is_shown(bare: Studio, page: Page, puppet: Puppet) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{bare.url}/?job={puppet.take()}")
    expect(page.locator(".live h2")).to_be_visible()
    page.click("[data-go=gallery]")
    expect(page.locator("#view-gallery .nothing")).to_be_visible()
    assert not [url for url in asked if "doctor" in url]


def test_what_was_mended_is_not_called_broken_any_more(bare: Studio, page: Page) -> None:
    check = {"key": "disk", "name": "Disk", "title": "", "cause": "", "fix": ""}
    wrong = check | {"result": "warn", "detail": "full", "code": "FM-DISK-001"}
    well = check | {"result": "ok", "detail": "roomy", "code": ""}
    found = [wrong]
    page.route("**/studio/doctor?*", lambda route: route.fulfill(json={"result": "warn", "checks": found}))
    page.goto(bare.url)
    expect(page.locator(".welcome-facts")).to_contain_text("found 1 thing")
    page.click("nav [data-go=system]")
    expect(page.locator(".checks")).to_contain_text("full")
    page.click("nav [data-go=queue]")
    found[:] = [well]
    page.click("nav [data-go=system]")
    expect(page.locator(".checks")).to_contain_text("roomy")
    page.click("nav [data-go=create]")
    expect(page.locator(".welcome-facts")).to_contain_text("The doctor has found no problems.")
    page.unroute_all(behavior="wait")


def test_a_still_preview_for_who_wants_no_motion(bare: Studio, page: Page, puppet: Puppet) -> None:
    job = puppet.take()
    puppet.preview(job, 1, frames=3)
    page.goto(f"{bare.url}/?job={job}")
    expect(page.locator(".frame .preview")).to_have_attribute("src", re.compile("^data:image/png"))


def test_the_buttons_of_a_failure(bare: Studio, page: Page, puppet: Puppet) -> None:
    job = puppet.take(resolution="1080p")
    puppet.fail(job, KILLED)
    page.goto(f"{bare.url}/?job={job}")
    strong = page.locator(".failure .mend .strong")
    expect(strong).to_have_text("Retry at 720p")
    strong.click()
    expect(page.locator("#job")).to_have_attribute("data-status", "queued")
    expect(page.locator(".live .facts").first).to_contain_text("720p")

    puppet.fail(puppet.take(), NO_PHOTO)
    expect(page.locator(".failure .mend .strong")).to_have_text("Choose another photo")
    with page.expect_file_chooser() as chooser:
        page.locator(".failure .mend .strong").click()
    chooser.value.set_files(SAMPLE)
    expect(page.locator(".photos figure img")).to_be_visible()
    expect(page.locator("#form [name=resolution]:checked")).to_have_value("720p")


@pytest.mark.soak
def test_tried_again_twice_is_once(bare: Studio, page: Page, puppet: Puppet) -> None:
    puppet.fail(puppet.take(resolution="1080p"), KILLED)
    held: list[Route] = []
    page.route("**/retry", lambda route: held.append(route))
    page.goto(f"{bare.url}/?view=queue")
    smaller = page.locator(".unfinished [data-mend=retry_smaller]")
    smaller.click()
    expect(smaller).to_have_attribute("aria-busy", "true")
    smaller.click()
    wait_for(lambda: page.evaluate("1") and held)
    for route in held:
        route.continue_()
    expect(page.locator("#job")).to_have_attribute("data-status", "queued")
    assert len(held) == 1
    assert puppet.jobs.count(statuses=(Status.QUEUED,)) == 1


def test_failures_in_the_queue(bare: Studio, page: Page, puppet: Puppet) -> None:
    puppet.fail(puppet.take(resolution="1080p"), KILLED)
    of_language(page, "ru-RU")
    page.goto(f"{bare.url}/?view=queue")
    row = page.locator(".unfinished .job-row")
    expect(row.locator(".why")).to_have_text("Система завершила исполнителя: кончилась память")
    expect(row.locator(".mend button")).to_have_text(["Повторить в 720p", "Повторить"])
    assert findings(page) == []
    row.locator("[data-mend=retry]").click()
    expect(page.locator("#job")).to_have_attribute("data-status", "queued")
    expect(page.locator(".live .facts").first).to_contain_text("1080p")


@pytest.mark.soak
def test_all_unfinished_jobs_can_be_reached(bare: Studio, page: Page, puppet: Puppet) -> None:
    jobs = [puppet.queue() for _ in range(25)]
    for job in jobs:
        puppet.jobs.cancel(job)
    page.goto(f"{bare.url}/?view=queue")
    rows = page.locator(".unfinished .job-row")
    expect(rows).to_have_count(20)
    page.locator("#view-queue .more").click()
    expect(rows).to_have_count(25)
    expect(page.locator("#view-queue .more")).to_be_hidden()
    rows.nth(1).evaluate("row => { row.id = 'kept'; }")
    rows.first.locator("[aria-label^=Delete]").click()
    expect(rows).to_have_count(24)
    expect(rows.first).to_have_id("kept")  # it is not written anew


@pytest.mark.soak
def test_what_waits_behind_the_list_is_counted(bare: Studio, page: Page, puppet: Puppet) -> None:
    """The server tells the first jobs of a long line."""
    puppet.queue()
    state = httpx.get(f"{bare.url}/studio/machine").json() | {"unlisted": 1234}
    told = f"event: machine\ndata: {json.dumps(state)}\n\n"
    page.route("**/studio/events*", lambda route: route.fulfill(body=told, content_type="text/event-stream"))
    page.goto(f"{bare.url}/?view=queue")
    expect(page.locator("#queue-count")).to_have_text("1,235")
    expect(page.locator(".queue-behind")).to_have_text("1234 more jobs wait behind these.")
    page.unroute_all(behavior="ignoreErrors")
    page.reload()
    expect(page.locator("#queue-count")).to_have_text("1")
    expect(page.locator(".queue-behind")).to_be_hidden()


def test_moving_keeps_the_focus(bare: Studio, page: Page, puppet: Puppet) -> None:
    jobs = [puppet.queue(name=f"{name}.jpg") for name in "abc"]
    page.goto(f"{bare.url}/?view=queue")
    focused(page.locator(f"[data-id='{jobs[2]}'] [data-act=up]"))
    named = "document.activeElement.ariaLabel"
    for place, expected in (("2", "Move up: c.jpg"), ("1", "Move down: c.jpg")):
        page.keyboard.press("Enter")
        expect(page.locator(f"[data-id='{jobs[2]}'] .place")).to_have_text(place)
        wait_for(lambda expected=expected: page.evaluate(named) == expected)


@pytest.mark.soak
def test_quick_moves_add_up(bare: Studio, page: Page, puppet: Puppet) -> None:
    """The state that the page knows is older than the clicks."""
    jobs = [puppet.queue(name=f"{name}.jpg") for name in "abcde"]
    page.goto(f"{bare.url}/?view=queue")
    expect(page.locator("#queue-count")).to_have_text("5")
    held: list[Route] = []
    page.route("**/move", lambda route: held.append(route) if not held else route.continue_())
    up = page.locator(f"[data-id='{jobs[4]}'] [data-act=up]")
    for _ in range(3):
        up.click()
    wait_for(lambda: page.evaluate("1") and held)
    held[0].continue_()
    expect(page.locator(f"[data-id='{jobs[4]}'] .place")).to_have_text("2")
    page.locator(f"[data-id='{jobs[3]}'] [data-act=top]").click()
    expect(page.locator(f"[data-id='{jobs[3]}'] .place")).to_have_text("1")
    order = [job.id for job in puppet.jobs.list()]
    assert order == [jobs[at] for at in (3, 0, 4, 1, 2)]


def test_a_paused_queue_is_said(bare: Studio, page: Page, puppet: Puppet) -> None:
    puppet.jobs.pause()
    try:
        job = puppet.queue()
        page.goto(f"{bare.url}/?job={job}")
        words, pill = page.locator(".live span.now"), page.locator("#worker span")
        expect(words).to_have_text("Paused, number 1 in the queue")
        assert findings(page) == []
        expect(pill).to_have_text("Paused · No worker")
        page.click("#language")
        expect(words).to_have_text("Пауза, номер 1 в очереди")
        page.click("#language")
        beside = page.locator(".line-now").get_by_role("button", name="Resume")
        beside.click()
        expect(words).to_have_text("Waiting, number 1 in the queue")
        expect(beside).to_be_hidden()
        puppet.jobs.pause()
        expect(words).to_have_text("Paused, number 1 in the queue")
        expect(page).to_have_title(re.compile("^paused · "))
        page.locator("#resume").click()
        expect(words).to_have_text("Waiting, number 1 in the queue")
        expect(page.locator("#resume")).to_be_hidden()
        page.click("nav [data-go=queue]")
        puppet.jobs.pause()
        expect(page.locator("#view-queue .jobs .quiet")).to_have_text("Paused")
        expect(page.locator(".paused-note")).to_have_text("Paused")
        page.locator("#pause").click()
        expect(page.locator("#view-queue .jobs .quiet")).to_have_text("")
        expect(pill).to_have_text("No worker")
        expect(page.locator(".live span.now")).to_have_text("Waiting, number 1 in the queue")
    finally:
        puppet.jobs.resume()


def test_a_notice_is_shown_until_it_is_put_away(bare: Studio, page: Page, puppet: Puppet) -> None:
    puppet.say_everybody(DAMAGED)
    job = puppet.take()
    page.goto(bare.url)
    notice = page.locator("#notice")
    expect(notice).to_contain_text("the job list was damaged")
    page.click("#language")
    expect(notice).to_contain_text("список заданий был повреждён; он отложен как old.db")
    page.click("#language")
    away = notice.get_by_label("Dismiss")
    focused(away)
    away.evaluate("button => (button.id = 'same')")
    page.click("nav [data-go=queue]")
    focused(away)
    puppet.progress(job, stage="sampling", fraction=0.5)
    expect(page.locator("#view-queue .jobs .quiet")).to_contain_text("50 %")
    assert page.evaluate("document.activeElement.id") == "same", "it is not written anew with every state"
    away.click()
    expect(notice).to_be_hidden()
    assert puppet.jobs.notice == "", "for everybody and the doctor"
    page.reload()
    expect(page.locator("#worker span")).not_to_be_empty()
    expect(notice).to_be_hidden()


def test_the_tools_of_the_log(bare: Studio, page: Page, puppet: Puppet) -> None:
    job = puppet.take()
    puppet.say(job, "[DEBUG] a detail", "DEBUG")
    puppet.say(job, "[INFO] Getting renderer")
    puppet.say(job, BROKEN, "ERROR")
    puppet.say(job, "[CRITICAL] all is lost", "CRITICAL")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{bare.url}/?job={job}")
    lines = page.locator(".log .line:visible > span")
    expect(lines).to_have_count(4)
    page.get_by_label("Level").select_option("ERROR")
    expect(lines).to_have_text(["[ERROR] it broke", "[CRITICAL] all is lost"])
    page.get_by_label("Search", exact=True).fill("BROKE")
    expect(lines).to_have_count(1)
    trace = page.locator(".log .line.error details")
    expect(trace.locator("summary")).to_have_text("Traceback")
    expect(trace.locator("pre")).to_be_hidden()
    trace.locator("summary").click()
    expect(trace.locator("pre")).to_contain_text("ValueError: <b>no</b>")

    page.get_by_label("Copy the log").click()
    expect(page.locator("#toasts")).to_contain_text("Log copied")
    assert page.evaluate("navigator.clipboard.readText()") == BROKEN
    page.evaluate(
        "navigator.clipboard.writeText('') && Object.defineProperty(navigator, 'clipboard', { value: undefined })"
    )
    page.get_by_label("Copy the log").click()  # as on http://192.168…
    expect(page.locator("#toasts .toast", has_text="Log copied")).to_have_count(2)

    with page.expect_download() as download:
        page.get_by_label("Download the log").click()
    assert download.value.suggested_filename == f"fanslymotion-{job}.log"
    assert download.value.path().read_text(encoding="utf-8") == httpx.get(f"{bare.url}/studio/jobs/{job}/log").text


@pytest.mark.parametrize(("width", "height"), [(390, 844), *soak((2560, 1440))])
def test_fits_the_screen_in_russian(bare: Studio, page: Page, puppet: Puppet, width: int, height: int) -> None:
    job = puppet.take(resolution="1080p")
    work(puppet, job)
    of_language(page, "ru-RU")
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme="dark")
    page.goto(f"{bare.url}/?job={job}")
    expect(page.locator("#generate")).to_contain_text("Создать видео")
    expect(page.locator(".gauge-words")).to_contain_text("50 %")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("#job").evaluate("box => box.scrollWidth <= box.clientWidth")
    assert findings(page) == []
    puppet.fail(job, KILLED)
    expect(page.locator(".failure h3")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert findings(page) == []
