"""What has been made, and what failed: looked at, deleted, tried again, made once more."""

import re

import httpx
import pytest
from fanslymotion.messages import Message, codes
from fanslymotion.tests.browser.puppet import SAMPLE, Puppet
from fanslymotion.tests.browser.studio_page import choose_photo
from fanslymotion.tests.studio import Studio, wait_for
from playwright.sync_api import Page, Route, expect

pytestmark = pytest.mark.browser


@pytest.fixture
def finished(puppet: Puppet) -> str:
    """A video of three steps."""
    job = puppet.take(steps=3)
    puppet.film(job)
    return job


def test_gallery_plays_deletes_and_gives_back(bare: Studio, moving: Page, puppet: Puppet, finished: str) -> None:
    page, folder = moving, puppet.jobs.get(finished).folder
    page.goto(f"{bare.url}/?view=gallery")
    first = page.locator(".tile").first
    expect(first).to_be_visible()
    count = page.locator(".tile:visible").count()
    first.hover()
    expect(first.locator("video")).to_be_attached()
    shown = first.locator("video").element_handle()
    page.mouse.move(0, 0)
    expect(first.locator("video")).to_have_count(0)
    assert shown.evaluate("video => video.networkState") == 0, "it holds one of the browser's six connections"
    first.locator("[aria-label^=Delete]").click()
    expect(page.locator(".tile:visible")).to_have_count(count - 1)
    page.locator("#toasts .link").click()
    expect(page.locator(".tile:visible")).to_have_count(count)
    first.locator("[aria-label^=Delete]").click()
    page.click("nav [data-go=queue]")
    page.locator("#toasts .link").click()  # another view is no answer
    page.click("nav [data-go=gallery]")
    expect(page.locator(".tile:visible")).to_have_count(count)
    first.locator("[aria-label^=Delete]").click()
    expect(page.locator("#toasts .link")).to_have_count(1)
    page.evaluate("window.dispatchEvent(new Event('pagehide'))")  # leaving means it
    expect(page.locator("#toasts .link")).to_have_count(0)
    wait_for(lambda: httpx.get(f"{bare.url}/studio/jobs/{finished}").status_code == 404)
    wait_for(lambda: not folder.exists())


@pytest.mark.soak
def test_a_refused_deletion_is_said(bare: Studio, page: Page, finished: str) -> None:
    refusal = {"error": "its folder cannot be deleted"}
    page.goto(bare.url)
    page.route(f"**/studio/jobs/{finished}", lambda route: route.fulfill(status=400, json=refusal))
    page.click("[data-go=gallery]")
    tile = page.locator(".tile", has=page.locator(f"[href*='{finished}']"))
    tile.hover()
    tile.locator("[aria-label^=Delete]").click()
    expect(tile).to_be_hidden()
    page.click("[data-go=queue]")
    expect(page.locator("#toasts .error")).to_have_text("its folder cannot be deleted")
    page.click("[data-go=gallery]")
    expect(tile).to_be_visible()


def test_a_link_may_be_followed_while_the_page_starts(bare: Studio, page: Page) -> None:
    errors: list[str] = []
    held: list[Route] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.route("**/studio/options", lambda route: held.append(route))
    page.goto(bare.url)
    wait_for(lambda: page.evaluate("1") and held)
    page.click("nav [data-go=queue]")
    expect(page).to_have_url(f"{bare.url}/?view=queue")
    held[0].continue_()
    expect(page.locator("#view-queue h2").first).to_be_visible()
    expect(page.locator("#heading")).to_have_text("Queue")
    assert errors == []


def test_a_failed_job_says_why_and_is_tried_again(bare: Studio, page: Page, puppet: Puppet) -> None:
    job = puppet.take()
    puppet.fail(job, Message("the disk was full\nTraceback <b>bold</b>", code=codes.UNFORESEEN))
    page.goto(f"{bare.url}/?job={job}")
    expect(page.locator(".failure")).to_contain_text("FM-JOB-000")
    expect(page.locator(".failure")).to_contain_text("the disk was full")
    expect(page.locator(".failure pre")).to_contain_text("Traceback <b>bold</b>")
    assert puppet.jobs.get(job).photo.path.is_file()
    page.click(".mend [data-mend=retry]")
    expect(page.locator("#job")).to_have_attribute("data-status", "queued")
    assert puppet.take() == page.url.split("job=")[1]
    expect(page.locator("#job")).to_have_attribute("data-status", "running")


