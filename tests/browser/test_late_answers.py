"""Answers that come late, in another order than their questions, or not at all: none takes the place of newer ones."""

import re
from collections.abc import Callable

import httpx
import pytest
from fanslymotion.tests.browser.puppet import SAMPLE, Puppet
from fanslymotion.tests.browser.studio_page import choose_photo, hide, with_curtain
from fanslymotion.tests.browser.test_form import photo, waiting
from fanslymotion.tests.studio import Studio, wait_for
from playwright.sync_api import Page, Request, Route, expect

pytestmark = pytest.mark.browser

Held = list[Route]
HOUR = 3600


def held(page: Page, routes: Held, count: int) -> None:
    wait_for(lambda: page.evaluate("1") and len(routes) == count)


def hold(page: Page, address: str | re.Pattern[str], method: str = "") -> Held:
    """Keep what is asked there until the test lets it go."""
    routes: Held = []

    def keep(route: Route) -> None:
        if method in ("", route.request.method):
            routes.append(route)
        else:
            route.fallback()

    page.route(address, keep)
    return routes


def slower(hours: int) -> Callable[[Route], None]:
    """Answer that each video takes so many hours."""

    def estimate(route: Route) -> None:
        found = route.fetch().json()
        route.fulfill(json={name: cost | {"seconds": hours * HOUR} for name, cost in found.items()})

    return estimate


def first_cost(page: Page) -> object:
    return expect(page.locator(".resolution .cost").first)


@pytest.mark.soak
def test_the_cost_of_the_newest_choice_comes_though_the_one_before_failed(bare: Studio, page: Page) -> None:
    page.goto(bare.url)
    first_cost(page).to_contain_text("≈ ")
    asked = hold(page, "**/studio/estimate?*")
    page.locator(".seconds label", has_text="12 s").click()
    held(page, asked, 1)
    page.locator(".quality label", has_text="Smooth").click()
    with page.expect_event("requestfailed"):
        asked[0].abort()
    held(page, asked, 2)
    slower(7)(asked[1])
    first_cost(page).to_have_text("≈ 7 h 0 min")


@pytest.mark.soak
def test_a_cost_that_could_not_be_asked_is_asked_again(bare: Studio, page: Page) -> None:
    page.goto(bare.url)
    first_cost(page).to_contain_text("≈ ")
    page.route("**/studio/estimate?*", slower(8))
    page.route("**/studio/estimate?*", lambda route: route.abort(), times=1)
    with page.expect_event("requestfailed"):
        page.locator(".seconds label", has_text="12 s").click()
    first_cost(page).to_have_text("≈ 8 h 0 min")
    page.unroute_all(behavior="wait")


@pytest.mark.soak
def test_a_cost_is_asked_again_when_one_comes_back(bare: Studio, page: Page) -> None:
    """Another program was closed meanwhile, or a video has been measured."""
    with_curtain(page)
    page.goto(bare.url)
    first_cost(page).to_contain_text("≈ ")
    hide(page)
    page.route("**/studio/estimate?*", slower(8))
    hide(page, False)
    first_cost(page).to_have_text("≈ 8 h 0 min")
    page.click("nav [data-go=queue]")
    page.route("**/studio/estimate?*", slower(9))
    page.click("nav [data-go=create]")
    first_cost(page).to_have_text("≈ 9 h 0 min")
    page.unroute_all(behavior="wait")


def test_a_cost_is_asked_again_when_a_job_has_ended(bare: Studio, page: Page, puppet: Puppet) -> None:
    """Its measurements make the next estimate a better one."""
    job = puppet.take()
    page.goto(f"{bare.url}/?job={job}")
    expect(page.locator("#job")).to_have_attribute("data-status", "running")
    first_cost(page).to_contain_text("≈ ")
    page.route("**/studio/estimate?*", slower(8))
    puppet.finish(job)
    first_cost(page).to_have_text("≈ 8 h 0 min")
    page.unroute_all(behavior="wait")


