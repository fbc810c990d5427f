"""A real Chromium and a studio without a worker: one of each for all tests of this folder."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fanslymotion.bench.browser import find_browser
from fanslymotion.pipeline.families.ltx import random_model as ltx
from fanslymotion.settings import Settings
from fanslymotion.tests.browser.puppet import Puppet
from fanslymotion.tests.browser.studio_page import AddModel
from fanslymotion.tests.own_models import use_folder
from fanslymotion.tests.studio import Studio
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

expect.set_options(timeout=30_000)  # ends a test that hangs; no test is about speed

STORED = "cookies,local_storage,indexeddb,service_workers,cache_storage"

GRADIOS = re.compile(r"^(Failed to fetch|Unable to preload) .*/assets/")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Ends with this folder's tests: Playwright keeps this thread's event loop running, and other tests need their own.

    One process draws all tabs of a visitor, and goes on when a tab is closed: a new one costs a third of a second.
    """
    with sync_playwright() as playwright:
        words = ["--no-sandbox", "--process-per-site"]
        chromium = playwright.chromium.launch(executable_path=find_browser(), args=words)
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def profile(browser: Browser, bare: Studio) -> Iterator[BrowserContext]:
    """A visitor with one tab that stays, an icon: it keeps the process of the others.

    No motion is wanted: what moves costs as much again as all else of a page. For tests of motion there is `moving`.
    """
    size = {"width": 1440, "height": 900}
    made = browser.new_context(locale="en-GB", viewport=size, reduced_motion="reduce")
    made.set_default_timeout(60_000)
    made.new_page().goto(f"{bare.url}/studio/static/icon.svg")
    yield made
    made.close()


@pytest.fixture
def context(profile: BrowserContext) -> Iterator[BrowserContext]:
    """The shared profile, with nothing of an earlier test but the browser's cache.

    The page's scripts are fetched and compiled once: a first visit takes 1.7 CPU seconds, each later one 0.6.
    """
    yield profile
    icon, *others = profile.pages
    for page in others:
        page.close()
    link = profile.new_cdp_session(icon)
    link.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": STORED})
    link.detach()
    profile.unroute_all()
    profile.clear_permissions()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A tab in which no script may fail. The icon opens it, in its own process: a tab from nowhere begins with another.

    But for Gradio's own, which come last and show nothing: the test may have ended the program by then.
    """
    with context.expect_page() as opened:
        context.pages[0].evaluate("() => { window.open(); }")
    made = opened.value
    troubles: list[str] = []
    made.on("pageerror", lambda error: GRADIOS.search(str(error)) or troubles.append(str(error)))
    yield made
    assert troubles == []


@pytest.fixture
def moving(page: Page) -> Page:
    """A tab of one who has nothing against motion."""
    page.emulate_media(reduced_motion="no-preference")
    return page


@pytest.fixture(scope="package")
def bare(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Studio]:
    """Without a worker: `puppet` is it. Tests leave nothing in it, and do not stop it."""
    studio = Studio(tmp_path_factory.mktemp("bare") / "data папка", models_dir, ("--no-worker",))
    studio.start()
    yield studio
    studio.kill()


@pytest.fixture
def puppet(bare: Studio) -> Iterator[Puppet]:
    made = Puppet(bare.home, bare.models)
    yield made
    made.clear()


@pytest.fixture(scope="session")
def ltx_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that reads a prompt and can be told the last picture."""
    return ltx.build(tmp_path_factory.mktemp("ltx") / "model")


@pytest.fixture
def add_model(bare: Studio) -> Iterator[AddModel]:
    """Registers a model's folder under a name, for one test."""
    settings, presets = Settings.local(bare.home, bare.models), bare.home / "presets" / "models"
    before = set(presets.iterdir())
    yield lambda folder, name: use_folder(folder, settings, name)
    for added in set(presets.iterdir()) - before:
        added.unlink()
