"""A real Chromium."""

import re
from collections.abc import Callable, Iterator

import pytest
from fanslymotion.bench.browser import find_browser
from fanslymotion.tests.browser.puppet import Puppet
from fanslymotion.tests.studio import Studio
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

expect.set_options(timeout=30_000)  # ends a test that hangs; no test is about speed

STORED = "cookies,local_storage,indexeddb,service_workers,cache_storage"

GRADIOS = re.compile(r"^(Failed to fetch|Unable to preload) .*/assets/")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Ends with its module: Playwright keeps this thread's event loop running, and other tests need their own."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def profile(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(locale="en-GB", viewport={"width": 1440, "height": 900})
    made.set_default_timeout(60_000)
    yield made
    made.close()


@pytest.fixture
def context(profile: BrowserContext) -> Iterator[BrowserContext]:
    """Its module's profile, with nothing of an earlier test but the browser's cache.

    The page's scripts are fetched and compiled once: a first visit takes 1.7 CPU seconds, each later one 0.6.
    """
    yield profile
    link = profile.new_cdp_session(profile.new_page())
    link.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": STORED})
    for page in profile.pages:
        page.close()
    profile.unroute_all()
    profile.clear_permissions()


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
