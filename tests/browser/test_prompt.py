"""The prompt's field: drawn for models that read one, kept for them, and never sent to another."""

import re
from pathlib import Path

import pytest
import torch
from fanslymotion.pipeline.families.wan import random_model as wan
from fanslymotion.pipeline.families.wan.folder import NEGATIVE_PROMPT
from fanslymotion.presets import load_presets
from fanslymotion.presets.loras import LoraChoice
from fanslymotion.settings import Settings
from fanslymotion.tests import tiny_lora
from fanslymotion.tests.browser.puppet import SAMPLE, Puppet
from fanslymotion.tests.browser.studio_page import AddModel, choose_model, choose_photo, focused
from fanslymotion.tests.studio import Studio
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def wan_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that is told what not to show, too, and takes LoRAs."""
    return wan.build(tmp_path_factory.mktemp("wan") / "model")


WORDS = "Waves roll in 🌊 والريح تهب"


def generate(page: Page) -> str:
    page.click("#generate")
    page.wait_for_url(re.compile(r"job=\w+"))
    return page.url.split("job=")[1]


def test_a_prompt(bare: Studio, page: Page, puppet: Puppet, add_model: AddModel, ltx_folder: Path) -> None:
    add_model(ltx_folder, "reads-words")
    page.goto(bare.url)
    page.locator("details.advanced summary").click()
    # One that is to be tried is not chosen by itself.
    expect(page.locator("#f-model")).to_have_attribute("value", "mini")
    expect(page.locator("#f-prompt")).to_be_hidden()
    choose_model(page, "reads-words")
    expect(page.locator("#f-prompt")).to_be_visible()
    expect(page.locator("#f-motion_bucket_id")).to_be_hidden()
    expect(page.locator(".segments.quality label", has_text="Standard")).to_contain_text("24")
    page.fill("#f-prompt", WORDS)
    choose_photo(page, SAMPLE)
    high = page.locator("#f-prompt").bounding_box()
    page.fill("#f-prompt", 9 * WORDS)
    grown = page.locator("#f-prompt").bounding_box()
    assert high is not None
    assert grown is not None
    assert grown["height"] > 2 * high["height"]
    page.fill("#f-prompt", WORDS)
    asked = puppet.jobs.get(generate(page)).request
    assert (asked.prompt, asked.model) == (WORDS, "reads-words")
    expect(page.locator(".job-prompt p")).to_have_text(WORDS)
    page.click("[data-recipe=copy]")
    expect(page.locator("#toasts")).to_contain_text("Prompt copied.")

    page.goto(bare.url)
    expect(page.locator("#f-prompt")).to_have_value(WORDS)
    choose_model(page, "mini")
    expect(page.locator("#f-prompt")).to_be_hidden()
    choose_photo(page, SAMPLE)
    assert puppet.jobs.get(generate(page)).request.prompt == ""
    page.goto(bare.url)
    choose_model(page, "reads-words")
    expect(page.locator("#f-prompt")).to_have_value(WORDS)


@pytest.mark.soak
def test_ready_prompts_and_a_negative_one(
    bare: Studio, page: Page, puppet: Puppet, add_model: AddModel, ltx_folder: Path, wan_folder: Path
) -> None:
    add_model(wan_folder, "guided")
    add_model(ltx_folder, "unguided")
    wind = load_presets(Settings.local(bare.home, bare.models)).idea("wind")
    page.goto(bare.url)
    page.locator("details.advanced summary").click()
    expect(page.locator(".ideas")).to_be_hidden()
    choose_model(page, "guided")
    button = page.locator(".ideas button", has_text="Wind")
    button.click()
    expect(page.locator("#f-prompt")).to_have_value(wind.prompt)
    expect(button).to_have_attribute("aria-pressed", "true")
    negative = page.locator("#f-negative_prompt")
    expect(negative).to_have_value(NEGATIVE_PROMPT)
    choose_model(page, "unguided")
    expect(negative).to_be_hidden()
    expect(button).to_be_visible()
    choose_model(page, "guided")
    negative.fill("")
    choose_photo(page, SAMPLE)
    asked = puppet.jobs.get(generate(page)).request
    assert (asked.prompt, asked.negative_prompt) == (wind.prompt, "")

    page.goto(bare.url)
    expect(negative).to_have_value("")
    page.locator(".field.negative_prompt button").click()
    expect(negative).to_have_value(NEGATIVE_PROMPT)
    button.click()
    expect(page.locator("#f-prompt")).to_have_value("")
    choose_photo(page, SAMPLE)
    asked = puppet.jobs.get(generate(page)).request
    assert (asked.prompt, asked.negative_prompt) == ("", None)


def test_loras(bare: Studio, page: Page, puppet: Puppet, add_model: AddModel, wan_folder: Path) -> None:
    add_model(wan_folder, "styled")
    pair = {"lora_A.weight": torch.ones(2, 24), "lora_B.weight": torch.ones(24, 2)}
    tensors = {f"transformer.blocks.0.attn1.to_q.{name}": tensor for name, tensor in pair.items()}
    folder = bare.models / "loras"
    files = [tiny_lora.write(folder / f"{name}.safetensors", tensors) for name in ("light", "motion", "style")]
    rows, add = page.locator(".lora-row"), page.locator("#f-loras")
    try:
        page.goto(bare.url)
        page.locator("details.advanced summary").click()
        expect(add).to_be_hidden()
        choose_model(page, "styled")
        expect(rows).to_have_count(0)
        focused(add)
        page.keyboard.press("Enter")
        first = page.get_by_label("LoRA 1", exact=True)
        expect(first).to_be_focused()
        expect(first).to_have_value("light")
        first.select_option("style")
        strength = page.get_by_label("Strength of style")
        expect(strength).to_have_value("1")
        strength.fill("0.4")
        add.click()
        add.click()
        expect(rows).to_have_count(3)
        expect(add).to_be_hidden()  # each of them has a row
        expect(page.get_by_label("LoRA 2").locator("option")).to_have_text(["light"])
        focused(page.get_by_label("Remove light"))
        page.keyboard.press("Enter")
        expect(page.get_by_label("Remove motion")).to_be_focused()
        expect(rows).to_have_count(2)
        choose_photo(page, SAMPLE)
        job_id = generate(page)
        wanted = (LoraChoice("style", 0.4), LoraChoice("motion"))
        assert puppet.jobs.get(job_id).request.loras == wanted

        page.goto(bare.url)  # they are remembered
        expect(rows.locator("output")).to_have_text(["0.40", "1.00"])
        for _ in range(2):
            rows.first.locator("button").click()
        expect(add).to_be_focused()
        choose_photo(page, SAMPLE)
        assert puppet.jobs.get(generate(page)).request.loras == ()
        puppet.jobs.cancel(job_id)
        page.goto(f"{bare.url}/?job={job_id}")
        page.get_by_role("button", name="Change and redo").click()
        expect(rows.locator("select")).to_have_count(2)
        expect(rows.locator("output")).to_have_text(["0.40", "1.00"])
        expect(page.get_by_label("LoRA 1", exact=True)).to_have_value("style")
    finally:
        for file in files:
            file.unlink()
