"""The form of a new video: what comes in, what is sent, what is remembered."""

import io
import json
import re
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from fanslymotion.tests.browser.puppet import SAMPLE, Puppet
from fanslymotion.tests.browser.studio_page import choose_model, choose_photo, of_language
from fanslymotion.tests.studio import Studio, wait_for
from PIL import Image
from playwright.sync_api import Error, Page, Route, expect

pytestmark = pytest.mark.browser

DROP = """([bytes, name]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(bytes)], name, { type: "image/png" }));
  document.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
}"""


DRAG_AND_VANISH = """() => {
  const row = document.createElement("i");
  document.getElementById("studio").append(row);
  row.dispatchEvent(new DragEvent("dragstart", { bubbles: true }));
  row.remove();
  row.dispatchEvent(new DragEvent("dragend", { bubbles: true }));
}"""

PASTE_BOTH = """async (selector) => {
  const data = new DataTransfer();
  const canvas = new OffscreenCanvas(160, 90);
  canvas.getContext("2d").fillRect(0, 0, 160, 90);
  const cells = await canvas.convertToBlob();
  data.items.add(new File([cells], "cells.png", { type: "image/png" }));
  data.items.add("words", "text/plain");
  const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
  document.querySelector(selector).dispatchEvent(event);
  return event.defaultPrevented;
}"""
"""Words and their picture, as a spreadsheet gives them. Whether the page took them."""


def drop(page: Page, path: Path) -> None:
    """As the system does it."""
    link = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        link.send("Input.dispatchDragEvent", {"type": kind, "x": 400, "y": 300, "data": data})
    link.detach()


def picture(width: int, height: int, colour: str = "orange") -> bytes:
    kept = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(kept, "PNG")
    return kept.getvalue()


def photos(count: int, width: int = 160, height: int = 90) -> list:
    shape = picture(width, height)
    return [{"name": f"{number}.png", "mimeType": "image/png", "buffer": shape} for number in range(count)]


def photo(name: str) -> list:
    return [{"name": name, "mimeType": "image/png", "buffer": picture(160, 90)}]


def waiting(studio: Studio) -> list[str]:
    return [job["name"] for job in httpx.get(f"{studio.url}/studio/machine").json()["active"]]


def test_a_first_visit_without_a_photo(bare: Studio, page: Page, puppet: Puppet) -> None:
    page.goto(bare.url)
    expect(page.locator(".welcome-facts")).to_contain_text("a 6 s video at 480p")
    for cost in ("≈ ", re.compile("[GM]B")):
        expect(page.locator(".resolution .cost", has_text=cost)).to_have_count(3)
    page.get_by_role("button", name="No photo at hand? Use the sample").click()
    expect(page.locator(".photos figure img")).to_be_visible()
    page.click("#generate")
    page.wait_for_url(re.compile("job="))
    expect(page.locator(".live h2")).to_have_text("sample.jpg")
    expect(page.locator(".live span.now")).to_have_text("Waiting, number 1 in the queue")


def test_several_photos_are_several_jobs(bare: Studio, page: Page, puppet: Puppet) -> None:
    page.goto(bare.url)
    page.set_input_files("#photo-file", photos(3))
    expect(page.locator("#generate")).to_contain_text("Generate 3 videos")
    page.click("#generate")
    expect(page.locator("#toasts")).to_contain_text("3 videos are in the queue.")
    assert waiting(bare) == ["0.png", "1.png", "2.png"]
    expect(page.locator("#queue-count")).to_have_text("3")


def test_pressed_twice_it_is_one_job(bare: Studio, page: Page, puppet: Puppet) -> None:
    page.goto(bare.url)
    choose_photo(page, SAMPLE)
    page.dblclick("#generate")
    page.wait_for_url(re.compile("job="))
    held = '{ key: "Enter", ctrlKey: true, repeat: true, bubbles: true, cancelable: true }'
    page.evaluate(f"() => document.dispatchEvent(new KeyboardEvent('keydown', {held}))")
    page.click("[data-go=queue]")
    expect(page.locator("#view-queue .jobs .job-row[data-id]")).to_have_count(1)
    assert len(waiting(bare)) == 1


