"""Photo to video in the browser, as a person does it."""

import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest
from fanslymotion.settings import ROOT
from fanslymotion.tests.browser.studio_page import generate, log_lines, percent, record, seen, status
from fanslymotion.tests.studio import Studio, wait_for
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

SAMPLE = ROOT / "assets" / "sample.jpg"

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


def test_photo_becomes_a_video_while_one_watches(studio: Studio, page: Page) -> None:
    job = generate(page, studio.url, SAMPLE, steps=40)
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
    assert len(set(before["previews"] + after["previews"])) > 1, "the preview changes"

    for tab in (page, other):
        assert tab.evaluate(PLAYS) == [168, 96, 6.0]
    assert page.title().startswith("done")
    lines = page.locator(".log .lines")
    assert lines.evaluate("box => box.scrollHeight - box.scrollTop - box.clientHeight") < 24, "the log was followed"
    other.close()


def test_preview_is_an_animation(studio: Studio, page: Page) -> None:
    job = generate(page, studio.url, SAMPLE, steps=20)
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


def test_restart_of_the_page_comes_back_to_the_same_live_job(studio: Studio, page: Page) -> None:
    generate(page, studio.url, SAMPLE, steps=40)
    now = page.locator(".live span.now")
    wait_for(lambda: "step" in now.inner_text(), 120)  # loading may move the bar a long way before that
    assert studio.stop() == 0
    expect(page.locator("#trouble")).to_be_visible()
    studio.start()
    expect(page.locator("#trouble")).to_be_hidden(timeout=60_000)
    expect(page.locator("#job")).to_have_attribute("data-status", "done", timeout=180_000)
    assert any("resumed at window" in line for line in log_lines(page)), "nothing is drawn twice"


def test_a_bad_photo_gets_a_sentence(studio: Studio, page: Page, tmp_path: Path) -> None:
    text = tmp_path / "заметки 😀.jpg"
    text.write_text("no photo", encoding="utf-8")
    page.goto(studio.url)
    page.set_input_files("#photo-file", text)
    problem = page.locator(".picker ~ .problem")
    expect(problem).to_contain_text("заметки 😀.jpg is not a photo")
    page.click("#generate")
    expect(problem).to_have_text("Choose a photo first.")


def test_names_and_log_lines_are_text_never_markup(studio: Studio, page: Page, tmp_path: Path) -> None:
    trap = tmp_path / "<img src=x onerror=alert(1)>.jpg"
    trap.write_bytes(SAMPLE.read_bytes())
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    generate(page, studio.url, trap, steps=1)
    expect(page.locator(".live h2")).to_have_text(trap.name)
    expect(page.locator("#job")).to_have_attribute("data-status", "done", timeout=120_000)


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
