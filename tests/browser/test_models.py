"""The models of this machine: download, check, a folder of one's own, and what the form makes of them."""

import shutil
from pathlib import Path

import httpx
import pytest
from fanslymotion.settings import ROOT
from fanslymotion.tests.browser.studio_page import choose_model, focused
from fanslymotion.tests.studio import Studio
from fanslymotion.tests.tiny_upscaler import COMPACT, write
from playwright.sync_api import Page, Route, expect

pytestmark = pytest.mark.browser

BETTER = "Stable Video Diffusion XT 1.1"
WANTED = "svd-xt-1.1"
NOTHING = {"en": "", "ru": ""}


def told(page: Page, **facts: object) -> dict[str, object]:
    """Put `facts` about the real model into what the server says of it: gigabytes are not fetched here.

    One that is here is the recommended one, and no other.
    """

    def options(route: Route) -> None:
        found = route.fetch().json()
        others = {"recommended": None} if facts.get("recommended") else {}
        found["models"] = [one | (facts if one["name"] == WANTED else others) for one in found["models"]]
        route.fulfill(json=found)

    page.route("**/studio/system", options)
    page.route("**/studio/options", options)
    return facts


def test_a_folder_of_ones_own_is_used_and_forgotten(bare: Studio, page: Page, tmp_path: Path) -> None:
    folder = tmp_path / "my own model"
    page.goto(f"{bare.url}/?view=system")
    page.get_by_text("Use a model I have").click()
    path = page.get_by_label("its folder, with model_index.json in it")
    path.fill(str(folder))
    focused(path).press("Enter")
    expect(page.locator(".own-folder .problem")).to_contain_text("my own model")
    shutil.copytree(ROOT / "assets" / "mini", folder)
    page.locator(".own-folder button").click()
    expect(page.locator("#toasts")).to_contain_text("my-own-model can now be chosen in the form.")
    expect(page.locator(".own-folder .problem")).to_be_hidden()
    page.locator("nav [data-go=create]").click()
    expect(page.locator("#f-model")).to_have_attribute("value", "my-own-model")
    page.locator("nav [data-go=system]").click()
    page.locator("[data-act=forget]").click()
    expect(page.locator("[data-act=forget]")).to_have_count(0)
    page.locator("nav [data-go=create]").click()
    expect(page.locator("#f-model")).to_have_attribute("value", "mini")
    assert (folder / "model_index.json").is_file()


def test_a_model_that_arrives_is_taken(bare: Studio, page: Page) -> None:
    page.goto(bare.url)
    expect(page.locator("#f-model")).to_have_attribute("value", "mini")
    expect(page.locator(".welcome-facts")).to_contain_text("Get it")
    facts = told(page, missing=None, state="ready", recommended={"en": "It is here.", "ru": "Она здесь."})
    page.locator("nav [data-go=system]").click()
    page.locator("nav [data-go=create]").click()
    expect(page.locator("#f-model")).to_have_attribute("value", WANTED)
    expect(page.locator(".welcome-facts")).not_to_contain_text("Get it")
    choose_model(page, "mini")
    page.locator("nav [data-go=queue]").click()
    page.locator("nav [data-go=create]").click()
    expect(page.locator("#f-model")).to_have_attribute("value", "mini")  # chosen by hand
    choose_model(page, WANTED)
    facts["missing"], facts["absent"] = {"en": "not here", "ru": "нет"}, False
    page.locator("nav [data-go=system]").click()
    page.locator("nav [data-go=create]").click()
    expect(page.locator(".model-note .warn")).to_have_text("not here")
    facts["missing"], facts["absent"] = {"en": "nothing here", "ru": "нет"}, True
    page.locator("nav [data-go=system]").click()
    page.locator("nav [data-go=create]").click()
    page.reload()
    expect(page.locator(".model-note .warn")).to_have_text("Not downloaded yet (4.5 GB).")
    # It comes while one types: the fields are made anew, and the keyboard stays.
    page.locator("details.advanced summary").click()
    focused(page.locator("#f-seed")).press("7")
    facts["missing"], facts["absent"] = {"en": "a part is missing", "ru": "нет"}, False
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator(".model-note .warn")).to_have_text("a part is missing")
    expect(page.locator("#f-seed")).to_be_focused()
    expect(page.locator("#f-seed")).to_have_value("7")
    page.unroute_all(behavior="wait")


