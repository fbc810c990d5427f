"""Fifty a day: several selected at once, the next video by a key, the place kept, when waiting jobs begin."""

import io
import zipfile
from pathlib import Path

import pytest
from fanslymotion.queue.types import Status
from fanslymotion.tests.browser.puppet import SAMPLE, Puppet
from fanslymotion.tests.browser.studio_page import choose_photo, focused
from fanslymotion.tests.studio import Studio, wait_for
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser


def finish(puppet: Puppet, count: int) -> list[str]:
    """Videos without frames; the newest first."""
    made = []
    for number in range(count):
        made.append(puppet.take(name=f"photo {number}.jpg"))
        puppet.finish(made[-1])
    return made[::-1]


def boxes(page: Page) -> Locator:
    return page.locator(".select-box")


def chosen(page: Page) -> list[str]:
    return page.locator(".tile.selected").evaluate_all("tiles => tiles.map(tile => tile.dataset.id)")


def test_several_videos_are_saved_marked_and_deleted(bare: Studio, page: Page, puppet: Puppet) -> None:
    jobs = finish(puppet, 5)
    page.goto(f"{bare.url}/?view=gallery")
    expect(page.locator(".list-head .total")).to_have_text("5")
    bar = page.locator("#view-gallery .selection-bar")
    expect(bar).to_be_hidden()
    page.locator(".tile").nth(1).hover()
    boxes(page).nth(1).click()
    page.locator(".tile").nth(3).hover()
    boxes(page).nth(3).click(modifiers=["Shift"])
    assert chosen(page) == jobs[1:4]
    expect(bar).to_contain_text("3 selected")
    expect(bar.locator("[data-many=compare]")).to_be_hidden()
    with page.expect_download() as saved:
        bar.locator("[data-many=zip]").click()
    with zipfile.ZipFile(io.BytesIO(Path(saved.value.path()).read_bytes())) as archive:
        assert [name.rpartition("-")[2] for name in archive.namelist()] == [f"{job}.mp4" for job in jobs[1:4]]
    bar.locator("[data-many=favourite]").click()
    wait_for(lambda: [puppet.jobs.get(job).favourite for job in jobs] == [False, True, True, True, False])
    expect(page.locator(".tile .star[aria-pressed=true]")).to_have_count(3)
    focused(boxes(page).nth(2))
    page.keyboard.press("Space")
    assert chosen(page) == [jobs[1], jobs[3]]
    focused(boxes(page).nth(4))
    page.keyboard.press("Shift+Space")
    assert chosen(page) == jobs[1:]
    for at in (4, 2):
        boxes(page).nth(at).click()
    expect(bar.locator("[data-many=compare]")).to_be_visible()
    page.keyboard.press("Delete")
    expect(page.locator(".tile:visible")).to_have_count(3)
    expect(page.locator(".list-head .total")).to_have_text("3")
    expect(bar).to_be_hidden()
    page.locator("#toasts .link").click()
    expect(page.locator(".tile:visible")).to_have_count(5)
    page.keyboard.press("Control+a")
    expect(bar).to_contain_text("5 selected")
    page.keyboard.press("Escape")
    expect(bar).to_be_hidden()
    page.keyboard.press("Control+a")
    bar.locator("[data-many=delete]").click()
    expect(page.locator("#toasts")).to_contain_text("5 videos are deleted.")
    page.evaluate("window.dispatchEvent(new Event('pagehide'))")  # leaving means it
    wait_for(lambda: puppet.jobs.list() == [])
    expect(page.locator("#view-gallery .nothing")).to_be_visible()


