"""The video's shape, and the frame that is moved on the photo: by mouse, touch and keys, on a screen of any width."""

import io

import httpx
import pytest
from fanslymotion.tests.browser.puppet import SAMPLE, Puppet
from fanslymotion.tests.browser.studio_page import choose_photo, findings, focused, shifts, with_shifts
from fanslymotion.tests.studio import Studio
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

pytestmark = pytest.mark.browser


def choose_shape(page: Page, shape: str) -> Locator:
    page.locator(".shape label", has=page.locator(f"input[value='{shape}']")).click()
    return page.get_by_role("slider", name="Position of the frame on the photo")


def middle(place: Locator) -> tuple[float, float]:
    box = place.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def settings(studio: Studio, page: Page) -> dict:
    page.click("#generate")
    page.wait_for_url("**job=*")
    return httpx.get(f"{studio.url}/studio/jobs/{page.url.split('job=')[1]}").json()


def test_a_frame_is_dragged_and_asked_for(bare: Studio, page: Page, puppet: Puppet) -> None:
    with_shifts(page)
    page.goto(bare.url)
    choose_photo(page, SAMPLE)
    expect(page.get_by_role("slider", name="Position")).to_be_hidden()
    expect(page.locator(".cost").first).not_to_be_empty()
    before = len(shifts(page))
    frame = choose_shape(page, "9:16")
    expect(frame).to_have_attribute("aria-valuenow", "50")
    expect(page.locator(".resolution small").first).to_contain_text("×")
    x, y = middle(frame)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y)
    moved = int(frame.get_attribute("aria-valuenow") or 0)
    assert 50 < moved < 100
    page.mouse.move(x + 5000, y)
    page.mouse.up()
    expect(frame).to_have_attribute("aria-valuenow", "100")
    page.mouse.move(x - 200, y)
    expect(frame).to_have_attribute("aria-valuenow", "100")
    canvas, kept = page.locator(".photos .canvas").bounding_box(), frame.bounding_box()
    assert canvas is not None
    assert kept is not None
    assert kept["x"] + kept["width"] == pytest.approx(canvas["x"] + canvas["width"], abs=1)
    assert kept["width"] / kept["height"] == pytest.approx(9 / 16, rel=0.03)
    assert [shift for shift in shifts(page)[before:] if shift[0] > 0.001] == []
    job = settings(bare, page)
    assert (job["settings"]["shape"], job["settings"]["position"]) == ("9:16", 1.0)
    assert job["expected"]["width"] / job["expected"]["height"] == pytest.approx(9 / 16, rel=0.03)


def test_keys_move_it_and_both_languages_name_it(bare: Studio, page: Page, puppet: Puppet) -> None:
    page.goto(bare.url)
    choose_photo(page, SAMPLE)
    frame = choose_shape(page, "1:1")
    focused(frame)
    for key, value in (
        ("ArrowRight", "52"),
        ("ArrowDown", "54"),
        ("Home", "0"),
        ("ArrowLeft", "0"),
        ("PageDown", "20"),
    ):
        page.keyboard.press(key)
        expect(frame).to_have_attribute("aria-valuenow", value)
    assert page.evaluate("scrollY") == 0
    assert findings(page) == []
    page.click("#language")
    expect(page.get_by_role("slider", name="Положение кадра на фото")).to_have_attribute("aria-valuenow", "20")
    expect(page.locator(".shape legend")).to_have_text("Форма")
    page.reload()
    expect(page.get_by_role("slider", name="Положение кадра на фото")).to_have_attribute("aria-valuenow", "20")
    page.click("#language")

    job = settings(bare, page)
    assert (job["settings"]["shape"], job["settings"]["position"]) == ("1:1", 0.2)
    puppet.jobs.cancel(job["id"])
    page.evaluate("localStorage.clear()")
    page.reload()
    page.get_by_role("button", name="Change and redo").click()
    expect(page.locator(".shape input:checked")).to_have_value("1:1")
    expect(page.get_by_role("slider", name="Position of the frame")).to_have_attribute("aria-valuenow", "20")

    choose_photo(page, SAMPLE)
    expect(page.get_by_role("slider", name="Position of the frame")).to_have_attribute("aria-valuenow", "50")


@pytest.mark.soak
def test_a_finger_moves_it_on_a_phone(bare: Studio, browser: Browser) -> None:
    context = browser.new_context(locale="en-GB", viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(bare.url)
    upright = io.BytesIO()
    Image.new("RGB", (600, 900), "teal").save(upright, "PNG")
    page.set_input_files(
        "#photo-file", [{"name": "upright.png", "mimeType": "image/png", "buffer": upright.getvalue()}]
    )
    expect(page.locator(".photos figure img")).to_be_visible()
    frame = choose_shape(page, "16:9")
    expect(frame).to_have_attribute("aria-orientation", "vertical")
    frame.scroll_into_view_if_needed()
    x, y = middle(frame)
    touch = page.context.new_cdp_session(page)

    def send(kind: str, *points: tuple[float, float]) -> None:
        at = [{"x": px, "y": py} for px, py in points]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    begun = page.evaluate("scrollY")
    send("touchStart", (x, y))
    for way in range(5, 45, 5):
        send("touchMove", (x, y - way))
    send("touchEnd")
    assert int(frame.get_attribute("aria-valuenow") or 50) < 45
    assert page.evaluate("scrollY") == begun, "the photo moves, not the page"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert findings(page) == []
    context.close()
