"""The picture that a video ends with: a second box for models that can be told, and none beside a loop."""

import io
from pathlib import Path

import pytest
from fanslymotion.tests.browser.puppet import SAMPLE, Puppet
from fanslymotion.tests.browser.studio_page import AddModel, choose_photo, findings, focused
from fanslymotion.tests.browser.test_layout import check_fits, choose_model, set_screen
from fanslymotion.tests.soak import soak
from fanslymotion.tests.studio import Studio
from PIL import Image
from playwright.sync_api import FilePayload, Page, expect

pytestmark = pytest.mark.browser

LOOP = "A last picture is chosen, so the video cannot loop"
DROP = """(element, [bytes, name]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(bytes)], name, { type: "image/png" }));
  element.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


def picture(name: str = "end.jpg", size: tuple[int, int] = (300, 200), kind: str = "JPEG") -> FilePayload:
    """A picture that lies in its file and stands by its EXIF."""
    made, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.linear_gradient("L").convert("RGB").resize(size).save(made, kind, exif=exif)
    return {"name": name, "mimeType": f"image/{kind.lower()}", "buffer": made.getvalue()}


@pytest.fixture
def able(bare: Studio, puppet: Puppet, page: Page, add_model: AddModel, ltx_folder: Path) -> str:
    """The form with a model that can be told."""
    add_model(ltx_folder, "able")
    page.goto(bare.url)
    expect(page.locator(".resolution .cost").first).not_to_be_empty()
    choose_model(page, "able")
    return bare.url


def asked(page: Page) -> dict:
    with page.expect_response("**/studio/jobs") as answer:
        page.click("#generate")
    (job,) = answer.value.json()["jobs"]
    page.wait_for_url(f"**job={job['id']}")
    return job


def test_a_last_picture_is_asked_for_shown_and_taken_again(page: Page, able: str, puppet: Puppet) -> None:
    box = page.locator(".last-box")
    expect(box).to_be_hidden()  # the first picture comes first
    choose_photo(page, SAMPLE)
    expect(page.get_by_text("Last picture (optional)")).to_be_visible()
    page.set_input_files("#last-file", [picture()])
    expect(box.locator("figure img")).to_be_visible()
    expect(box.locator("figcaption")).to_have_text("end.jpg · 200 × 300")
    expect(page.get_by_text("Last picture: cut to the video's shape.")).to_be_visible()
    frame = box.get_by_role("slider", name="Position of the frame on the photo")
    expect(frame).to_have_attribute("aria-orientation", "vertical")
    focused(frame).press("Home")
    assert findings(page) == []
    page.reload()
    expect(box.locator("figure img")).to_be_visible()

    job = asked(page)
    assert (job["last_photo"]["name"], job["settings"]["position"], job["settings"]["loop"]) == ("end.jpg", 0, False)
    expect(page.locator(".ends-with")).to_have_text("Ends with end.jpg")
    expect(page.locator(".ends-with img")).to_have_js_property("complete", True)
    assert page.locator(".ends-with img").evaluate("one => one.naturalWidth") > 0
    puppet.jobs.cancel(job["id"])
    box.get_by_role("button", name="Remove this photo").click()
    expect(box.locator("figure")).to_have_count(0)
    expect(page.locator("#last-file")).to_be_focused()
    page.get_by_role("button", name="Change and redo").click()
    expect(box.locator("figcaption")).to_have_text("end.jpg · 200 × 300")

    choose_model(page, "mini")
    expect(box).to_be_hidden()
    plain = asked(page)
    assert plain["last_photo"] is None
    puppet.jobs.cancel(plain["id"])
    expect(page.locator(".ends-with")).to_be_hidden()
    page.get_by_role("button", name="Change and redo").click()
    choose_model(page, "able")
    expect(page.get_by_text("Last picture (optional)")).to_be_visible()  # that job had none


def test_a_loop_and_a_last_picture_explain_each_other(page: Page, able: str, puppet: Puppet) -> None:
    choose_photo(page, SAMPLE)
    page.set_input_files("#last-file", [picture()])
    expect(page.locator(".last-box figure img")).to_be_visible()
    page.locator("details.advanced summary").click()
    expect(page.locator("#f-loop")).to_be_disabled()
    expect(page.get_by_text(LOOP)).to_be_visible()
    row = page.locator(".field.loop .switch").bounding_box()
    assert row is not None
    assert row["height"] < 40, "its name stands in one line"
    page.locator(".last-box").get_by_role("button", name="Remove this photo").click()
    expect(page.get_by_text(LOOP)).to_be_hidden()
    page.locator("#f-loop").check()
    expect(page.get_by_text("Loop is on: the video ends with its first picture.")).to_be_visible()
    expect(page.get_by_text("Last picture (optional)")).to_be_hidden()
    page.click("#language")
    expect(page.get_by_text("Включено «Зациклить»: видео кончается первым кадром.")).to_be_visible()
    page.locator("#f-loop").uncheck()
    expect(page.get_by_text("Последний кадр (по желанию)")).to_be_visible()
    assert asked(page)["last_photo"] is None


def test_what_is_let_go_over_its_place_is_the_last_picture(page: Page, able: str) -> None:
    choose_photo(page, SAMPLE)
    end, other = picture("end.png", kind="PNG"), picture("other.png", kind="PNG")
    page.locator(".last-box").evaluate(DROP, [list(end["buffer"]), end["name"]])
    expect(page.locator(".last-box figcaption")).to_contain_text("end.png")
    page.locator("body").evaluate(DROP, [list(other["buffer"]), other["name"]])
    expect(page.locator(".first-box figcaption")).to_contain_text("other.png")
    expect(page.locator(".last-box figcaption")).to_contain_text("end.png")
    page.set_input_files("#last-file", [{"name": "bad.png", "mimeType": "image/png", "buffer": b"no photo"}])
    expect(page.locator(".last-words .problem")).to_contain_text("bad.png is not a photo")
    expect(page.locator(".last-box figcaption")).to_contain_text("end.png")
    page.set_input_files("#last-file", [picture("small.png", (40, 40), "PNG")])
    expect(page.locator(".last-words .problem")).to_contain_text("small.png")


@pytest.mark.parametrize(("width", "height", "language"), [(1366, 768, "ru-RU"), *soak((390, 844, "en-GB"))])
def test_the_form_fits_with_both(
    bare: Studio, page: Page, add_model: AddModel, ltx_folder: Path, width: int, height: int, language: str
) -> None:
    add_model(ltx_folder, "able")
    set_screen(page, width, height, language)
    page.goto(bare.url)
    expect(page.locator(".resolution .cost").first).not_to_be_empty()
    choose_model(page, "able")
    choose_photo(page, SAMPLE)
    check_fits(page, "a first picture")
    page.set_input_files("#last-file", [picture()])
    expect(page.locator(".last-box figure img")).to_be_visible()
    check_fits(page, "both")
    inside, whole = page.locator(".photo-box").evaluate("one => [one.clientHeight, one.scrollHeight]")
    assert whole <= inside