def test_generate_waits_for_the_photo_that_is_uploaded(bare: Studio, page: Page, puppet: Puppet) -> None:
    page.goto(bare.url)
    choose_photo(page, SAMPLE)
    held: list[Route] = []
    page.route("**/studio/photos", lambda route: held.append(route))
    page.set_input_files("#photo-file", [{"name": "new.png", "mimeType": "image/png", "buffer": picture(160, 90)}])
    wait_for(lambda: page.evaluate("1") and held)
    page.click("#generate")
    expect(page.locator("#generate")).to_have_attribute("aria-busy", "true")
    assert waiting(bare) == []
    held.pop().continue_()
    page.wait_for_url(re.compile("job="))
    assert waiting(bare) == ["new.png"], "not the photo that was there before"

    bad = [{"name": "bad.png", "mimeType": "image/png", "buffer": b"no photo"}]
    page.set_input_files("#photo-file", bad)
    wait_for(lambda: page.evaluate("1") and held)
    page.click("#generate")
    held.pop().continue_()
    expect(page.locator(".picker ~ .problem")).to_contain_text("bad.png is not a photo")
    expect(page.locator("#generate")).not_to_have_attribute("aria-busy", "true")
    assert waiting(bare) == ["new.png"], "what was refused is not replaced in silence"


def test_the_photo_that_was_chosen_last_is_the_one(bare: Studio, page: Page, puppet: Puppet) -> None:
    page.goto(bare.url)
    held: list[Route] = []
    page.route("**/studio/photos", lambda route: held.append(route))
    page.set_input_files("#photo-file", photo("slow.png"))
    wait_for(lambda: page.evaluate("1") and len(held) == 1)
    page.set_input_files("#photo-file", photo("quick.png"))
    wait_for(lambda: page.evaluate("1") and len(held) == 2)
    page.click("#generate")
    held[1].continue_()
    page.wait_for_url(re.compile("job="))
    assert waiting(bare) == ["quick.png"], "it waits for nothing else"
    with suppress(Error):  # the browser has given it up
        held[0].continue_()
    expect(page.locator(".picker:has(#photo-file) [role=progressbar]")).to_be_hidden()
    expect(page.locator(".photos figcaption")).to_contain_text(["quick.png"])


def test_added_photos_stay_when_the_others_come_later(bare: Studio, page: Page) -> None:
    page.goto(bare.url)
    choose_photo(page, SAMPLE)
    held: list[Route] = []
    page.route("**/studio/photos", lambda route: held.append(route))
    page.set_input_files("#photo-file", photo("instead.png"))
    wait_for(lambda: page.evaluate("1") and len(held) == 1)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Add photos").click()
    chooser.value.set_files(photo("beside.png"))
    wait_for(lambda: page.evaluate("1") and len(held) == 2)
    held[1].continue_()
    expect(page.locator(".photos figcaption")).to_contain_text(["sample.jpg", "beside.png"])
    held[0].continue_()
    expect(page.locator(".photos figcaption")).to_contain_text(["instead.png", "beside.png"])


@pytest.mark.soak
def test_an_upload_that_stalls_is_stopped_by_hand(bare: Studio, page: Page, puppet: Puppet) -> None:
    page.goto(bare.url)
    choose_photo(page, SAMPLE)
    held: list[Route] = []
    page.route("**/studio/photos", lambda route: held.append(route))
    page.set_input_files("#photo-file", photo("stalled.png"))
    wait_for(lambda: page.evaluate("1") and held)
    page.click("#generate")
    expect(page.locator("#generate")).to_have_attribute("aria-busy", "true")
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator("#generate")).not_to_have_attribute("aria-busy", "true")
    expect(page.locator(".picker:has(#photo-file) [role=progressbar]")).to_be_hidden()
    expect(page.locator(".photos figcaption")).to_contain_text(["sample.jpg"])
    assert waiting(bare) == [], "nor is another photo sent in its place"
    page.click("#generate")
    page.wait_for_url(re.compile("job="))
    assert waiting(bare) == ["sample.jpg"]