def test_a_failed_download_says_why_in_both_languages(bare: Studio, page: Page) -> None:
    words = {"title": "The hub refuses access", "cause": "401", "fix": "Open the page", "code": "FM-MODEL-003"}
    russian = words | {"title": "Хаб не даёт доступа", "fix": "Откройте страницу"}
    failed = {
        "status": "failed",
        "phase": "",
        "done": 0,
        "total": 0,
        "speed": 0,
        "seconds_left": None,
        "message": NOTHING,
    }
    failed |= {
        "code": "FM-MODEL-003",
        "error": {"en": "raw words", "ru": "raw words"},
        "page": "https://example.org/terms",
    }
    told(page, download=failed | {"fault": {"en": words, "ru": russian}})
    loaded = 0

    def loads(route: Route) -> None:
        nonlocal loaded
        loaded += 1
        found = route.fetch().json()
        running = failed | {
            "status": "running",
            "done": loaded,
            "total": 1000,
            "fault": None,
            "error": NOTHING,
            "page": "",
        }
        found["models"] = [one | ({"download": running} if one["name"] == "svd-xt" else {}) for one in found["models"]]
        found["models"] = [
            one | ({"download": failed | {"fault": {"en": words, "ru": russian}}} if one["name"] == WANTED else {})
            for one in found["models"]
        ]
        route.fulfill(json=found)

    page.route("**/studio/system", loads)
    page.goto(f"{bare.url}/?view=system")
    row = page.locator(".job-row", has_text=BETTER).first
    # Another model's download draws its own row, every two seconds: what one reads here stays.
    link = focused(row.locator("a"))
    bar = page.locator("[data-model=svd-xt] .bar i")
    before = bar.get_attribute("style")
    expect(bar).not_to_have_attribute("style", before or "")
    expect(link).to_be_focused()
    for said in (
        "The hub refuses access 401",
        "What to do: Open the page",
        "https://example.org/terms",
        "FM-MODEL-003",
    ):
        expect(row).to_contain_text(said)
    expect(row).not_to_contain_text("raw words")
    page.click("#language")
    expect(row).to_contain_text("Хаб не даёт доступа")
    expect(row).to_contain_text("Откройте страницу")
    page.unroute_all(behavior="wait")


def test_the_files_of_a_model_are_checked(bare: Studio, page: Page) -> None:
    """Without gigabytes: what the server would say of a downloaded model is put into its answers."""
    models = httpx.get(f"{bare.url}/studio/system").json()["models"]
    model = next(one for one in models if one["source"] == "hub")
    check = {"status": "done", "done": 9, "total": 9, "damaged": [], "error": NOTHING}

    def answer(found: dict, checked: dict | None) -> dict:
        mine = {"state": "ready", "check": checked}
        return {"models": [one | mine if one["name"] == model["name"] else one for one in found["models"]]}

    def system(route: Route) -> None:
        found = route.fetch().json()
        route.fulfill(json=found | answer(found, check if asked else None))

    asked: list[str] = []

    def ask(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(json=answer({"models": models}, check))

    page.route("**/studio/system", system)
    page.route("**/studio/models/*/*", ask)
    page.goto(f"{bare.url}/?view=system")
    page.locator("[data-act=check]").click()
    expect(page.get_by_text("All files are intact.")).to_be_visible()
    assert asked == [f"{bare.url}/studio/models/{model['name']}/check"]
    check["damaged"] = ["unet/model.safetensors"]
    expect(page.get_by_text("Damaged: unet/model.safetensors. Download replaces them.")).to_be_visible()
    page.unroute_all(behavior="wait")


@pytest.mark.soak
def test_an_upscaler_is_offered_when_it_is_here_and_its_time_is_told(bare: Studio, page: Page) -> None:
    """Off unless chosen; the first visit names both, and where to get them."""
    name, asked = "realesrgan-general-x4v3", []
    page.on("request", lambda request: asked.append(request.url) if "/studio/estimate" in request.url else None)
    page.goto(bare.url)
    page.locator("details.advanced summary").click()
    choice = page.get_by_label("Upscaler")
    expect(choice).to_have_value("")
    expect(choice.locator("option[disabled]")).to_have_count(2)
    expect(page.locator(".field.upscaler")).to_contain_text("Get one under System")
    path = write(bare.models / name / "model.safetensors", COMPACT)
    try:
        page.locator("nav [data-go=system]").click()
        row = page.locator(".job-row", has_text="Real-ESRGAN general v3")
        expect(row).to_contain_text("Downloaded")
        page.locator("nav [data-go=create]").click()
        expect(choice.locator("option[disabled]")).to_have_count(1)
        with page.expect_response(lambda answer: f"upscaler={name}" in answer.url) as costs:
            choice.select_option(name)
        assert costs.value.ok
        expect(page.locator("details.advanced .chosen")).to_contain_text("1 change")
        expect(page.locator(".field.upscaler")).to_contain_text("Copyright (c) 2021, Xintao Wang")
        page.reload()
        expect(choice).to_have_value(name)
    finally:
        path.unlink()
    page.reload()
    expect(choice).to_have_value("")
