"""How the page comes: its own styles and words first, what is kept is not asked for again, Gradio's frontend last."""

import re

import pytest
from fanslymotion.tests.browser.studio_page import shifts, with_shifts
from fanslymotion.tests.studio import Studio, wait_for
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

KEPT = re.compile(r"/assets/|/studio/static/@|/studio/locales/")

DRAWN = """() => [document.body, ...document.querySelectorAll('#studio, #studio *')].map((one) => {
  const { x, y, width, height } = one.getBoundingClientRect();
  const { backgroundColor, color, font } = getComputedStyle(one);
  return [one.tagName, one.id, x, y, width, height, backgroundColor, color, font];
})"""


@pytest.mark.soak
def test_nothing_changes_when_gradios_frontend_comes(bare: Studio, page: Page) -> None:
    with_shifts(page)
    page.goto(bare.url)
    expect(page.locator(".welcome-facts li")).to_have_count(3)
    expect(page.locator(".resolution .cost").first).not_to_be_empty()
    page.locator("details.advanced summary").click()
    expect(page.locator(".with-advanced .advanced-only").first).to_be_visible()  # it comes after the click
    before, jumped, title = page.evaluate(DRAWN), len(shifts(page)), page.title()
    expect(page.locator("gradio-app .gradio-container")).to_be_attached()
    page.wait_for_load_state("networkidle")
    assert page.evaluate(DRAWN) == before
    assert len(shifts(page)) == jumped
    assert page.title() == title
    expect(page.locator("gradio-app")).to_be_hidden()


FRAMES = """
  window.asked = 0;
  const real = window.requestAnimationFrame;
  window.requestAnimationFrame = (callback) => { window.asked += 1; return real(callback); };
"""
STILL = "() => new Promise((go) => { window.asked = 0; setTimeout(() => go(window.asked === 0), 1000); })"


@pytest.mark.soak
def test_a_page_on_which_nothing_moves_asks_for_no_frames(bare: Studio, page: Page) -> None:
    """Gradio's status tracker would go on for ever."""
    page.add_init_script(FRAMES)
    page.goto(bare.url)
    expect(page.locator("gradio-app .gradio-container")).to_be_attached()
    wait_for(lambda: page.evaluate(STILL), 60)
    page.evaluate("() => new Promise(requestAnimationFrame)")
    assert page.evaluate("window.asked") == 1, "the browser's own frames are there again"


def test_it_is_drawn_with_styles_and_in_the_browsers_language_before_any_script(bare: Studio, browser: Browser) -> None:
    context = browser.new_context(locale="ru-RU", viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.route(re.compile(r"\.js$"), lambda route: route.abort())
    page.goto(f"{bare.url}/?view=gallery", wait_until="commit")
    expect(page.locator("nav")).to_contain_text("Галерея")
    assert page.evaluate("document.documentElement.lang") == "ru"
    assert page.locator("header.top").evaluate("one => getComputedStyle(one).position") == "sticky"
    expect(page.locator("#view-gallery")).to_have_js_property("hidden", False)
    expect(page.locator("#view-create")).to_be_hidden()
    context.close()


def test_without_scripts_it_says_what_it_needs(bare: Studio, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(bare.url)
    expect(page.get_by_text("fanslymotion needs JavaScript")).to_be_visible()
    context.close()


def test_a_reload_asks_for_nothing_that_is_kept(bare: Studio, page: Page) -> None:
    came: set[str] = set()
    page.on("requestfinished", lambda request: came.add(request.url))
    page.goto(bare.url)
    expect(page.locator("#generate")).to_be_visible()
    expect(page.locator("gradio-app .gradio-container")).to_be_attached()
    before, asked, kept = {url for url in came if KEPT.search(url)}, [], set()
    assert any("/assets/" in url for url in before)
    link = page.context.new_cdp_session(page)
    link.send("Network.enable")
    link.on("Network.requestServedFromCache", lambda event: kept.add(event["requestId"]))
    link.on("Network.responseReceived", lambda event: asked.append(event))
    page.reload()
    expect(page.locator("#generate")).to_be_visible()
    expect(page.locator("gradio-app .gradio-container")).to_be_attached()
    sent = {
        event["response"]["url"]
        for event in asked
        if event["requestId"] not in kept and not event["response"].get("fromDiskCache")
    }
    assert f"{bare.url}/" in sent
    assert sent & before == set()


@pytest.mark.soak
def test_the_words_of_another_language_than_the_browsers_are_kept_too(bare: Studio, page: Page) -> None:
    page.goto(bare.url)
    page.click("#language")
    expect(page.locator("#generate")).to_contain_text("Создать")
    page.reload()
    expect(page.locator("nav")).to_contain_text("Галерея")
    expect(page.locator("#generate")).to_contain_text("Создать")