@pytest.mark.soak
def test_more_than_fifty_are_said(bare: Studio, page: Page) -> None:
    page.goto(bare.url)
    page.set_input_files("#photo-file", photos(51, 64, 64))
    expect(page.locator(".picker ~ .problem")).to_have_text("At most 50 photos at a time; the others are left out.")
    expect(page.locator(".photos figure")).to_have_count(50)


@pytest.mark.soak
def test_a_cancelled_dialog_leaves_nothing_behind(bare: Studio, page: Page) -> None:
    page.goto(bare.url)
    page.set_input_files("#photo-file", photos(1))
    with page.expect_file_chooser():
        page.get_by_role("button", name="Add photos").click()
    page.locator("#photo-file").dispatch_event("cancel")
    page.set_input_files("#photo-file", photos(2))
    expect(page.locator(".photos figure")).to_have_count(2)


def test_what_is_dropped_elsewhere_opens_the_form(bare: Studio, page: Page) -> None:
    page.goto(f"{bare.url}/?view=gallery")
    expect(page.locator("#generate")).to_be_attached()  # the view is there before the scripts are
    expect(page.locator("#view-gallery")).to_be_visible()
    page.evaluate(DROP, [list(picture(160, 90)), "dropped.png"])
    expect(page.locator(".photos figcaption")).to_contain_text("dropped.png")
    expect(page.locator("#form")).to_be_visible()
    assert page.url == f"{bare.url}/"
    page.evaluate(DRAG_AND_VANISH)  # a row of the queue, whose job begins meanwhile
    page.evaluate(DROP, [list(picture(160, 90)), "after.png"])
    expect(page.locator(".photos figcaption")).to_contain_text("after.png")
    page.locator("details.advanced summary").click()
    assert page.evaluate(PASTE_BOTH, "#f-seed") is False, "the words are the field's"
    assert page.evaluate(PASTE_BOTH, "#generate") is True
    expect(page.locator(".photos figcaption")).to_contain_text("cells.png")


def test_a_folder_stands_for_its_photos(bare: Studio, page: Page, tmp_path: Path) -> None:
    inner = tmp_path / "holiday" / "later"
    inner.mkdir(parents=True)
    for name in ("10.png", "9.png", "later/1.png"):
        (tmp_path / "holiday" / name).write_bytes(picture(160, 90))
    (tmp_path / "holiday" / "notes.txt").write_text("no photo", encoding="utf-8")
    (tmp_path / "none").mkdir()
    page.goto(bare.url)
    expect(page.locator("#generate")).to_be_visible()
    drop(page, tmp_path / "holiday")
    expect(page.locator(".photos figcaption")).to_contain_text(["9.png", "10.png", "1.png"])
    drop(page, tmp_path / "none")
    expect(page.locator("#toasts .error")).to_have_text("There are no photos in this folder.")
    expect(page.locator(".photos figure")).to_have_count(3)


@pytest.mark.soak
def test_a_panorama_shows_what_the_clip_makes_of_it(bare: Studio, page: Page) -> None:
    page.goto(bare.url)
    for count in (1, 2):
        page.set_input_files("#photo-file", photos(count, 1200, 250))
        expect(page.locator(".photos figure")).to_have_count(count)
        canvas, mark = page.locator(".photos .canvas").first, page.locator(".photos .frame").first
        if not page.locator("details.advanced").evaluate("box => box.open"):
            page.locator("details.advanced summary").click()
        page.locator(".segments.fit label").first.click()
        expect(mark).to_be_visible()
        whole, kept = canvas.bounding_box(), mark.bounding_box()
        assert whole is not None
        assert kept is not None
        clip = next(map(float, re.findall(r"(\d+) × \d+", page.locator(".resolution small").first.inner_text())))
        height = float(re.findall(r"× (\d+)", page.locator(".resolution small").first.inner_text())[0])
        assert whole["width"] / whole["height"] == pytest.approx(1200 / 250, rel=0.03)
        assert kept["width"] / kept["height"] == pytest.approx(clip / height, rel=0.03)
        page.locator(".segments.fit label").last.click()
        expect(mark).to_be_hidden()
        expect(page.locator(".photos .ground").first).to_be_visible()
        padded = canvas.bounding_box()
        assert padded is not None
        assert padded["width"] / padded["height"] == pytest.approx(clip / height, rel=0.03)