def test_waiting_jobs_are_cancelled_and_deleted_together(bare: Studio, page: Page, puppet: Puppet) -> None:
    jobs = [puppet.queue(name=f"photo {number}.jpg") for number in range(4)]
    page.goto(f"{bare.url}/?view=queue")
    expect(page.locator(".job-row[data-id]")).to_have_count(4)
    bar = page.locator("#view-queue .selection-bar")
    boxes(page).nth(0).click()
    boxes(page).nth(2).click(modifiers=["Shift"])
    expect(bar).to_contain_text("3 selected")
    expect(bar.locator("[data-many=delete]")).to_be_hidden()
    bar.locator("[data-many=cancel]").click()
    expect(page.locator(".job-row.cancelled")).to_have_count(3)
    expect(page.locator(".job-row[data-id]")).to_have_count(1)
    assert puppet.jobs.get(jobs[3]).status is Status.QUEUED
    page.keyboard.press("Control+a")
    expect(bar).to_contain_text("4 selected")
    bar.locator("[data-many=delete]").click()
    expect(page.locator(".job-row.cancelled")).to_have_count(0)
    expect(page.locator("#toasts")).to_contain_text("3 jobs are deleted.")
    page.locator("#toasts .link").click()
    expect(page.locator(".job-row.cancelled")).to_have_count(3)
    expect(page.locator(".job-row.cancelled [aria-label^=Delete]").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".job-row.cancelled")).to_have_count(2)
    page.click("#language")  # a list that is written anew brings nothing back
    expect(page.locator("#view-queue h2").first).to_have_text("Очередь")
    expect(page.locator(".job-row.cancelled")).to_have_count(2)
    page.click("#language")
    page.keyboard.press("Control+a")
    bar.locator("[data-many=delete]").click()
    assert len(puppet.jobs.list()) == 4
    page.evaluate("window.dispatchEvent(new Event('pagehide'))")  # leaving means it
    wait_for(lambda: [job.id for job in puppet.jobs.list()] == [jobs[3]])
    expect(bar).to_contain_text("1 selected")


@pytest.mark.soak
def test_arrows_lead_through_the_gallery_and_escape_back_to_its_place(bare: Studio, page: Page, puppet: Puppet) -> None:
    jobs = finish(puppet, 30)
    page.set_viewport_size({"width": 1000, "height": 700})
    page.goto(f"{bare.url}/?view=gallery")
    expect(page.locator(".tile")).to_have_count(24)
    page.locator("#view-gallery .more").scroll_into_view_if_needed()
    expect(page.locator(".tile")).to_have_count(30)
    page.locator(".tile .cover").nth(20).hover()
    place = page.evaluate("scrollY")
    assert place > 300
    page.locator(".tile .cover").nth(20).click()
    expect(page).to_have_url(f"{bare.url}/?job={jobs[20]}")
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(f"{bare.url}/?job={jobs[21]}")
    expect(page.locator(".live h2")).to_have_text("photo 8.jpg")
    for at in (20, 19):
        page.keyboard.press("ArrowLeft")
        expect(page).to_have_url(f"{bare.url}/?job={jobs[at]}")
    page.keyboard.press("Escape")
    expect(page.locator(".tile").first).to_be_attached()
    wait_for(lambda: abs(page.evaluate("scrollY") - place) < 40)
    page.go_back()
    expect(page).to_have_url(f"{bare.url}/?job={jobs[19]}")
    page.go_back()  # past all that the arrows have shown
    expect(page.locator("#view-gallery")).to_be_visible()
    wait_for(lambda: abs(page.evaluate("scrollY") - place) < 40)


@pytest.mark.soak
def test_a_video_that_was_opened_by_its_address_has_neighbours_too(bare: Studio, page: Page, puppet: Puppet) -> None:
    jobs = finish(puppet, 3)
    page.goto(f"{bare.url}/?job={jobs[1]}")
    expect(page.locator("#job")).to_have_attribute("data-status", "done")
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(f"{bare.url}/?job={jobs[2]}")
    page.keyboard.press("ArrowRight")  # there is none
    focused(page.locator("[data-action=download]"))
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(f"{bare.url}/?job={jobs[1]}")
    page.locator("details.advanced summary").click()
    page.locator("#f-seed").fill("12")
    page.keyboard.press("ArrowLeft")  # a field's own
    expect(page).to_have_url(f"{bare.url}/?job={jobs[1]}")


def test_a_video_is_marked_and_deleted_on_its_own_page(bare: Studio, page: Page, puppet: Puppet) -> None:
    jobs = finish(puppet, 2)
    page.goto(f"{bare.url}/?job={jobs[0]}")
    star = page.locator("#job [data-action=favourite]")
    star.click()
    expect(star).to_have_attribute("aria-pressed", "true")
    assert puppet.jobs.get(jobs[0]).favourite
    page.click("#job [data-action=delete]")
    expect(page).to_have_url(f"{bare.url}/?view=gallery")
    expect(page.locator(".tile:visible")).to_have_count(1)
    page.locator("#toasts .link").click()
    expect(page.locator(".tile:visible")).to_have_count(2)
    expect(page.locator(f".tile[data-id='{jobs[0]}'] .star")).to_have_attribute("aria-pressed", "true")


