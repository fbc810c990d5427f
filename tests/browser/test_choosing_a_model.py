"""The choice of a model: what each is for, its time for this video, whether it is here; by pointer and by keyboard."""

import re
import shutil

import pytest
from fanslymotion.pipeline.families.ltx.random_model import build
from fanslymotion.tests.browser.puppet import SAMPLE
from fanslymotion.tests.browser.studio_page import choose_model, choose_photo, findings, focused
from fanslymotion.tests.studio import Studio
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

TIME = re.compile(r"^≈ \d+ (s|min|h)")


def test_the_recommended_one_is_first_with_its_reason_and_each_has_a_time(bare: Studio, page: Page) -> None:
    page.goto(bare.url)
    expect(page.locator("#f-model")).to_contain_text("mini (demo)To try it out")
    page.click("#f-model")
    cards = page.locator(".model-card")
    first = cards.first
    expect(first).to_contain_text("Stable Video Diffusion XT")
    expect(first).to_contain_text("Recommended")
    expect(first).to_contain_text("All-round")
    expect(first.locator(".card-reason")).to_have_text("It needs no account, and has been run on graphics cards.")
    expect(page.locator(".tag.recommended")).to_have_count(1)
    for card in cards.all():
        expect(card.locator(".card-time")).to_have_text(TIME)
    ltx = page.locator("[data-model=ltx-2b].model-card")
    expect(ltx).to_contain_text("QuickNew")
    expect(ltx.locator(".card-can")).to_have_text("Prompt · Last picture · Loop · LoRA · 12 s without a seam")
    expect(page.locator("#models-about")).to_contain_text("6 s at 480p, on this computer's")
    assert findings(page) == []
    page.keyboard.press("Escape")
    expect(page.locator("dialog.models")).to_have_count(0)
    expect(page.locator("#f-model")).to_be_focused()


@pytest.mark.soak
def test_get_it_leads_to_the_models_button(bare: Studio, page: Page) -> None:
    page.goto(bare.url)
    page.click("#f-model")
    page.locator(".model-card[data-model=svd]").get_by_role("link", name="Get it (4.5 GB)").click()
    expect(page.locator("#view-system [data-model=svd] [data-act=download]")).to_be_focused()
    expect(page.locator("dialog.models")).to_have_count(0)


@pytest.mark.soak
def test_the_time_is_that_of_the_form(bare: Studio, page: Page) -> None:
    page.goto(bare.url)
    choose_photo(page, SAMPLE)
    page.locator(".seconds label", has_text="12").click()
    page.locator(".resolution label", has_text="1080p").click()
    shown = page.locator(".resolution label", has_text="1080p").locator(".cost").first
    page.click("#f-model")
    expect(page.locator("#models-about")).to_contain_text("12 s at 1080p")
    time = page.locator(".model-card[data-model=mini] .card-time")
    expect(time).to_have_text(TIME)
    expect(shown).to_have_text(time.inner_text())


@pytest.mark.soak
def test_the_keyboard_chooses(bare: Studio, page: Page) -> None:
    page.goto(bare.url)
    focused(page.locator("#f-model")).press("Enter")
    mini = page.get_by_role("radio", name="mini (demo)")
    expect(mini).to_be_checked()
    expect(mini).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(mini).not_to_be_checked()
    chosen = page.locator(".model-card:has(input:checked)").get_attribute("data-model") or ""
    expect(page.locator("dialog.models")).to_be_visible()  # arrows go through them
    page.keyboard.press("Enter")
    expect(page.locator("dialog.models")).to_have_count(0)
    expect(page.locator("#f-model")).to_have_attribute("value", chosen)
    expect(page.locator("#f-model")).to_be_focused()
    page.reload()
    expect(page.locator("#f-model")).to_have_attribute("value", chosen)


def test_one_that_is_not_here_says_so_in_the_form(bare: Studio, page: Page) -> None:
    page.goto(bare.url)
    choose_model(page, "svd-xt")
    expect(page.locator(".model-note .warn")).to_have_text("Not downloaded yet (4.5 GB).")
    choose_model(page, "mini")
    expect(page.locator(".model-note .warn")).to_have_count(0)


def test_every_list_has_the_same_order_and_words(bare: Studio, page: Page) -> None:
    folder = build(bare.models / "ltx-2b")
    page.goto(bare.url)
    page.click("#language")
    expect(page.locator("#f-model")).to_contain_text("Изменить")
    page.click("#f-model")
    expect(page.locator(".model-card[data-model=ltx-2b]")).to_contain_text("На этом компьютере")
    names = "(all) => all.map((one) => [one.dataset.model, one.querySelector('.tags').innerText])"
    offered = page.locator(".model-card").evaluate_all(names)
    assert [name for name, _ in offered][:3] == ["svd-xt", "mini", "ltx-2b"]
    expect(page.locator("dialog.models")).to_contain_text("Рекомендуем")
    assert findings(page) == []
    page.get_by_role("button", name="Готово", exact=True).click()
    page.locator("nav [data-go=system]").click()
    rows = page.locator("#view-system .job-row[data-model]:not([data-model^=realesrgan])")
    expect(rows.first).to_contain_text("Учётная запись не нужна")
    assert rows.evaluate_all(names) == offered
    shutil.rmtree(folder)


@pytest.mark.soak
def test_on_a_small_screen_all_of_it_can_be_reached(bare: Studio, page: Page) -> None:
    for width, height in ((1366, 768), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        page.goto(bare.url)
        page.click("#f-model")
        expect(page.locator(".card-time").last).to_have_text(TIME)
        inside = "(one) => one.scrollWidth <= one.clientWidth && one.getBoundingClientRect().bottom <= innerHeight"
        assert page.locator("dialog.models").evaluate(inside), (width, height)
        page.locator(".model-card").last.scroll_into_view_if_needed()
        expect(page.locator(".model-card").last).to_be_in_viewport(ratio=1)
        expect(page.get_by_role("button", name="Done", exact=True)).to_be_in_viewport(ratio=1)