def test_settings_are_remembered(bare: Studio, page: Page) -> None:
    page.goto(bare.url)
    choose_photo(page, SAMPLE)
    page.locator(".resolution label", has_text="720p").click()
    page.locator(".seconds label").last.click()
    page.locator("details.advanced summary").click()
    page.locator("#f-seed").fill("77")
    page.reload()
    expect(page.locator(".resolution input:checked")).to_have_value("720p")
    expect(page.locator(".seconds input:checked")).to_have_value("12")
    expect(page.locator("#f-seed")).to_have_value("77")
    expect(page.locator(".photos figure img")).to_be_visible()


def test_the_speed_is_chosen_with_its_time_beside_it(bare: Studio, page: Page, puppet: Puppet) -> None:
    """Only what the model offers; the steps that are shown are the mode's."""
    page.goto(bare.url)
    choose_photo(page, SAMPLE)
    page.locator("details.advanced summary").click()
    offered, steps = page.locator(".mode label:visible"), page.locator(".field.steps output")
    expect(offered.locator("b")).to_have_text(["Best", "Fast"])
    expect(offered.locator(".cost", has_text="≈ ")).to_have_count(2)
    expect(steps).to_have_text("8")
    choose_model(page, "svd-xt")
    expect(offered.locator("b")).to_have_text(["Best", "Balanced", "Fast"])
    expect(offered.locator(".cost", has_text="≈ ")).to_have_count(3)
    offered.nth(1).click()
    choose_model(page, "mini")
    expect(page.locator(".mode input:checked")).to_have_value("best")
    offered.nth(1).click()
    expect(steps).to_have_text("4")
    page.click("#generate")
    page.wait_for_url(re.compile("job="))
    expect(page.locator("#job")).to_contain_text("mini · Fast · seed")
    job = httpx.get(f"{bare.url}/studio/jobs/{page.url.split('job=')[1]}").json()
    assert (job["settings"]["mode"], job["settings"]["steps"]) == ("fast", None)
    page.reload()
    expect(page.locator(".mode input:checked")).to_have_value("fast")


def test_photos_that_the_server_let_go_go_here_too(bare: Studio, page: Page) -> None:
    gone = {"id": "0" * 32, "name": "old.png", "width": 160, "height": 90, "view": "/studio/photos/0/view", "sizes": {}}
    page.goto(bare.url)
    page.evaluate("text => localStorage.setItem('fanslymotion.photos', text)", json.dumps([gone]))
    page.reload()
    expect(page.locator(".drop[for=photo-file]")).to_be_visible()
    expect(page.locator(".photos figure")).to_have_count(0)
    # One that goes while the page is open is told, and goes here, too.
    choose_photo(page, SAMPLE)
    page.route("**/studio/photos/*", lambda route: route.fulfill(status=404, json={"error": "It was deleted."}))
    page.route("**/studio/jobs", lambda route: route.fulfill(status=404, json={"error": "This photo is gone."}))
    page.click("#generate")
    expect(page.locator(".go .problem")).to_have_text("This photo is gone.")
    expect(page.locator(".photos figure")).to_have_count(0)
    page.unroute_all()


def test_settings_of_a_model_that_is_not_here(bare: Studio, page: Page, tmp_path: Path) -> None:
    page.goto(bare.url)
    settings = {"resolution": "720p", "seconds": 6, "quality": "standard", "model": "gone-model", "seed": 5}
    page.route("**/studio/settings", lambda route: route.fulfill(json=settings))
    video = tmp_path / "from a friend.mp4"
    video.write_bytes(b"mp4")
    page.set_input_files("#photo-file", video)
    expect(page.locator("#toasts .error")).to_contain_text("Model: gone-model → mini")
    expect(page.locator(".resolution input:checked")).to_have_value("720p")


