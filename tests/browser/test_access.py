"""For everybody: axe-core finds nothing serious on any view, in light and dark, wide and narrow."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from fanslymotion.settings import ROOT
from fanslymotion.tests.browser.studio_page import generate
from fanslymotion.tests.studio import Studio
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

SERIOUS = ("serious", "critical")


def findings(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {rule['help']}: {[node['html'][:120] for node in rule['nodes'][:3]]}"
        for rule in found
        if rule["impact"] in SERIOUS
    ]


@pytest.fixture(scope="module")
def job(studio: Studio, browser) -> str:
    """A finished one, so that result and gallery have something to show."""
    page = browser.new_page()
    made = generate(page, studio.url, ROOT / "assets" / "sample.jpg", steps=1)
    expect(page.locator("#job")).to_have_attribute("data-status", "done", timeout=120_000)
    page.close()
    return made


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_nothing_serious(studio: Studio, page: Page, job: str, scheme: str, width: int) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 900})
    for address in ("/", f"/?job={job}", "/?view=queue", "/?view=gallery", "/?view=system"):
        page.goto(studio.url + address)
        expect(page.locator("#worker span")).not_to_be_empty()
        if address == "/":
            page.locator("details.advanced summary").click()
        if "job=" in address:
            expect(page.locator("#job")).to_have_attribute("data-status", "done")
            expect(page.locator(".log .line").first).to_be_attached()
        if "gallery" in address:
            expect(page.locator(".tile").first).to_be_visible()
        if "system" in address:
            expect(page.locator(".check-row").first).to_be_visible()
        assert findings(page) == [], address


def test_the_login_page(make_studio, page: Page) -> None:
    guarded = make_studio("--auth", "anna:secret-1", "--no-worker")
    page.goto(guarded.url)
    expect(page.locator("form")).to_be_visible()
    assert findings(page) == []


def test_by_keyboard_alone(studio: Studio, page: Page) -> None:
    page.goto(studio.url)
    expect(page.locator("#generate")).to_be_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip", "first of all: a way past the header"
    page.set_input_files("#photo-file", ROOT / "assets" / "sample.jpg")
    expect(page.locator(".photos figure img")).to_be_visible()
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**job=**")
    expect(page.locator("[data-action=cancel]")).to_be_visible()
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    assert "job=" in page.url, "the way past the header does not lose the job"
    page.locator("[data-action=cancel]").focus()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "focus is seen"
    page.keyboard.press("Enter")
    expect(page.locator("#job")).to_have_attribute("data-status", "cancelled", timeout=60_000)
