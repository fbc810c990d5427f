"""A worker that cannot start: the page says so, with the traceback and the cause, and goes on by itself when it can."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from fanslymotion.settings import ROOT
from fanslymotion.tests.browser.studio_page import choose_photo
from fanslymotion.tests.studio import Studio
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def test_a_crash_on_import(make_studio: Callable[..., Studio], page: Page, tmp_path: Path) -> None:
    broken = tmp_path / "path" / "torch"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'fancy_kernels'\")\n", encoding="utf-8"
    )
    studio = make_studio(PYTHONPATH=str(broken.parent))
    page.goto(studio.url)
    banner = page.locator("#crash")
    expect(banner).to_be_visible(timeout=60_000)
    expect(banner.locator("p")).to_contain_text("'fancy_kernels' is not installed")
    banner.locator("summary").click()
    expect(banner.locator("pre")).to_contain_text("Likely cause: the package 'fancy_kernels' is not installed")
    expect(banner.locator("pre")).to_contain_text("Traceback")

    choose_photo(page, ROOT / "assets" / "sample.jpg")
    page.locator("details.advanced summary").click()
    page.locator("#f-steps").fill("1")
    page.click("#generate")
    expect(page.locator(".live span.now")).to_contain_text("Waiting, number 1")
    shutil.rmtree(broken)
    expect(page.locator("#job")).to_have_attribute("data-status", "done", timeout=120_000)
    expect(banner).to_be_hidden()