def test_a_refused_photo_holds_generate_whatever_comes_after_it(bare: Studio, page: Page, puppet: Puppet) -> None:
    page.goto(bare.url)
    choose_photo(page, SAMPLE)
    sent = hold(page, "**/studio/photos")
    for number, name in enumerate(("refused.png", "taken.png"), 1):
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Add photos").click()
        chooser.value.set_files(photo(name))
        held(page, sent, number)
    page.click("#generate")
    expect(page.locator("#generate")).to_have_attribute("aria-busy", "true")
    problem = page.locator(".picker:has(#photo-file) ~ .problem")
    sent[0].fulfill(status=400, json={"error": "refused.png is not a photo"})
    expect(problem).to_have_text("refused.png is not a photo")
    page.locator(".seconds label", has_text="12 s").click()
    sent[1].continue_()
    expect(page.locator("#generate")).not_to_have_attribute("aria-busy", "true")
    assert waiting(bare) == [], "what was refused is not left out in silence"
    expect(page.locator(".photos figcaption")).to_contain_text(["sample.jpg", "taken.png"])
    expect(problem).to_have_text("refused.png is not a photo")
    page.click("#generate")
    page.wait_for_url(re.compile("job="))
    assert waiting(bare) == ["sample.jpg", "taken.png"]


@pytest.mark.soak
def test_more_of_a_list_comes_though_a_job_ends_meanwhile(bare: Studio, page: Page, puppet: Puppet) -> None:
    for _ in range(22):
        puppet.fail(puppet.take(), "the disk was full")
    job = puppet.take()
    page.goto(f"{bare.url}/?view=queue")
    rows = page.locator(".unfinished > li")
    expect(rows).to_have_count(20)
    asked = hold(page, re.compile(r"/studio/jobs\?"))
    page.locator("#view-queue .more").click()
    held(page, asked, 1)
    puppet.fail(job, "the disk was full")
    held(page, asked, 2)
    for route in asked:
        route.continue_()
    expect(rows).to_have_count(23)


