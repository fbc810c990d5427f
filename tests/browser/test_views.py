"""Queue, gallery and system, as a person uses them."""

import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fanslymotion.messages import Message, codes
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.queue.jobs import Jobs
from fanslymotion.settings import ROOT, Settings
from fanslymotion.tests.browser.studio_page import choose_photo, generate
from fanslymotion.tests.studio import Studio, wait_for
from playwright.sync_api import Page, Route, expect

pytestmark = pytest.mark.browser

SAMPLE = ROOT / "assets" / "sample.jpg"


def submit(studio: Studio, steps: int = 1) -> str:
    jobs = Jobs(Settings.local(studio.home, studio.models))
    try:
        return jobs.submit(SAMPLE, VideoRequest(seed=1, steps=steps)).id
    finally:
        jobs.close()


def order(page: Page) -> list[str]:
    return page.locator(".jobs .job-row[data-id]").evaluate_all("rows => rows.map(row => row.dataset.id)")


@pytest.fixture(scope="module")
def finished(studio: Studio) -> str:
    """A video of three steps that no test deletes."""
    job = submit(studio, steps=3)
    wait_for(lambda: httpx.get(f"{studio.url}/studio/jobs/{job}").json()["status"] == "done", 120)
    return job


@pytest.fixture
def paused(studio: Studio) -> Iterator[None]:
    httpx.post(f"{studio.url}/studio/queue/pause").raise_for_status()
    yield
    httpx.post(f"{studio.url}/studio/queue/resume").raise_for_status()


def test_order_pause_and_cancel(studio: Studio, page: Page, paused: None) -> None:
    ids = [submit(studio) for _ in range(3)]
    page.goto(f"{studio.url}/?view=queue")
    wait_for(lambda: order(page) == ids)
    expect(page.locator("#queue-count")).to_have_text("3")
    page.locator(f"[data-id='{ids[2]}'] [data-act=up]").click()
    wait_for(lambda: order(page) == [ids[0], ids[2], ids[1]])
    page.locator(f"[data-id='{ids[1]}']").drag_to(page.locator(f"[data-id='{ids[0]}']"))
    wait_for(lambda: order(page) == [ids[1], ids[0], ids[2]])
    page.reload()
    wait_for(lambda: order(page) == [ids[1], ids[0], ids[2]])
    page.locator(f"[data-id='{ids[0]}'] [data-act=cancel]").click()
    wait_for(lambda: order(page) == [ids[1], ids[2]])
    expect(page.locator(".job-row.cancelled")).to_have_count(1)
    expect(page.locator("#pause")).to_have_text("Resume")
    page.click("#pause")
    expect(page.locator("#pause")).to_have_text("Pause the queue")
    expect(page.locator(".nothing").first).to_be_visible(timeout=120_000)
    page.locator(".job-row.cancelled [aria-label^=Delete]").click()
    expect(page.locator(".job-row.cancelled")).to_have_count(0)


def test_gallery_plays_deletes_and_gives_back(studio: Studio, page: Page) -> None:
    job = generate(page, studio.url, SAMPLE, steps=1)
    expect(page.locator("#job")).to_have_attribute("data-status", "done", timeout=120_000)
    page.goto(f"{studio.url}/?view=gallery")
    first = page.locator(".tile").first
    expect(first).to_be_visible()
    count = page.locator(".tile:visible").count()
    first.hover()
    expect(first.locator("video")).to_be_attached()
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
    wait_for(lambda: httpx.get(f"{studio.url}/studio/jobs/{job}").status_code == 404)
    wait_for(lambda: not (studio.home / "jobs" / job).exists())


def test_a_refused_deletion_is_said(studio: Studio, page: Page, finished: str) -> None:
    refusal = {"error": "its folder cannot be deleted"}
    page.goto(studio.url)
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