def test_a_past_video_is_changed_and_made_again(bare: Studio, page: Page, finished: str) -> None:
    """Its photo and settings come back into the form; the seed does not, or it would be the same video."""
    page.goto(f"{bare.url}/?job={finished}")
    expect(page.locator("#job")).to_have_attribute("data-status", "done")
    page.locator("details.advanced summary").click()
    expect(page.locator("#f-steps")).not_to_have_value("3")
    page.click("[data-action=redo]")
    expect(page.locator("#f-steps")).to_have_value("3")
    expect(page.locator("#f-seed")).to_have_value("")
    page.click("[data-recipe=seed]")
    seed = httpx.get(f"{bare.url}/studio/jobs/{finished}").json()["settings"]["seed"]
    expect(page.locator("#f-seed")).to_have_value(str(seed))
    expect(page.locator("details.advanced summary")).to_contain_text(f"seed {seed}")
    expect(page.locator(".photos figure img")).to_be_visible()
    page.locator("details.advanced .field.steps .small").click()
    page.locator(".photos .chip").last.click()
    page.click("[data-go=gallery]")
    tile = page.locator(".tile", has=page.locator(f"[href*='{finished}']"))
    tile.hover()
    tile.locator("[aria-label^='Change and redo']").click()
    expect(page.locator("#form")).to_be_visible()
    expect(page.locator("#f-steps")).to_have_value("3")
    expect(page.locator(".photos figure img")).to_be_visible()


def test_another_take_of_a_past_video(bare: Studio, page: Page, finished: str) -> None:
    page.goto(f"{bare.url}/?job={finished}")
    page.click("[data-action=take]")
    expect(page).not_to_have_url(re.compile(finished))
    expect(page.locator("#job")).to_have_attribute("data-status", "queued")
    other = httpx.get(f"{bare.url}/studio/jobs/{page.url.split('job=')[1]}").json()
    first = httpx.get(f"{bare.url}/studio/jobs/{finished}").json()
    assert other["settings"]["seed"] != first["settings"]["seed"]
    assert other["settings"]["steps"] == 3
    page.click("[data-action=cancel]")
    expect(page.locator("#job")).to_have_attribute("data-status", "cancelled")


@pytest.mark.soak
def test_four_takes_at_once(bare: Studio, page: Page, puppet: Puppet) -> None:
    page.goto(bare.url)
    choose_photo(page, SAMPLE)
    page.locator(".takes label").last.click()
    expect(page.locator("#generate")).to_contain_text("Generate 4 videos")
    page.click("#generate")
    expect(page.locator("#job")).to_have_attribute("data-status", "queued")
    page.click("[data-go=queue]")
    rows = page.locator(".jobs .job-row[data-id]")
    expect(rows).to_have_count(4)


def test_languages_and_colours_are_remembered(bare: Studio, page: Page) -> None:
    page.goto(bare.url)
    expect(page.locator("#language")).to_have_text("RU")
    page.click("#language")
    expect(page.locator("#generate")).to_contain_text("Создать")
    page.click("#theme")
    page.click("#theme")
    page.reload()
    expect(page.locator("#generate")).to_contain_text("Создать")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_nothing_is_wider_than_a_phone_before_the_first_job(bare: Studio, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(bare.url)
    expect(page.locator("#worker span")).not_to_be_empty()
    for view in ("create", "queue", "gallery", "system"):
        page.click(f"nav [data-go={view}]")
        expect(page.locator(f"#view-{view}")).to_be_visible()
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view


def test_the_gallery_finds(bare: Studio, page: Page, puppet: Puppet, finished: str) -> None:
    puppet.film(puppet.take())
    page.goto(f"{bare.url}/?view=gallery")
    tile = page.locator(".tile", has=page.locator(f"[href*='{finished}']"))
    expect(tile).to_be_visible()
    everything = page.locator(".tile").count()
    tile.hover()
    tile.locator(".star").click()
    expect(tile.locator(".star")).to_have_attribute("aria-pressed", "true")
    page.locator(".filters .star").click()
    expect(page.locator(".tile")).to_have_count(1)
    page.reload()
    expect(page.locator(".tile")).to_have_count(min(everything, 24))
    search = page.locator(".filters input")
    search.fill("SAMPLE.j")
    expect(page.locator(".tile")).to_have_count(min(everything, 24))
    search.fill("nowhere")
    expect(page.locator(".nothing:visible")).to_have_text("Nothing fits these filters.")
    search.fill("")
    # By the program's clock: this browser's stands in another year.
    table = puppet.store.tables.Job
    with puppet.store.write():
        table.update(finished=table.finished - 2 * 86400).where(table.id == finished).execute()
    page.clock.set_fixed_time("2031-01-01")
    page.get_by_label("When", exact=True).select_option("1")
    expect(page.locator(".tile")).to_have_count(min(everything - 1, 24))
    page.get_by_label("When", exact=True).select_option("7")
    expect(page.locator(".tile")).to_have_count(min(everything, 24))
