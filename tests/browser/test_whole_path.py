"""Photo to video in the browser, with a real worker: what one does and sees while it works, stops and goes on."""

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.queue.jobs import Jobs
from fanslymotion.settings import Settings
from fanslymotion.tests.browser.puppet import SAMPLE
from fanslymotion.tests.browser.studio_page import generate, log_lines, percent, record, seen, status
from fanslymotion.tests.studio import Studio, wait_for
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

FIVE_LINES = (
    "[WORKER] Starting job: {id}",
    "[WORKER] Job func: fanslymotion.queue.tasks.process_video_generation",
    "[START] Job {id}",
    "[DEBUG] Metadata loaded",
    "[INFO] Getting renderer",
)

PLAYS = """async () => {
  const video = document.querySelector(".frame video");
  const began = video.currentTime;
  await video.play();
  await new Promise((resolve) => video.addEventListener("timeupdate", () => video.currentTime > began && resolve()));
  return [video.videoWidth, video.videoHeight, Math.round(video.duration * 100) / 100];
}"""


def submit(studio: Studio, steps: int = 1) -> str:
    jobs = Jobs(Settings.local(studio.home, studio.models))
    try:
        return jobs.submit(SAMPLE, VideoRequest(seed=1, steps=steps)).id
    finally:
        jobs.close()


def order(page: Page) -> list[str]:
    return page.locator(".jobs .job-row[data-id]").evaluate_all("rows => rows.map(row => row.dataset.id)")


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


def test_photo_becomes_a_video_while_one_watches(studio: Studio, page: Page) -> None:
    job = generate(page, studio.url, SAMPLE, steps=25)
    record(page)
    expect(page.locator(".log .line > span", has_text="Getting renderer")).to_be_visible(timeout=120_000)
    assert status(page) == "running", "the lines are there while the job runs"
    lines = log_lines(page)
    places = [next(i for i, line in enumerate(lines) if start.format(id=job) in line) for start in FIVE_LINES]
    assert places == sorted(places)

    wait_for(lambda: percent(page) > 15, 120)
    before = seen(page)
    page.reload()
    expect(page.locator(".live")).to_be_visible()
    record(page)
    wait_for(lambda: percent(page) >= before["percent"][-1])
    assert page.url.endswith(job)
    assert len(log_lines(page)) >= len(lines), "the log is whole again"

    other = page.context.new_page()
    other.goto(f"{studio.url}/?job={job}")
    expect(other.locator(".live h2")).to_have_text("sample.jpg")
    for tab in (page, other):
        expect(tab.locator("#job")).to_have_attribute("data-status", "done", timeout=120_000)
    after = seen(page)
    shown = before["percent"] + after["percent"]
    assert len(set(shown)) > 5
    for part in (before["percent"], after["percent"]):
        assert part == sorted(part), "progress never falls"
    assert before["previews"] + after["previews"], "how many there are in so short a time is the machine's affair"

    for tab in (page, other):
        assert tab.evaluate(PLAYS) == [168, 96, 6.0]
    assert page.title().startswith("done")
    lines = page.locator(".log .lines")
    assert lines.evaluate("box => box.scrollHeight - box.scrollTop - box.clientHeight") < 24, "the log was followed"
    other.close()


def test_preview_is_an_animation(studio: Studio, moving: Page) -> None:
    page = moving
    job = generate(page, studio.url, SAMPLE, steps=50)
    address = page.locator(".frame .preview[src]")
    expect(address).to_be_visible(timeout=120_000)
    answer = httpx.get(studio.url + str(address.get_attribute("src")))
    assert answer.headers["content-type"] == "image/webp"
    assert b"ANMF" in answer.content, "WebP frames of an animation"
    page.click("[data-action=cancel]")
    expect(page.locator("#job")).to_have_attribute("data-status", "cancelled")
    assert not list((studio.home / "jobs" / job).rglob("*.mp4*")), "no partial file stays"


def test_cancel_stops_the_drawing(studio: Studio, page: Page) -> None:
    generate(page, studio.url, SAMPLE, steps=100)
    now = page.locator(".live span.now")
    expect(now).to_contain_text("Generating", timeout=120_000)
    page.click("[data-action=cancel]")
    expect(page.locator("#job")).to_have_attribute("data-status", "cancelled")
    job = httpx.get(f"{studio.url}/studio/jobs/{page.url.split('job=')[1]}").json()
    assert job["step"] < job["steps"], "in the middle of the drawing"
    assert job["video"] is None
    expect(page.locator("[data-action=again]")).to_be_visible()
    expect(page.locator("[data-action=cancel]")).to_be_hidden()


def test_names_and_log_lines_are_text_never_markup(studio: Studio, page: Page, tmp_path: Path) -> None:
    trap = tmp_path / "<img src=x onerror=alert(1)>.jpg"
    trap.write_bytes(SAMPLE.read_bytes())
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    generate(page, studio.url, trap, steps=1)
    expect(page.locator(".live h2")).to_have_text(trap.name)
    expect(page.locator("#job")).to_have_attribute("data-status", "done", timeout=120_000)


