"""The form fits its screen, whatever it holds; nothing jumps; nothing is wider than the screen."""

from pathlib import Path

import pytest
from fanslymotion.tests.browser.puppet import SAMPLE
from fanslymotion.tests.browser.studio_page import (
    AddModel,
    choose_model,
    choose_photo,
    findings,
    of_language,
    shifts,
    with_shifts,
)
from fanslymotion.tests.soak import soak
from fanslymotion.tests.studio import Studio
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

SCREENS = [(1440, 900), (1024, 768), (1366, 768)]

CROWDED = """[...form.querySelectorAll('.segments .row')]
  .filter((row) => row.checkVisibility({ contentVisibilityAuto: true }))
  .filter((row) => row.scrollWidth > row.clientWidth
    || [...row.querySelectorAll('b')].some((words) => words.offsetHeight > 30))
  .map((row) => row.innerText)"""
"""Choices that are wider than their row, or whose words are broken over two lines."""

HELD = """([kind, ...types]) => {
  const data = new DataTransfer();
  if (types.includes("file")) data.items.add(new File(["x"], "x.png", { type: "image/png" }));
  else data.items.add("x", "text/plain");
  document.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


def set_screen(page: Page, width: int, height: int, language: str) -> None:
    page.set_viewport_size({"width": width, "height": height})
    of_language(page, language)
    with_shifts(page)


def check_fits(page: Page, what: str) -> None:
    expect(page.locator(".resolution .cost").first).not_to_be_empty()
    inside, whole, wide = page.evaluate(
        "[form.clientHeight, form.scrollHeight, document.documentElement.scrollWidth - innerWidth]"
    )
    assert whole <= inside, f"{what}: {whole} px of form in {inside} px"
    assert wide <= 0, what
    assert page.evaluate(CROWDED) == [], what
    expect(page.locator("#generate")).to_be_in_viewport(ratio=1)


def check_fits_every_screen(page: Page, what: str) -> None:
    for width, height in SCREENS:
        page.set_viewport_size({"width": width, "height": height})
        check_fits(page, f"{what}, {width} x {height}")


@pytest.mark.parametrize("language", ["ru-RU", *soak("en-GB")])  # Russian words are longer
def test_the_form_needs_no_scrolling(
    bare: Studio, page: Page, add_model: AddModel, ltx_folder: Path, language: str
) -> None:
    add_model(ltx_folder, "prompted")
    set_screen(page, *SCREENS[0], language)
    page.goto(bare.url)
    expect(page.locator(".resolution .cost").first).not_to_be_empty()
    check_fits_every_screen(page, "first visit")
    choose_model(page, "prompted")
    expect(page.locator("#f-prompt")).to_be_visible()
    for width, height in SCREENS:
        page.set_viewport_size({"width": width, "height": height})
        drop = page.locator(".first-box .drop")
        assert drop.evaluate("(one) => one.scrollHeight <= one.clientHeight"), (width, height)
    choose_model(page, "mini")
    before = len(shifts(page))
    choose_photo(page, SAMPLE)
    page.locator(".shape label", has=page.locator("input[value='9:16']")).click()
    check_fits(page, "a photo and a shape")
    assert [shift for shift in shifts(page)[before:] if shift[0] > 0.001] == []
    for model in ("svd-xt", "svd-xt-1.1", "prompted"):
        choose_model(page, model)
        check_fits_every_screen(page, model)
    expect(page.locator("#f-prompt")).to_be_in_viewport(ratio=1)
    assert findings(page) == []


def test_on_a_phone_nothing_is_wider_than_the_screen(bare: Studio, page: Page) -> None:
    set_screen(page, 390, 844, "ru-RU")
    page.goto(bare.url)
    choose_photo(page, SAMPLE)
    expect(page.locator(".resolution .cost").first).not_to_be_empty()
    page.locator("details.advanced summary").click()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.locator("#generate")).to_be_in_viewport(ratio=1)
    assert findings(page) == []


@pytest.mark.soak
def test_many_photos_scroll_in_their_own_place(bare: Studio, page: Page) -> None:
    page.set_viewport_size({"width": 1366, "height": 768})
    page.goto(bare.url)
    page.set_input_files("#photo-file", [SAMPLE] * 14)
    expect(page.locator(".photos figure")).to_have_count(14)
    check_fits(page, "14 photos")


def test_a_file_that_is_held_over_the_page_is_welcomed(bare: Studio, page: Page) -> None:
    page.goto(f"{bare.url}/?view=system")
    welcome = page.get_by_text("Drop it anywhere on the page", exact=True)
    expect(page.locator("#generate")).to_be_attached()  # the view is there before the scripts are
    expect(page.locator("#view-system")).to_be_visible()
    expect(welcome).to_be_hidden()
    page.evaluate(HELD, ["dragover", "file"])
    expect(welcome).to_be_visible()
    page.evaluate("document.dispatchEvent(new DragEvent('dragleave', { bubbles: true }))")
    expect(welcome).to_be_hidden()
    page.evaluate(HELD, ["dragover", "words"])
    expect(welcome).to_be_hidden()


def test_the_switch_of_languages_says_what_it_does(bare: Studio, page: Page) -> None:
    page.goto(bare.url)
    page.get_by_role("button", name="RU: show this page in Russian").click()
    page.get_by_role("button", name="EN: показать страницу на английском").click()
    expect(page.get_by_role("button", name="RU: show this page in Russian")).to_be_visible()


@pytest.mark.soak
def test_the_systems_columns_stay_and_models_come_first(bare: Studio, page: Page) -> None:
    for width in (1440, 1100, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(f"{bare.url}/?view=system")
        expect(page.locator("#view-system .check-row").first).to_be_visible()
        boxes = page.locator("#view-system .box")
        expect(boxes.first.locator("h2")).to_have_text("Models")
        places = [box.bounding_box() for box in boxes.all()]
        assert all(place is not None for place in places)
        assert min((place["y"], place["x"]) for place in places if place) == (places[0]["y"], places[0]["x"])  # type: ignore[index]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_select_looks_like_one(bare: Studio, page: Page) -> None:
    """Gradio takes the browser's arrow away."""
    page.goto(bare.url)
    page.locator("details.advanced summary").click()
    for select in page.locator("select:visible").all():
        drawn = "one => [getComputedStyle(one).backgroundImage, getComputedStyle(one).borderTopWidth]"
        assert "linear-gradient" in select.evaluate(drawn)[0]
        assert select.evaluate(drawn)[1] == "1px"
