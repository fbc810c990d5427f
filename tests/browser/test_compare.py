"""Takes of one photo: together in the gallery, told apart, and two of them watched in step."""

from pathlib import Path

import pytest
from fanslymotion.tests.browser.puppet import Puppet
from fanslymotion.tests.browser.studio_page import focused
from fanslymotion.tests.studio import Studio, wait_for
from PIL import Image
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

TIMES = "[...document.querySelectorAll('.pair video')].map(video => video.currentTime)"
READY = "[...document.querySelectorAll('.pair video')].filter(video => video.readyState >= 2).length === 2"
PLAYING = "[...document.querySelectorAll('.pair video')].filter(video => !video.paused).length"


@pytest.fixture
def takes(puppet: Puppet, tmp_path: Path) -> list[str]:
    """Two takes of one photo, with a video of another photo between them; the newest first."""
    other = tmp_path / "other.png"
    Image.new("RGB", (320, 180), "teal").save(other)
    made = [puppet.take(name="cat.jpg", seed=5)]
    puppet.film(made[0], frames=36)
    puppet.film(puppet.take(other, name="other.png"))
    made.append(puppet.take(name="cat.jpg", seed=6, steps=10))
    puppet.film(made[1])
    return made[::-1]


def names(page: Page) -> list[str]:
    return page.locator(".tile .tile-words b").all_inner_texts()


def open_pair(page: Page, puppet: Puppet, url: str, pair: list[str]) -> None:
    puppet.let_play(page)
    page.goto(f"{url}/?view=gallery&compare={'.'.join(pair)}")
    page.wait_for_function(READY)


def test_takes_stand_together_and_are_told_apart(bare: Studio, page: Page, puppet: Puppet, takes: list[str]) -> None:
    page.goto(f"{bare.url}/?view=gallery")
    expect(page.locator(".tile")).to_have_count(3)
    assert names(page) == ["cat.jpg", "cat.jpg", "other.png"]
    apart = page.locator(".tile .apart")
    expect(apart.nth(0)).to_have_text("Take 2 of 2 · Seed: 6 · Steps: 10")
    expect(apart.nth(1)).to_have_text("Take 1 of 2 · Seed: 5 · Steps: model's default")
    expect(apart.nth(2)).to_be_hidden()
    page.click("#language")
    expect(apart.nth(0)).to_have_text("Вариант 2 из 2 · Сид: 6 · Шаги: 10")
    page.click("#language")
    page.locator(".tile").nth(1).hover()
    page.locator(".tile").nth(1).get_by_label("Compare with another take").click()
    expect(page).to_have_url(f"{bare.url}/?view=gallery&compare={takes[0]}.{takes[1]}")
    expect(page.locator(".compare h2")).to_have_text("Two takes of cat.jpg")
    expect(page.locator(".gallery")).to_be_hidden()
    page.go_back()
    expect(page.locator(".gallery")).to_be_visible()
    expect(page.locator(".compare")).to_be_hidden()


@pytest.mark.soak
def test_both_play_pause_and_move_together(bare: Studio, moving: Page, puppet: Puppet, takes: list[str]) -> None:
    page = moving
    open_pair(page, puppet, bare.url, takes)
    wait_for(lambda: page.evaluate(PLAYING) == 2)
    expect(page.locator(".compare-controls .time")).to_contain_text("/ 2.0 s")  # the shorter one's
    wait_for(lambda: min(page.evaluate(TIMES)) > 0.2)
    page.keyboard.press(" ")
    wait_for(lambda: page.evaluate(PLAYING) == 0)
    page.locator(".scrub").fill("1.25")
    wait_for(lambda: page.evaluate(TIMES) == [1.25, 1.25])
    focused(page.locator(".compare"))
    page.keyboard.press("ArrowRight")
    at = (15 + 1.5) / 12
    wait_for(lambda: page.evaluate(TIMES) == pytest.approx([at, at]))
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    wait_for(lambda: page.evaluate(TIMES) == pytest.approx([at - 2 / 12] * 2))
    page.evaluate("document.querySelectorAll('.pair video')[0].currentTime = 1.9")
    page.locator("[data-compare=play]").click()  # over the end of the shorter one to the beginning of both
    wait_for(lambda: max(page.evaluate(TIMES)) < 1.0)
    wait_for(lambda: min(page.evaluate(TIMES)) > 0.2)
    first, second = page.evaluate(TIMES)
    assert abs(first - second) < 0.25


def test_swapped_and_under_a_dividing_line(bare: Studio, page: Page, puppet: Puppet, takes: list[str]) -> None:
    open_pair(page, puppet, bare.url, takes)
    words = page.locator(".pair figcaption")
    expect(words.nth(0)).to_have_text("Seed: 6 · Steps: 10")
    page.keyboard.press("s")
    expect(words.nth(0)).to_have_text("Seed: 5 · Steps: model's default")
    expect(page).to_have_url(f"{bare.url}/?view=gallery&compare={takes[1]}.{takes[0]}")
    page.reload()
    expect(words.nth(0)).to_have_text("Seed: 5 · Steps: model's default")
    boxes = [video.bounding_box() for video in page.locator(".pair video").all()]
    assert boxes[0]
    assert boxes[1]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] + boxes[0]["width"] < boxes[1]["x"]
    page.keyboard.press("d")
    line = page.locator(".divider")
    expect(line).to_be_visible()
    boxes = [video.bounding_box() for video in page.locator(".pair video").all()]
    assert boxes[0] == boxes[1]
    box = line.bounding_box()
    assert box
    assert boxes[0]
    assert box["height"] == pytest.approx(boxes[0]["height"], abs=2)
    focused(line)
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    clip = "getComputedStyle(document.querySelector('.pair .b video')).clipPath"
    wait_for(lambda: "55%" in page.evaluate(clip))
    page.mouse.click(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    wait_for(lambda: "55%" not in page.evaluate(clip))
    page.keyboard.press("Escape")
    expect(page.locator(".gallery")).to_be_visible()


@pytest.mark.soak
def test_on_a_phone_one_above_the_other(bare: Studio, page: Page, puppet: Puppet, takes: list[str]) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    open_pair(page, puppet, bare.url, takes)
    above, below = (video.bounding_box() for video in page.locator(".pair video").all())
    assert above
    assert below
    assert above["y"] + above["height"] < below["y"]
    assert above["x"] == below["x"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    controls = page.locator(".compare-controls").bounding_box()
    assert controls
    assert controls["y"] + controls["height"] < 844 - 54, "all of it is seen at once"


@pytest.mark.soak
def test_what_cannot_be_compared_leads_back(bare: Studio, page: Page, puppet: Puppet, takes: list[str]) -> None:
    page.goto(bare.url)
    page.goto(f"{bare.url}/?view=gallery&compare={takes[0]}.{'f' * 12}")
    expect(page.locator("#toasts .error")).to_be_visible()
    expect(page.locator(".gallery")).to_be_visible()
    assert page.title() == "Gallery · fanslymotion"
    page.go_back()  # past what cannot be shown
    assert page.url == f"{bare.url}/"
