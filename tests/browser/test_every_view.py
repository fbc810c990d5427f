"""Every view, wide and narrow, light and dark, in both languages: readable for all, of one width, and still."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import pytest
from fanslymotion.tests.browser.puppet import SAMPLE, Puppet
from fanslymotion.tests.browser.studio_page import choose_photo, findings, shifts, with_shifts
from fanslymotion.tests.soak import soak
from fanslymotion.tests.studio import Studio
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

SCREENS: list[tuple[int, int, Literal["light", "dark"], str]] = [
    (1440, 900, "light", "en-GB"),
    (390, 844, "dark", "ru-RU"),
    (1366, 768, "dark", "ru-RU"),
    (390, 844, "light", "en-GB"),
]

OVERFLOWING = """[...document.querySelectorAll('#studio .card')]
  .filter((card) => card.checkVisibility() && card.scrollWidth > card.clientWidth)
  .map((card) => card.innerText.slice(0, 80))"""

BROKEN_WORDS = """() => {
  const found = [], texts = document.createTreeWalker(document.querySelector('#studio'), NodeFilter.SHOW_TEXT);
  for (let text; (text = texts.nextNode()); ) {
    const parent = text.parentElement;
    const hidden = parent.getBoundingClientRect().width < 4 || getComputedStyle(parent).clipPath !== 'none';
    if (!parent.checkVisibility() || hidden || parent.closest('pre, code')) continue;
    for (const word of text.data.matchAll(/\\p{L}{2,}/gu)) {
      const range = document.createRange();
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size > 1) found.push(word[0]);
    }
  }
  return found;
}"""
"""The words that are cut by the end of a line."""


@dataclass(frozen=True)
class Ids:
    """The jobs that the views show."""

    waiting: str
    live: str
    failed: str
    takes: tuple[str, str]


@pytest.fixture(scope="module")
def puppet(bare: Studio) -> Iterator[Puppet]:
    made = Puppet(bare.home, bare.models)
    yield made
    made.clear()


@pytest.fixture(scope="module")
def jobs(puppet: Puppet) -> Ids:
    takes = []
    for seed in (5, 6):
        takes.append(puppet.take(name="cat.jpg", seed=seed))
        puppet.film(takes[-1])
    failed = puppet.take(name="mountains.jpg")
    puppet.fail(failed, "the memory is too small for this video", "Out of memory; going on with: model offload.")
    live = puppet.take(name="sea.jpg")
    puppet.progress(live, stage="sampling", step=9, steps=24, fraction=0.3, eta=40.0)
    puppet.preview(live, 1)
    puppet.measure(live, 0.8)
    waiting = puppet.queue(name="a very long name of a photo that somebody took by the sea.jpg")
    return Ids(waiting, live, failed, (takes[0], takes[1]))


@pytest.fixture(
    params=[*SCREENS[:2], *soak(*((screen,) for screen in SCREENS[2:]))], ids=lambda one: f"{one[0]}-{one[2]}-{one[3]}"
)
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A tab that keeps each jump of its layout."""
    width, height, scheme, language = request.param
    context = browser.new_context(
        locale=language,
        color_scheme=scheme,
        reduced_motion="reduce",
        viewport={"width": width, "height": height},
        is_mobile=width < 500,
        has_touch=width < 500,
    )
    made = context.new_page()
    with_shifts(made)
    yield made
    context.close()


def form(page: Page) -> None:
    choose_photo(page, SAMPLE)
    page.locator("details.advanced summary").click()
    expect(page.locator("#f-seed")).to_be_visible()
    expect(page.locator(".resolution .cost").first).not_to_be_empty()


def models(page: Page) -> None:
    page.click("#f-model")
    expect(page.locator(".model-card .card-time").last).not_to_be_empty()


def saving(page: Page) -> None:
    page.click("[data-action=save]")
    expect(page.locator(".save-panel")).to_be_visible()


def keys(page: Page) -> None:
    page.keyboard.press("?")
    expect(page.locator("dialog.keys")).to_be_visible()


def selecting(page: Page) -> None:
    page.locator(".select-box:visible").first.check(force=True)
    expect(page.locator(".selection-bar:visible")).to_be_visible()


def as_it_comes(page: Page) -> None:
    """Nothing is done."""


def faults(page: Page, contrast: bool) -> list[str]:
    """What is wrong with the page as it is shown now."""
    found = ["wider than the screen"] if page.evaluate("document.documentElement.scrollWidth > innerWidth") else []
    found += [f"wider than its card: {words}" for words in page.evaluate(OVERFLOWING)]
    found += [f"a broken word: {word}" for word in page.evaluate(BROKEN_WORDS)]
    return found + findings(page, contrast)


def test_every_view(bare: Studio, page: Page, puppet: Puppet, jobs: Ids, request: pytest.FixtureRequest) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    views: list[tuple[str, str, tuple[Callable[[Page], None], ...]]] = [
        ("/", ".welcome-facts li", (as_it_comes, form, models)),
        (f"/?job={jobs.live}", ".frame .preview", (as_it_comes,)),
        (f"/?job={jobs.waiting}", ".live", (as_it_comes,)),
        (f"/?job={jobs.failed}", ".failure", (as_it_comes,)),
        (f"/?job={jobs.takes[0]}", "[data-action=save]", (saving,)),
        ("/?view=queue", ".job-row", (selecting,)),
        ("/?view=gallery", ".tile img", (selecting,)),
        (f"/?view=gallery&compare={'.'.join(jobs.takes)}", ".pair video", (as_it_comes,)),
        ("/?view=system", ".check-row", (keys,)),
    ]
    # Light and dark once each. A width's own colours are those of the navigation and of a job that runs.
    everywhere = request.node.callspec.params["page"][3] == "en-GB"
    puppet.progress(jobs.live, eta=40.0)
    found: list[str] = []
    for address, ready, acts in views:
        page.goto(bare.url + address)
        expect(page.locator(ready).first).to_be_visible()
        expect(page.locator("#worker span")).not_to_be_empty()
        found += [f"{address}: jumps: {jump}" for jump in shifts(page) if jump[0] > 0.01]
        contrast = everywhere or jobs.live in address
        for act in acts:
            act(page)
            found += [f"{address} {act.__name__}: {fault}" for fault in faults(page, contrast)]
    if found:
        pytest.fail("\n".join(found))
    assert [url for url in asked if not url.startswith((bare.url, "data:", "blob:"))] == []