@pytest.mark.parametrize("late", [False, True])
def test_what_is_being_deleted_does_not_come_back(bare: Studio, page: Page, puppet: Puppet, late: bool) -> None:
    """Another video ends while the server is still at the deletion. late: the list then comes after that."""
    old, new = puppet.take(), puppet.take()
    puppet.finish(old)
    page.goto(f"{bare.url}/?view=gallery")
    tile, total = page.locator(".tile"), page.locator("#view-gallery .total")
    expect(tile).to_have_count(1)
    expect(page.locator("#queue-count")).to_have_text("1")
    deleting, listing = hold(page, f"**/studio/jobs/{old}", "DELETE"), hold(page, "**/studio/jobs?*")
    tile.hover()
    tile.locator("[aria-label^=Delete]").click()
    page.evaluate("window.dispatchEvent(new Event('pagehide'))")  # leaving means it
    page.evaluate("window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    held(page, deleting, 1)
    puppet.finish(new)
    held(page, listing, 1)
    before = listing[0].fetch()
    if not late:
        listing[0].fulfill(response=before)
        expect(page.locator(f".tile[data-id='{new}']")).to_be_visible()
        expect(page.locator(".tile:visible")).to_have_count(1)
        expect(total).to_have_text("1")
    with page.expect_response(lambda answer: answer.request.method == "DELETE"):
        deleting[0].continue_()
    if late:
        expect(tile).to_have_count(0)
        listing[0].fulfill(response=before)
    expect(tile).to_have_count(1)
    expect(tile).to_have_attribute("data-id", new)
    expect(total).to_have_text("1")


@pytest.mark.soak
def test_a_video_that_ends_while_the_next_page_loads_shortens_no_list(bare: Studio, page: Page, puppet: Puppet) -> None:
    for _ in range(26):
        puppet.finish(puppet.take())
    job = puppet.take()
    page.set_viewport_size({"width": 1440, "height": 600})
    asked = hold(page, "**/studio/jobs?*after=1*")
    page.goto(f"{bare.url}/?view=gallery")
    expect(page.locator(".tile")).to_have_count(24)
    page.locator(".tile").first.evaluate("tile => (tile.id = 'old')")
    page.locator("#view-gallery .more").scroll_into_view_if_needed()
    held(page, asked, 1)
    reloads: list[Request] = []
    page.on("request", lambda request: reloads.append(request) if "after=&" in request.url else None)
    puppet.finish(job)
    expect(page.locator("#queue-count")).to_be_hidden()
    asked[0].continue_()
    expect(page.locator(".tile")).to_have_count(27)
    expect(page.locator("#old")).to_have_count(1)
    assert len(reloads) == 1
    assert len(asked) == 1, "the next page is asked for once"


@pytest.mark.soak
def test_checks_are_told_in_the_language_that_is_shown(bare: Studio, page: Page) -> None:
    page.goto(f"{bare.url}/?view=system")
    expect(page.locator(".check-row").first).to_be_visible()
    asked = hold(page, "**/studio/doctor?*fresh=true*")
    page.click("#doctor")
    held(page, asked, 1)
    with page.expect_response("**/studio/doctor?*language=ru*"):
        page.click("#language")
    checks = page.locator(".checks")
    expect(checks).to_contain_text(re.compile("[а-я]{5}"))
    said = checks.inner_text()
    asked[0].continue_()
    with page.expect_response("**/studio/doctor?*language=ru*"):
        pass
    expect(page.locator("#doctor")).not_to_have_attribute("aria-busy", "true")
    assert checks.locator(".check-row b").first.inner_text() in said


def test_what_was_on_its_way_takes_no_button_back(bare: Studio, page: Page) -> None:
    """A check was started; the state that had been asked for before came afterwards."""

    def of_one(models: list[dict], **facts: object) -> list[dict]:
        name = next(one["name"] for one in models if one["source"] == "hub")
        return [one | {"state": "ready"} | facts if one["name"] == name else one for one in models]

    def system(route: Route) -> None:
        found = route.fetch().json()
        route.fulfill(json=found | {"models": of_one(found["models"])})

    models = httpx.get(f"{bare.url}/studio/system").json()["models"]
    running = {"status": "running", "done": 1, "total": 9, "damaged": [], "error": {"en": "", "ru": ""}}
    page.route("**/studio/models/*/check", lambda route: route.fulfill(json={"models": of_one(models, check=running)}))
    page.route("**/studio/system", system)
    page.goto(f"{bare.url}/?view=system")
    check, stop = page.locator("[data-act=check]"), page.locator("[data-act=stop]")
    expect(check).to_be_visible()
    page.unroute("**/studio/system")
    asked: Held = []
    page.route("**/studio/system", lambda route: asked.append(route))
    wait_for(lambda: page.evaluate("1") and asked)
    check.click()
    expect(stop).to_be_visible()
    late = len(asked)
    for route in asked[:late]:
        with page.expect_response("**/studio/system"):
            system(route)
    page.evaluate("new Promise((resolve) => setTimeout(resolve))")
    expect(stop).to_be_visible()
    expect(check).to_be_hidden()
    page.unroute_all(behavior="ignoreErrors")


def test_a_move_that_failed_is_no_step_of_the_next_one(bare: Studio, page: Page, puppet: Puppet) -> None:
    jobs = [puppet.queue(name=f"{number}.jpg") for number in range(4)]
    page.goto(f"{bare.url}/?view=queue")
    expect(page.locator(".job-row[data-id]")).to_have_count(4)
    page.route("**/move", lambda route: route.abort(), times=1)
    down = page.locator(f".job-row[data-id='{jobs[0]}'] [data-act=down]")
    down.click()
    expect(page.locator("#toasts .error")).to_be_visible()
    with page.expect_response("**/move"):
        down.click()
    assert puppet.jobs.get(jobs[0]).place == 2


def test_what_was_made_of_the_last_choice_is_not_shared_for_the_next(bare: Studio, page: Page, puppet: Puppet) -> None:
    job = puppet.take()
    puppet.film(job)
    page.goto(f"{bare.url}/?job={job}")
    page.evaluate("navigator.canShare = () => true")
    page.click("[data-action=save]")
    panel = page.locator(".save-panel")
    panel.locator("label", has=page.locator("[value=jpg]")).click()
    made = hold(page, "**/exports", "POST")
    page.click("[data-save=save]")
    held(page, made, 1)
    panel.locator("label", has=page.locator("[value=gif]")).click()
    with page.expect_download() as saved:
        made[0].continue_()
    assert saved.value.suggested_filename.endswith(".jpg"), "what was asked for comes"
    expect(page.locator("[data-save=save]")).to_be_visible()
    expect(page.locator("[data-save=share]")).to_be_hidden()


def test_the_keys_of_a_pair_wait_until_it_is_here(bare: Studio, page: Page, puppet: Puppet) -> None:
    jobs = [puppet.take(seed=seed) for seed in range(3)]
    for job in jobs:
        puppet.film(job)
    page.goto(f"{bare.url}/?view=gallery&compare={jobs[0]}.{jobs[1]}")
    expect(page.locator(".pair figcaption").first).to_have_text("Seed: 0")
    page.keyboard.press("Escape")
    page.locator(".tile .select-box").nth(0).check()
    page.locator(".tile .select-box").nth(1).check()
    asked = hold(page, re.compile(rf"/studio/jobs/{jobs[2]}$"))
    page.click("[data-many=compare]")
    held(page, asked, 1)
    page.keyboard.press("s")
    asked[0].continue_()
    expect(page.locator(".pair figcaption").first).to_have_text("Seed: 2")
    expect(page).to_have_url(f"{bare.url}/?view=gallery&compare={jobs[2]}.{jobs[1]}")


@pytest.mark.soak
def test_a_pair_that_was_swapped_before_it_played_plays(bare: Studio, moving: Page, puppet: Puppet) -> None:
    page, jobs = moving, [puppet.take(seed=seed) for seed in range(2)]
    for job in jobs:
        puppet.film(job)
    puppet.let_play(page)
    loads = hold(page, re.compile(r"/studio/jobs/\w+/video$"))
    page.goto(f"{bare.url}/?view=gallery&compare={jobs[0]}.{jobs[1]}")
    held(page, loads, 2)
    page.keyboard.press("s")
    expect(page.locator(".pair figcaption").first).to_have_text("Seed: 1")
    page.evaluate("new Promise((resolve) => setTimeout(resolve))")
    assert page.evaluate("[...document.querySelectorAll('.pair video')].filter(video => !video.paused).length") == 2
    page.unroute_all(behavior="ignoreErrors")


@pytest.mark.soak
def test_a_neighbour_that_comes_late_opens_nothing(bare: Studio, page: Page, puppet: Puppet) -> None:
    """One has gone to the gallery meanwhile."""
    for _ in range(2):
        puppet.finish(puppet.take())
    job = puppet.jobs.list()[0].id
    page.goto(f"{bare.url}/?job={job}")
    expect(page.locator("#job")).to_have_attribute("data-status", "done")
    asked = hold(page, "**/studio/jobs?*")
    page.keyboard.press("ArrowRight")
    held(page, asked, 1)
    page.click("nav [data-go=queue]")
    asked[0].continue_()
    page.unroute_all()
    page.click("nav [data-go=gallery]")
    expect(page.locator(".tile")).to_have_count(2)
    expect(page).to_have_url(f"{bare.url}/?view=gallery&job={job}")


@pytest.mark.soak
def test_who_has_gone_elsewhere_meanwhile_stays_there(bare: Studio, page: Page, puppet: Puppet) -> None:
    page.goto(bare.url)
    choose_photo(page, SAMPLE)
    asked = hold(page, "**/studio/jobs", "POST")
    page.click("#generate")
    held(page, asked, 1)
    page.click("nav [data-go=gallery]")
    asked[0].continue_()
    expect(page.locator("#toasts")).to_contain_text("1 video is in the queue.")
    assert page.url == f"{bare.url}/?view=gallery"
    assert puppet.jobs.count() == 1
