"""A real Chromium."""

import re
from collections.abc import Callable, Iterator

import pytest
from fanslymotion.bench.browser import find_browser
from fanslymotion.tests.browser.puppet import Puppet
from fanslymotion.tests.studio import Studio
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

expect.set_options(timeout=30_000)  # ends a test that hangs; no test is about speed

GRADIOS = re.compile(r"^(Failed to fetch|Unable to preload) .*/assets/")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Ends with its module: Playwright keeps this thread's event loop running, and other tests need their own."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(locale="en-GB", viewport={"width": 1440, "height": 900})
    made.set_default_timeout(60_000)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A tab in which no script may fail.

    But for Gradio's own, which come last and show nothing: the test may have ended the program by then.
    """
    made = context.new_page()
    troubles: list[str] = []
    made.on("pageerror", lambda error: GRADIOS.search(str(error)) or troubles.append(str(error)))
    yield made
    assert troubles == []


@pytest.fixture(scope="module")
def bare(make_studio: Callable[..., Studio]) -> Studio:
    """Without a worker: `puppet` is it."""
    return make_studio("--no-worker")


@pytest.fixture
def puppet(bare: Studio) -> Iterator[Puppet]:
    made = Puppet(bare.home, bare.models)
    yield made
    made.clear()
