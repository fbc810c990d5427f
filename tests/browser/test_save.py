"""A finished video is saved in another form: chosen, cut, watched, stopped, copied, in both languages."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from fanslymotion.pipeline.media.exports.make import LOCK
from fanslymotion.tests.browser.puppet import Puppet
from fanslymotion.tests.browser.studio_page import focused
from fanslymotion.tests.studio import Studio
from filelock import FileLock
from PIL import Image
from playwright.sync_api import BrowserContext, Download, Page, expect

pytestmark = pytest.mark.browser

PANEL = ".save-panel"


@pytest.fixture
def job(puppet: Puppet) -> str:
    """24 frames, two seconds."""
    made = puppet.take(name="her photo.jpg")
    puppet.film(made)
    return made


@pytest.fixture
def opened(bare: Studio, page: Page, puppet: Puppet, job: str) -> Iterator[Page]:
    puppet.let_play(page)
    page.goto(f"{bare.url}/?job={job}")
    page.wait_for_function("document.querySelector('.frame video')?.readyState >= 2")
    page.evaluate("document.querySelector('.frame video').pause()")
    page.click("[data-action=save]")
    expect(page.locator(PANEL)).to_be_visible()
    return page


def choose(page: Page, name: str) -> None:
    page.locator(f"{PANEL} label", has=page.locator(f"[value={name}]")).click()


def image(saved: Download) -> Image.Image:
    return Image.open(io.BytesIO(Path(saved.path()).read_bytes()))


def save(page: Page) -> Download:
    with page.expect_download() as saved:
        page.click("[data-save=save]")
    return saved.value


def test_a_loop_of_a_part_is_saved_as_a_gif(opened: Page, job: str) -> None:
    page = opened
    choose(page, "gif")
    start, end = page.locator(".trim .start"), page.locator(".trim .end")
    focused(start)
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    focused(end)
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    expect(page.locator(".trim output")).to_have_text("0.33 s – 1.17 s · 10 frames")
    shown = page.evaluate("document.querySelector('.frame video').currentTime")
    assert 13 / 12 <= shown < 14 / 12, "the player shows the end that was moved"
    page.get_by_label("Forwards and backwards: a smooth loop").check()
    saved = save(page)
    assert saved.suggested_filename == f"her photo-{job}-frames-4-14-ping-pong.gif"
    assert image(saved).n_frames == 18  # type: ignore[attr-defined]
    expect(page.locator(".save-said")).to_contain_text("Ready,")
    page.keyboard.press("ArrowLeft")  # something else is chosen now
    page.get_by_label("Forwards and backwards: a smooth loop").uncheck()
    expect(page.locator(".save-said")).to_be_empty()


@pytest.mark.soak
def test_a_still_is_the_frame_that_the_player_shows(opened: Page, context: BrowserContext, bare: Studio) -> None:
    page = opened
    choose(page, "png")
    page.evaluate("document.querySelector('.frame video').currentTime = 10.5 / 12")
    expect(page.locator(PANEL)).to_contain_text("Frame 11 of 24")
    saved = save(page)
    assert saved.suggested_filename.endswith("-frame-10.png")
    level = image(saved).convert("L").getpixel((80, 48))
    assert abs(level - 70) <= 3  # type: ignore[operator]
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=bare.url)
    page.evaluate("document.querySelector('.frame video').currentTime = 20.5 / 12")
    expect(page.locator(PANEL)).to_contain_text("Frame 21 of 24")
    page.click("[data-save=copy]")
    expect(page.locator("#toasts")).to_contain_text("Picture copied")
    size = page.evaluate(
        """async () => {
          const [item] = await navigator.clipboard.read();
          const picture = await createImageBitmap(await item.getType("image/png"));
          return [picture.width, picture.height];
        }"""
    )
    assert size == [160, 96]


@pytest.mark.soak
def test_it_is_stopped_and_made_after_all(opened: Page, puppet: Puppet, job: str) -> None:
    """Another program makes one of the same video meanwhile, so that this one waits."""
    page = opened
    choose(page, "web")
    with FileLock(puppet.jobs.get(job).folder / LOCK):
        page.click("[data-save=save]")
        expect(page.locator(f"{PANEL} progress")).to_be_visible()
        expect(page.locator("[data-save=save]")).to_be_hidden()
        page.click("[data-save=stop]")
        expect(page.locator(".save-said")).to_have_text("Stopped.")
    assert save(page).suggested_filename.endswith("-web.mp4")


@pytest.mark.soak
def test_a_failure_is_said_in_the_language_that_is_shown(opened: Page, puppet: Puppet, job: str) -> None:
    page = opened
    video = puppet.jobs.get(job).video
    assert video is not None
    video.write_bytes(b"\0\0\0\x18ftypisom" + bytes(500))
    page.click("#language")
    expect(page.locator(PANEL)).to_contain_text("ровная петля")
    choose(page, "webp")
    page.click("[data-save=save]")
    expect(page.locator(".save-said.problem")).to_contain_text("нет кадра 0")
    video.unlink()
    page.click("[data-save=save]")
    expect(page.locator(".save-said.problem")).to_contain_text("файла видео больше нет")


@pytest.mark.soak
def test_a_phone_passes_the_file_on(opened: Page) -> None:
    """Browsers of computers cannot; one that can is asked with the file itself."""
    page = opened
    expect(page.locator("[data-save=share]")).to_be_hidden()
    page.evaluate(
        """() => {
          navigator.canShare = () => true;
          navigator.share = async ({ files: [file] }) => { window.passed = [file.name, file.type, file.size > 100]; };
        }"""
    )
    choose(page, "jpg")
    save(page)
    page.click("[data-save=share]")
    page.wait_for_function("window.passed")
    name, kind, filled = page.evaluate("window.passed")
    assert name.startswith("her photo frame-")
    assert (name[-4:], kind, filled) == (".jpg", "image/jpeg", True)


@pytest.mark.soak
def test_the_panel_fits_a_phone_and_closes_with_its_job(opened: Page, puppet: Puppet, bare: Studio) -> None:
    page = opened
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    button = page.locator("[data-action=save]")
    expect(button).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")
    expect(page.locator(PANEL)).to_be_hidden()
    expect(button).to_have_attribute("aria-expanded", "false")
    button.click()
    expect(page.locator(PANEL)).to_be_visible()
    other = puppet.take()
    page.evaluate("job => history.pushState(null, '', `/?job=${job}`)", other)
    page.go_back()
    page.go_forward()
    expect(page.locator("#job")).to_have_attribute("data-status", "running")
    expect(page.locator(PANEL)).to_be_hidden()
    expect(page.locator("[data-action=save]")).to_be_hidden()


LINES = """(row) => {
  const lines = new Map();
  for (const label of row.children) {
    if (label.hidden) continue;
    const { top, right } = label.getBoundingClientRect();
    lines.set(top, [...(lines.get(top) ?? []), right]);
  }
  return [...lines.values()].map((rights) => [rights.length, row.getBoundingClientRect().right - Math.max(...rights)]);
}"""
"""Of each line of the formats: how many, and how far its last one ends before the row does."""


@pytest.mark.soak
def test_no_format_stands_alone_on_a_line(opened: Page) -> None:
    for width in (1920, 1440, 1366, 1024, 390):
        opened.set_viewport_size({"width": width, "height": 768})
        lines = opened.locator(".formats .row").evaluate(LINES)
        assert sum(count for count, _ in lines) == 7
        assert all(count > 1 and left < 5 for count, left in lines), (width, lines)
        assert opened.locator(".formats .row").evaluate("(row) => row.scrollWidth <= row.clientWidth"), width
