"""The first minute: what the demo is, what a real model would take here, and no download before that was read."""

import re

import pytest
from fanslymotion.tests.browser.puppet import Puppet
from fanslymotion.tests.studio import Studio, wait_for
from playwright.sync_api import Dialog, Page, Route, expect

pytestmark = pytest.mark.browser

BETTER, NAME = "Stable Video Diffusion XT", "svd-xt"
TIME = re.compile(r"about \d+ (s|min|h)")


def compute_on(page: Page, device: str) -> None:
    """Whatever this machine has: its own estimates, as of a processor or of a graphics card."""

    def estimate(route: Route) -> None:
        costs = route.fetch().json()
        route.fulfill(json={name: cost | {"device": device} for name, cost in costs.items()})

    page.route("**/studio/estimate/models?*", estimate)


def downloads(page: Page) -> list[str]:
    """The names of the models that are asked for from now on; gigabytes are not fetched here."""
    asked: list[str] = []

    def take(route: Route) -> None:
        asked.append(route.request.url.split("/")[-2])
        route.fulfill(json={"models": [], "upscalers": []})

    page.route("**/studio/models/*/download", take)
    return asked


@pytest.mark.soak
def test_get_it_leads_to_its_button_past_the_time(bare: Studio, page: Page) -> None:
    compute_on(page, "cpu")
    page.goto(bare.url)
    fact = page.locator(".welcome-facts li", has_text=f"Recommended: {BETTER}.")
    expect(fact).to_contain_text("It needs no account")
    expect(fact).to_contain_text(TIME)
    expect(fact).to_contain_text("no graphics card to use")
    fact.get_by_role("link", name="Get it (4.5 GB)").click()
    row = page.locator(f"#view-system [data-model='{NAME}']")
    expect(row.locator("[data-act=download]")).to_be_focused()
    expect(row).to_be_in_viewport()
    expect(row).to_contain_text("Recommended")
    for model in page.locator("#view-system [data-model]:not([data-model^=realesrgan])").all():
        expect(model.locator(".time")).to_have_text(re.compile(r"6 s at 480p: about \d+ .* on this computer"))
    expect(row.locator("[data-act=download]")).to_be_focused()  # though the rows are written anew with the times
    page.click("#language")
    expect(row.locator(".time")).to_have_text(re.compile(r"6 с в 480p: около \d+ .* на этом компьютере"))
    page.unroute_all(behavior="wait")


def test_on_a_processor_the_time_is_read_before_gigabytes_are_fetched(bare: Studio, page: Page) -> None:
    compute_on(page, "cpu")
    asked, said = downloads(page), []
    page.goto(f"{bare.url}/?view=system")
    button = page.locator(f"[data-model='{NAME}'] [data-act=download]")

    def answer(dialog: Dialog) -> None:
        said.append(dialog.message)
        if len(said) == 1:
            dialog.dismiss()
        else:
            dialog.accept()

    page.on("dialog", answer)
    expect(page.locator(f"[data-model='{NAME}'] .time")).to_be_visible()
    button.click()
    wait_for(lambda: page.evaluate("1") and said)
    assert re.search(r"4.5 GB.* no graphics card.* 6 s video at 480p will take about \d+ (min|h)", said[0])
    assert asked == []
    with page.expect_response("**/download"):
        button.click()
    assert asked == [NAME]
    page.unroute_all(behavior="wait")


@pytest.mark.soak
def test_on_a_graphics_card_a_click_is_enough(bare: Studio, page: Page) -> None:
    compute_on(page, "cuda")
    asked = downloads(page)
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    page.goto(f"{bare.url}/?view=system")
    expect(page.locator(f"[data-model='{NAME}'] .time")).to_be_visible()
    with page.expect_response("**/download"):
        page.locator(f"[data-model='{NAME}'] [data-act=download]").click()
    assert asked == [NAME]
    page.unroute_all(behavior="wait")


def test_under_a_video_of_the_demo(bare: Studio, page: Page, puppet: Puppet) -> None:
    job = puppet.take()
    page.goto(f"{bare.url}/?job={job}")
    note = page.locator(".demo-note")
    expect(page.locator(".live h2")).to_be_visible()
    expect(note).to_be_hidden()
    puppet.finish(job)
    expect(note).to_contain_text("Made with the demo model")
    expect(note).to_contain_text(f"{BETTER} moves what is in the picture.")
    expect(note).to_contain_text(TIME)
    page.click("#language")
    expect(note).to_contain_text("Сделано демо-моделью")
    note.get_by_role("link", name="Получить").click()
    expect(page.locator(f"#view-system [data-model='{NAME}'] [data-act=download]")).to_be_focused()
    failed = puppet.take()
    puppet.fail(failed, "the disk is full")
    page.goto(f"{bare.url}/?job={failed}")
    expect(page.locator("#job")).to_have_attribute("data-status", "failed")
    expect(note).to_be_hidden()