def test_the_browsers_language(bare: Studio, page: Page) -> None:
    of_language(page, "ru-RU")
    page.goto(bare.url)
    expect(page.locator("#generate")).to_contain_text("Создать видео")
    assert page.evaluate("document.documentElement.lang") == "ru"
    expect(page.locator("h1")).to_have_text("Создать")


@pytest.mark.soak
def test_blocked_storage_and_late_words(bare: Studio, page: Page) -> None:
    """A browser that refuses storage shows the page; a server that refuses the words is asked again."""
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('blocked'); } })"
    )
    refused: list[str] = []

    def once(route: Route) -> None:
        if refused:
            route.continue_()
        else:
            refused.append(route.request.url)
            route.fulfill(status=503, body="{}")

    page.route("**/studio/locales/*", once)
    page.goto(bare.url)
    expect(page.locator("#trouble")).to_contain_text("trying again")
    expect(page.locator("#generate")).to_contain_text("Generate")
    expect(page.locator("#trouble")).to_be_hidden()
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"


def test_settings_too_big_for_the_machine_say_why(bare: Studio, page: Page) -> None:
    words = {
        "code": "FM-MEM-004",
        "title": "Big",
        "cause": "They need about 11 GB; 6 GB are free.",
        "fix": "Close other programs",
    }
    russian = words | {"cause": "Нужно около 11 ГБ.", "fix": "Закройте другие программы"}

    def estimate(route: Route) -> None:
        found = route.fetch().json()
        shrunk = {"shrunk": True, "width": 768, "height": 448, "fault": {"en": words, "ru": russian}}
        route.fulfill(json=found | {"480p": found["480p"] | shrunk})

    page.route("**/studio/estimate?*", estimate)
    page.goto(bare.url)
    choose_photo(page, SAMPLE)
    warning = page.get_by_text("Generated at 768 × 448 to fit this machine, then enlarged.")
    expect(warning).to_be_in_viewport()
    warning.click(trial=True)  # nothing covers it
    warning.click()
    expect(page.locator(".cost-fault")).to_contain_text("6 GB are free. Close other programs. (FM-MEM-004)")
    page.click("#language")
    expect(page.locator(".cost-fault")).to_contain_text("Закройте другие программы. (FM-MEM-004)")
    page.locator(".resolution label", has_text="1080p").click()
    expect(page.locator(".cost-fault")).to_be_hidden()
    page.unroute_all(behavior="wait")


def test_a_refusal_comes_in_the_pages_language(bare: Studio, page: Page) -> None:
    page.goto(bare.url)
    expect(page.locator("#language")).to_have_text("RU")
    page.click("#language")
    expect(page.locator("#generate")).to_contain_text("Создать")
    page.set_input_files("#photo-file", {"name": "скан.pdf", "mimeType": "image/png", "buffer": b"%PDF-1.7 and more"})
    expect(page.locator(".picker ~ .problem")).to_have_text(
        "скан.pdf: это документ PDF; сохраните страницу как картинку"
    )
    page.click("#language")
    expect(page.locator("#generate")).to_contain_text("Generate")
    page.set_input_files("#photo-file", {"name": "scan.pdf", "mimeType": "image/png", "buffer": b"%PDF-1.7 and more"})
    expect(page.locator(".picker ~ .problem")).to_have_text("scan.pdf is a PDF document; save the page as a picture")


def test_a_bad_photo_gets_a_sentence(bare: Studio, page: Page, tmp_path: Path) -> None:
    text = tmp_path / "заметки 😀.jpg"
    text.write_text("no photo", encoding="utf-8")
    page.goto(bare.url)
    page.set_input_files("#photo-file", text)
    problem = page.locator(".picker ~ .problem")
    expect(problem).to_contain_text("заметки 😀.jpg is not a photo")
    page.click("#generate")
    expect(problem).to_have_text("Choose a photo first.")