def test_settings_come_back_from_a_video_file(studio: Studio, page: Page, tmp_path: Path) -> None:
    job = submit(studio, steps=3)
    wait_for(lambda: httpx.get(f"{studio.url}/studio/jobs/{job}").json()["status"] == "done")
    video = tmp_path / "from a friend.mp4"
    video.write_bytes(httpx.get(f"{studio.url}/studio/jobs/{job}/video").content)
    seed = httpx.get(f"{studio.url}/studio/jobs/{job}").json()["settings"]["seed"]
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


@pytest.mark.soak
def test_waiting_jobs_tell_when_they_begin(studio: Studio, page: Page) -> None:
    generate(page, studio.url, SAMPLE, steps=100)
    expect(page.locator("#job")).to_have_attribute("data-status", "running", timeout=60_000)
    page.locator("details.advanced summary").click()
    page.click("#generate")
    expect(page.locator("#job")).to_have_attribute("data-status", "queued")
    expect(page.locator("#job .left")).to_have_text(re.compile("^starts in"))
    page.click("[data-go=queue]")
    expect(page.locator(".job-row").nth(1).locator(".quiet")).to_have_text(re.compile("^starts in"))
    expect(page.locator(".queue-total")).to_have_text(re.compile("^2 jobs, all done in about"))
    page.click("#pause")
    expect(page.locator(".job-row").nth(1).locator(".quiet")).to_have_text("Paused")
    for at in (0, 1):
        page.locator(".select-box").nth(at).click()
    page.locator("#view-queue [data-many=cancel]").click()
    expect(page.locator(".job-row[data-id]")).to_have_count(0, timeout=60_000)
    page.click("#pause")


@pytest.mark.soak
def test_a_job_shows_what_its_device_does(studio: Studio, page: Page) -> None:
    generate(page, studio.url, SAMPLE, steps=100)
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


@pytest.mark.soak
def test_system_shows_signs_of_life(studio: Studio, page: Page) -> None:
    generate(page, studio.url, SAMPLE, steps=60)
    expect(page.locator("#job")).to_have_attribute("data-status", "running", timeout=60_000)
    page.click("[data-go=system]")
    worker = page.locator(".worker-row").first
    expect(worker.locator(".facts").first).to_contain_text("last heartbeat")
    expect(worker.locator(".quiet").first).to_have_text(
        re.compile("Generating|Loading the model|Encoding the photo|Making frames")
    )
    expect(worker.locator(".gauge-words")).to_contain_text("%")
    page.locator("nav [data-go=create]").click()
    page.click("[data-action=cancel]")
    expect(page.locator("#job")).to_have_attribute("data-status", "cancelled", timeout=60_000)


def test_restart_of_the_page_comes_back_to_the_same_live_job(studio: Studio, page: Page) -> None:
    generate(page, studio.url, SAMPLE, steps=16)
    now = page.locator(".live span.now")
    wait_for(lambda: "step" in now.inner_text(), 120)  # loading may move the bar a long way before that
    assert studio.stop() == 0
    expect(page.locator("#trouble")).to_be_visible()
    studio.start()
    expect(page.locator("#trouble")).to_be_hidden(timeout=60_000)
    expect(page.locator("#job")).to_have_attribute("data-status", "done", timeout=180_000)
    assert any("resumed at window" in line for line in log_lines(page)), "nothing is drawn twice"


@pytest.mark.soak
def test_system_tells_and_restarts(studio: Studio, page: Page) -> None:
    page.goto(f"{studio.url}/?view=system")
    expect(page.get_by_text("Stable Video Diffusion XT 1.1", exact=True)).to_be_visible()
    before = httpx.get(f"{studio.url}/studio/system").json()["workers"][0]["pid"]
    page.click("#restart")
    expect(page.locator("#toasts")).to_contain_text("resumes from its checkpoint")

    def another() -> bool:
        workers = httpx.get(f"{studio.url}/studio/system").json()["workers"]
        return bool(workers) and workers[0]["pid"] != before and workers[0]["state"] == "idle"

    wait_for(another)


def test_the_page_process_holds_no_torch(studio: Studio) -> None:
    assert studio.process is not None
    libraries = [entry.path for entry in psutil.Process(studio.process.pid).memory_maps()]
    assert libraries
    assert not [path for path in libraries if "torch" in path]


@pytest.mark.skipif(sys.platform != "linux", reason="/proc counts how often a thread wakes")
def test_an_idle_page_process_rests(studio: Studio) -> None:
    """Gradio's queue would look for work a thousand times a second. Under load it wakes less often, not more."""
    assert studio.process is not None
    loop = psutil.Process(studio.process.pid)
    before = loop.num_ctx_switches().voluntary
    time.sleep(2)
    assert loop.num_ctx_switches().voluntary - before < 500