def test_the_sheet_of_keys(bare: Studio, page: Page) -> None:
    page.goto(bare.url)
    expect(page.locator("#worker span")).not_to_be_empty()
    page.keyboard.press("?")
    sheet = page.locator("dialog.keys")
    expect(sheet).to_contain_text("Play or pause")
    page.keyboard.press("?")
    expect(sheet).to_have_count(0)
    focused(page.locator("#theme")).press("?")
    page.keyboard.press("Control+Enter")  # of what is behind it
    expect(page.locator("#form .problem").first).to_be_hidden()
    sheet.locator("button").click()
    expect(sheet).to_have_count(0)
    expect(page.locator("#theme")).to_be_focused()
    page.click("#language")
    expect(page.locator("#language")).to_have_text("EN")
    page.keyboard.press("?")
    expect(sheet).to_contain_text("Играть или пауза")
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    page.locator("details.advanced summary").click()
    focused(page.locator("#f-seed")).press("?")
    expect(sheet).to_have_count(0)


def test_a_double_click_removes_one_row(bare: Studio, page: Page, puppet: Puppet) -> None:
    """The second click of it hits the row that has taken the place of the first."""

    def twice(rows: Locator, button: str, count: int) -> None:
        expect(rows).to_have_count(count)
        place = rows.first.locator(button).bounding_box()
        assert place is not None
        middle = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
        page.mouse.click(*middle)
        expect(rows).to_have_count(count - 1)
        page.mouse.move(*middle)
        page.mouse.down(click_count=2)
        page.mouse.up(click_count=2)

    done = finish(puppet, 3)
    for name in "abc":
        puppet.queue(name=f"{name}.jpg")
    page.goto(f"{bare.url}/?view=queue")
    waiting = page.locator(".job-row[data-id]")
    twice(waiting, "[data-act=cancel]", 3)
    page.locator("[data-act=cancel]").last.click()
    expect(waiting).to_have_count(1)
    assert puppet.jobs.count(statuses=(Status.QUEUED,)) == 1
    twice(page.locator(".unfinished .job-row"), "[aria-label^=Delete]", 2)
    page.click("nav [data-go=gallery]")
    twice(page.locator(".tile:visible"), "[aria-label^=Delete]", 3)
    expect(page.locator("#toasts .link")).to_have_count(2)
    page.evaluate("window.dispatchEvent(new Event('pagehide'))")
    wait_for(lambda: puppet.jobs.count(statuses=(Status.DONE, Status.CANCELLED)) == len(done))
    assert puppet.jobs.count(statuses=(Status.CANCELLED,)) == 1


@pytest.mark.soak
def test_what_can_be_undone_waits_while_one_looks_at_it(bare: Studio, page: Page, puppet: Puppet) -> None:
    finish(puppet, 2)
    page.clock.install()
    page.goto(f"{bare.url}/?view=gallery")
    for count, box in ((1, None), (0, page.locator("#toasts .link"))):
        page.locator(".tile:visible").first.hover()
        page.locator(".tile:visible [aria-label^=Delete]").first.click()
        expect(page.locator(".tile:visible")).to_have_count(count)
        if box is not None:
            focused(box.last)
        else:
            page.locator(".toast").hover()
        page.clock.run_for(30_000)
        expect(page.locator("#toasts .link")).to_have_count(1)
        assert puppet.jobs.count() == count + 1
        page.mouse.move(5, 5)
        page.locator("#main").focus()
        page.clock.run_for(8_000)
        expect(page.locator("#toasts .link")).to_have_count(0)
        wait_for(lambda count=count: puppet.jobs.count() == count)


def test_how_long_a_batch_takes_is_said_before_it(bare: Studio, page: Page) -> None:
    page.goto(bare.url)
    choose_photo(page, SAMPLE)
    device = page.locator(".cost-line").first
    expect(device).not_to_be_empty()
    expect(device).not_to_contain_text("together")
    page.locator(".takes label").last.click()
    expect(device).to_contain_text("All 4 videos together take about")
    assert device.evaluate("line => line.scrollWidth <= line.clientWidth"), "all of it is seen"
    page.click("#language")
    expect(device).to_contain_text("Все 4 видео вместе займут")
    assert device.evaluate("line => line.scrollWidth <= line.clientWidth"), "all of it is seen"
