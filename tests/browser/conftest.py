"""A real studio and a real Chromium."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fanslymotion.tests.studio import Studio
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="module")
def make_studio(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Callable[..., Studio]]:
    made: list[Studio] = []

    def make(*words: str) -> Studio:
        studio = Studio(tmp_path_factory.mktemp("studio") / "data папка", models_dir, words)
        studio.start()
        made.append(studio)
        return studio

    yield make
    for studio in made:
        if studio.process is not None and studio.process.poll() is None:
            studio.kill()


@pytest.fixture(scope="module")
def studio(make_studio: Callable[..., Studio]) -> Studio:
    return make_studio()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = os.environ.get("FANSLYMOTION_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
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
    """A tab in which no script may fail."""
    made = context.new_page()
    troubles: list[str] = []
    made.on("pageerror", lambda error: troubles.append(str(error)))
    yield made
    assert not troubles