def test_a_link_may_be_followed_while_the_page_starts(studio: Studio, page: Page) -> None:
    errors: list[str] = []
    held: list[Route] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.route("**/studio/options", lambda route: held.append(route))
    page.goto(studio.url)
    wait_for(lambda: page.evaluate("1") and held)
    page.click("nav [data-go=queue]")
    expect(page).to_have_url(f"{studio.url}/?view=queue")
    held[0].continue_()
    expect(page.locator("#view-queue h2").first).to_be_visible()
    expect(page.locator("#heading")).to_have_text("Queue")
    assert errors == []


def test_a_failed_job_says_why_and_is_tried_again(studio: Studio, page: Page) -> None:
    job = submit(studio, steps=60)
    photo = studio.home / "jobs" / job / "photo.png"
    httpx.post(f"{studio.url}/studio/jobs/{job}/cancel").raise_for_status()
    wait_for(lambda: httpx.get(f"{studio.url}/studio/jobs/{job}").json()["status"] == "cancelled")
    with sqlite3.connect(studio.home / "jobs.db", timeout=30) as store:
        error = Message("the disk was full\nTraceback <b>bold</b>", code=codes.UNFORESEEN)
        failure = json.dumps(error.to_json())
        store.execute(
            "UPDATE jobs SET status='failed', error=?, failure=?, revision=revision+1 WHERE id=?",
            (str(error), failure, job),
        )
    page.goto(f"{studio.url}/?job={job}")
    expect(page.locator(".failure")).to_contain_text("FM-JOB-000")
    expect(page.locator(".failure")).to_contain_text("the disk was full")
    expect(page.locator(".failure pre")).to_contain_text("Traceback <b>bold</b>")
    assert photo.is_file()
    page.click(".mend [data-mend=retry]")
    expect(page.locator("#job")).to_have_attribute("data-status", "running", timeout=60_000)
    page.click("[data-action=cancel]")
    expect(page.locator("#job")).to_have_attribute("data-status", "cancelled")


def test_system_tells_and_restarts(studio: Studio, page: Page) -> None:
    page.goto(f"{studio.url}/?view=system")
    expect(page.get_by_text("Stable Video Diffusion XT 1.1", exact=True)).to_be_visible()
    before = httpx.get(f"{studio.url}/studio/system").json()["workers"][0]["pid"]
    page.click("#restart")
    expect(page.locator("#toasts")).to_contain_text("goes on from its checkpoint")

    def another() -> bool:
        workers = httpx.get(f"{studio.url}/studio/system").json()["workers"]
        return bool(workers) and workers[0]["pid"] != before and workers[0]["state"] == "idle"

    wait_for(another)


def test_system_shows_signs_of_life(studio: Studio, page: Page) -> None:
    generate(page, studio.url, SAMPLE, steps=60)
    expect(page.locator("#job")).to_have_attribute("data-status", "running", timeout=60_000)
    page.click("[data-go=system]")
    worker = page.locator(".worker-row").first
    expect(worker.locator(".facts").first).to_contain_text("last sign of life")
    expect(worker.locator(".quiet").first).to_have_text(
        re.compile("Generating|Loading the model|Encoding the photo|Making frames")
    )
    expect(worker.locator(".gauge-words")).to_contain_text("%")
    page.locator("nav [data-go=create]").click()
    page.click("[data-action=cancel]")
    expect(page.locator("#job")).to_have_attribute("data-status", "cancelled", timeout=60_000)


def test_a_past_video_is_changed_and_made_again(studio: Studio, page: Page, finished: str) -> None:
    """Its photo and settings come back into the form; the seed does not, or it would be the same video."""
    page.goto(f"{studio.url}/?job={finished}")
    expect(page.locator("#job")).to_have_attribute("data-status", "done")
    page.locator("details.advanced summary").click()
    expect(page.locator("#f-steps")).not_to_have_value("3")
    page.click("[data-action=redo]")
    expect(page.locator("#f-steps")).to_have_value("3")
    expect(page.locator("#f-seed")).to_have_value("")
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


