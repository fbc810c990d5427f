"""How much moves: three words in the form, the number under Advanced, and nothing for a model that is not told."""

from pathlib import Path

import httpx
import pytest
from fanslymotion.tests.browser.puppet import SAMPLE, Puppet
from fanslymotion.tests.browser.studio_page import AddModel, choose_model, choose_photo
from fanslymotion.tests.studio import Studio
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def asked(studio: Studio, page: Page) -> int | None:
    page.click("#generate")
    page.wait_for_url("**job=*")
    job = httpx.get(f"{studio.url}/studio/jobs/{page.url.split('job=')[1]}").json()
    return job["settings"]["motion_bucket_id"]


def test_a_word_and_its_number_agree(
    bare: Studio, page: Page, puppet: Puppet, add_model: AddModel, ltx_folder: Path
) -> None:
    add_model(ltx_folder, "no-motion")
    page.goto(bare.url)
    choose_photo(page, SAMPLE)
    page.locator("details.advanced summary").click()
    motion, number = page.get_by_role("group", name="Motion"), page.locator("#f-motion_bucket_id")
    chosen = motion.locator("input:checked")
    expect(chosen).to_have_value("normal")
    motion.locator("label", has_text="Strong").click()
    expect(number).to_have_value("180")
    expect(page.locator(".advanced .chosen")).not_to_contain_text("change")
    number.fill("60")
    expect(chosen).to_have_value("gentle")
    number.fill("90")
    expect(chosen).to_have_count(0)
    expect(motion).to_contain_text("own value: 90")
    expect(page.locator(".advanced .chosen")).to_contain_text("1 change")
    page.click("#language")
    expect(page.get_by_role("group", name="Движение")).to_contain_text("своё значение: 90")
    page.locator(".motion label", has_text="Слабое").click()
    expect(number).to_have_value("60")
    page.reload()
    expect(page.locator(".motion input:checked")).to_have_value("gentle")
    assert asked(bare, page) == 60

    page.goto(bare.url)
    choose_model(page, "no-motion")
    expect(page.locator(".motion")).to_be_hidden()
    expect(number).to_be_hidden()
    choose_photo(page, SAMPLE)
    assert asked(bare, page) is None
