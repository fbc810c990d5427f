"""A worker that cannot start: the page says so, with the traceback and the cause, and goes on by itself when it can."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from fanslymotion.tests.browser.puppet import SAMPLE, Puppet
from fanslymotion.tests.browser.studio_page import choose_photo, findings
from fanslymotion.tests.studio import Studio
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser


@pytest.mark.soak
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
    said = banner.locator("p").inner_text()
    expect(banner.locator("p")).not_to_have_text(said, timeout=60_000)  # it has crashed again
    expect(banner.locator("summary")).to_be_focused()
    expect(banner.locator("pre")).to_be_visible()

    choose_photo(page, SAMPLE)
    page.locator("details.advanced summary").click()
    page.locator("#f-steps").fill("1")
    page.click("#generate")
    expect(page.locator(".live span.now")).to_contain_text("Waiting, number 1")
    shutil.rmtree(broken)
    expect(page.locator("#job")).to_have_attribute("data-status", "done", timeout=120_000)
    expect(banner).to_be_hidden()


def test_a_program_that_has_ended_is_not_called_running(make_studio: Callable[..., Studio], browser: Browser) -> None:
    """What the page knew of job and worker is old then, in the words of both languages."""
    studio = make_studio("--no-worker")
    puppet = Puppet(studio.home, studio.models)
    running, waiting = puppet.take(), puppet.queue(name="later.jpg")
    puppet.progress(running, stage="sampling", step=9, steps=24, fraction=0.4, eta=20.0)
    contexts = [browser.new_context(locale=locale, reduced_motion="reduce") for locale in ("en-GB", "ru-RU")]
    english, russian = (context.new_page() for context in contexts)
    english.goto(f"{studio.url}/?job={running}")
    russian.goto(f"{studio.url}/?job={waiting}")
    expect(english.locator(".live span.now")).to_have_text("Generating · step 9 of 24")
    expect(russian.locator(".live span.now")).to_have_text("Ждёт, номер 1 в очереди")
    assert studio.stop() == 0

    expect(english.locator("#trouble")).to_contain_text("Your jobs are safe; they resume when the program runs again.")
    expect(english.locator("#worker")).to_have_attribute("data-state", "lost")
    expect(english.locator("#worker span")).to_have_text("No connection")
    expect(english.locator(".live span.now")).to_have_text("Resumes when the program runs again")
    expect(english.locator(".left")).to_have_text("40 %")
    english.click("nav [data-go=queue]")
    expect(english.locator("#view-queue .jobs .quiet")).to_have_text(["Resumes when the program runs again"] * 2)
    expect(russian.locator("#trouble")).to_contain_text("Ваши задания в безопасности")
    expect(russian.locator("#worker span")).to_have_text("Нет связи")
    expect(russian.locator(".live span.now")).to_have_text("Продолжится, когда программа снова заработает")
    assert findings(russian) == []

    studio.start()
    expect(english.locator("#trouble")).to_be_hidden()
    expect(english.locator("#worker span")).not_to_have_text("No connection")
    expect(russian.locator(".live span.now")).to_have_text("Ждёт, номер 1 в очереди")
    for context in contexts:
        context.close()