def test_another_take_of_a_past_video(studio: Studio, page: Page, finished: str, paused: None) -> None:
    page.goto(f"{studio.url}/?job={finished}")
    page.click("[data-action=take]")
    expect(page).not_to_have_url(re.compile(finished))
    expect(page.locator("#job")).to_have_attribute("data-status", "queued")
    other = httpx.get(f"{studio.url}/studio/jobs/{page.url.split('job=')[1]}").json()
    first = httpx.get(f"{studio.url}/studio/jobs/{finished}").json()
    assert other["settings"]["seed"] != first["settings"]["seed"]
    assert other["settings"]["steps"] == 3
    page.click("[data-action=cancel]")
    expect(page.locator("#job")).to_have_attribute("data-status", "cancelled")


def test_four_takes_at_once(studio: Studio, page: Page, paused: None) -> None:
    page.goto(studio.url)
    choose_photo(page, SAMPLE)
    page.locator(".takes label").last.click()
    expect(page.locator("#generate")).to_contain_text("Generate 4 videos")
    page.click("#generate")
    expect(page.locator("#job")).to_have_attribute("data-status", "queued")
    page.click("[data-go=queue]")
    rows = page.locator(".jobs .job-row[data-id]")
    expect(rows).to_have_count(4)
    for job in httpx.get(f"{studio.url}/studio/machine").json()["active"]:
        httpx.post(f"{studio.url}/studio/jobs/{job['id']}/cancel", json={})
    page.locator("nav [data-go=create]").click()
    page.locator(".takes label").first.click()


def test_languages_and_colours_are_remembered(studio: Studio, page: Page) -> None:
    page.goto(studio.url)
    expect(page.locator("#language")).to_have_text("RU")
    page.click("#language")
    expect(page.locator("#generate")).to_contain_text("Создать")
    page.click("#theme")
    page.click("#theme")
    page.reload()
    expect(page.locator("#generate")).to_contain_text("Создать")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


@pytest.mark.parametrize("view", ["create", "queue", "gallery", "system"])
def test_nothing_is_wider_than_a_phone(studio: Studio, page: Page, view: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{studio.url}/?view={view}")
    expect(page.locator("#worker span")).not_to_be_empty()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_settings_come_back_from_a_video_file(studio: Studio, page: Page, finished: str, tmp_path: Path) -> None:
    video = tmp_path / "from a friend.mp4"
    video.write_bytes(httpx.get(f"{studio.url}/studio/jobs/{finished}/video").content)
    seed = httpx.get(f"{studio.url}/studio/jobs/{finished}").json()["settings"]["seed"]
    page.goto(studio.url)
    page.locator("details.advanced summary").click()
    expect(page.locator("#f-seed")).to_have_value("")
    page.set_input_files("#f-video", video)
    expect(page.locator("#f-seed")).to_have_value(str(seed))
    expect(page.locator("#f-steps")).to_have_value("3")
    alien = tmp_path / "alien.mp4"
    alien.write_bytes(b"\x00\x00\x00\x08ftyp")
    page.set_input_files("#f-video", alien)
    expect(page.locator(".picker ~ .problem")).to_contain_text("alien.mp4")


def test_the_gallery_finds(studio: Studio, page: Page, finished: str) -> None:
    page.goto(f"{studio.url}/?view=gallery")
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
    page.get_by_label("When", exact=True).select_option("7")
    expect(page.locator(".tile")).to_have_count(min(everything, 24))


def test_a_job_shows_what_its_device_does(studio: Studio, page: Page) -> None:
    generate(page, studio.url, SAMPLE, steps=40)
    expect(page.locator(".gauge-words")).to_contain_text("%", timeout=60_000)
    expect(page.locator(".graph .load-line")).to_have_attribute("d", re.compile("L"))
    href = "document.querySelector('link[rel~=icon]')?.href"
    page.wait_for_function(f"{href}?.startsWith('data:image/png')")
    page.reload()
    expect(page.locator(".gauge-words")).to_contain_text("%")
    page.click("[data-action=cancel]")
    expect(page.locator("#job")).to_have_attribute("data-status", "cancelled")
    page.goto(studio.url)
    page.wait_for_function(f"{href}?.endsWith('icon.svg')")
