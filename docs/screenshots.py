"""Pictures of every view for the documentation: 1440 and 390 pixels wide, light and dark, English and Russian.

    .venv/bin/python docs/screenshots.py [PHOTO …]    writes docs/screenshots/*.webp; needs chromium (see tests/run.sh)

A page of its own in a new data folder, with the bundled model; the photos become the gallery (default: the sample).
The other photos in the repository's pictures come with scikit-image: Chelsea (S. van der Walt), coffee (R. Michetti),
a launch (SpaceX), all CC0, and E. Collins (NASA, public domain).
"""

import io
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import httpx
from fanslymotion.bench.browser import find_browser
from fanslymotion.messages import codes, msg
from fanslymotion.pipeline.families.svd import random_model
from fanslymotion.settings import ROOT
from fanslymotion.tests.browser.puppet import Puppet
from fanslymotion.tests.studio import free_port
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect, sync_playwright

SAMPLE = ROOT / "assets" / "sample.jpg"
FOLDER = ROOT / "docs" / "screenshots"
SIZES = {"wide": (1440, 900), "phone": (390, 844)}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

HOME = "/home/me/fanslymotion"

FAILED = msg(
    "the memory is too small for this video, even with everything turned down ({error}).{holders} "
    "Close other programs, or choose a smaller resolution or another model",
    error="CUDA out of memory",
    holders=msg(" Video memory is held by {names}.", names="game.exe (3100 MB)"),
).coded(codes.MEMORY)
TRIED = [
    msg(
        "Out of memory while {doing}; going on with: {changes}.{holders}",
        doing=msg("generating"),
        changes=change,
        holders="",
    )
    for change in (
        msg("guidance in two passes"),
        msg("{now} instead of {before}", now=msg("model offload"), before=msg("all on the GPU")),
    )
]
"""What `MemoryFallback` says, on a card that is too small."""


@contextmanager
def studio(*words: str) -> Iterator[tuple[str, Path]]:
    """The address of a running page, and its data folder."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        port = free_port()
        command = [sys.executable, str(ROOT / "app.py"), "--no-browser", "--port", str(port), *words]
        folders = {"FANSLYMOTION_HOME": home, "FANSLYMOTION_MODELS": f"{home}/models"}  # no own path is shown
        process = subprocess.Popen(command, env=os.environ | folders, stdout=subprocess.DEVNULL)
        url = f"http://127.0.0.1:{port}"
        try:
            while True:
                try:
                    httpx.get(f"{url}/studio/static/icon.svg")
                    break
                except httpx.TransportError:
                    time.sleep(0.3)
            yield url, Path(home)
        finally:
            process.terminate()
            process.wait()


def send(url: str, photo: Path, **settings: object) -> str:
    """Queue a video; its job's id."""
    headers = {"X-Photo-Name": quote(f"{human(photo.stem)}{photo.suffix}")}
    kept = httpx.post(f"{url}/studio/photos", content=photo.read_bytes(), headers=headers).raise_for_status().json()
    body = {"photos": [kept["id"]], "settings": settings}
    return httpx.post(f"{url}/studio/jobs", json=body).raise_for_status().json()["jobs"][0]["id"]


def human(stem: str) -> str:
    """`mate-backgrounds--YellowFlower_by_Ann` as somebody would call it: `yellow flower`."""
    own = re.sub(r"_by_.*", "", stem.rpartition("--")[2])
    return " ".join(re.findall(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+|\d+", own)).lower() or stem


def wait(url: str, job: str, statuses: tuple[str, ...]) -> None:
    """Wait until the job has one of the statuses."""
    while httpx.get(f"{url}/studio/jobs/{job}").json()["status"] not in statuses:
        time.sleep(0.3)


def shoot(page: Page, name: str, part: Locator | None = None) -> None:
    """Save the page, or a part of it, as `<name>.webp` in FOLDER, with all pictures that are in view."""
    page.wait_for_function(
        "() => [...document.images].every((one) => !one.checkVisibility() || (one.complete && one.naturalWidth))",
        timeout=120_000,
    )
    page.wait_for_timeout(700)  # pictures fade in
    Image.open(io.BytesIO((part or page).screenshot())).save(FOLDER / f"{name}.webp", quality=82, method=6)


def views(page: Page, url: str, done: str, live: str, name: str) -> None:
    """Take a picture of each view, with a finished and a running job."""
    page.goto(url)
    expect(page.locator(".welcome-facts li").last).to_be_visible()
    shoot(page, f"first-run-{name}")
    page.goto(f"{url}/?job={live}")
    expect(page.locator(".frame .preview")).to_be_visible(timeout=120_000)
    expect(page.locator(".gauge")).to_be_visible(timeout=60_000)
    shoot(page, f"live-{name}")
    page.goto(f"{url}/?job={done}")
    expect(page.locator("#job")).to_have_attribute("data-status", "done")
    shoot(page, f"done-{name}")
    for view in ("queue", "gallery", "system"):
        page.goto(f"{url}/?view={view}")
        ready = {"queue": ".job-row", "gallery": ".tile img", "system": ".check-row"}[view]
        expect(page.locator(f"#view-{view} {ready}").first).to_be_visible(timeout=60_000)
        shoot(page, f"{view}-{name}")


def quiet_views(browser: Browser) -> None:
    """A job that failed, which needs no worker, and the login of a shared page."""
    with studio("--no-worker") as (url, home), studio("--no-worker", "--auth", "ann:secret") as (shared, _):
        random_model.build(home / "models" / "svd-xt")  # only a full-size model can be "all on the GPU"
        puppet = Puppet(home, home / "models")
        job = puppet.take(name="mountains.jpg", resolution="1080p", model="svd-xt")
        puppet.progress(job, stage="sampling", step=4, steps=25, fraction=0.2)
        puppet.fail(job, FAILED, *TRIED)
        for name, context in contexts(browser):
            page = context.new_page()
            page.goto(f"{url}/?job={job}")
            expect(page.locator(".failure")).to_be_visible()
            shoot(page, f"failed-{name}")
            if name == "wide-light-en":
                shoot(page, "failure-light-en", page.locator(".failure"))
            page.goto(shared)
            expect(page.locator("#login")).to_be_visible()
            shoot(page, f"login-{name}")


def elsewhere(route: Route) -> None:
    """The doctor names folders: show a user's, not those of the machine on which the pictures are made."""
    answer = route.fetch()
    own = answer.text().replace(str(ROOT), HOME)
    route.fulfill(response=answer, body=re.sub(rf"{re.escape(tempfile.gettempdir())}/[\w-]+", f"{HOME}/data", own))


def contexts(browser: Browser) -> Iterator[tuple[str, BrowserContext]]:
    """A fresh browser for each language, colour scheme and size, with the name that its pictures bear."""
    for language, locale in (("en", "en-GB"), ("ru", "ru-RU")):
        for scheme in SCHEMES:
            for size, (width, height) in SIZES.items():
                phone = size == "phone"
                context = browser.new_context(
                    locale=locale,
                    color_scheme=scheme,
                    viewport={"width": width, "height": height},
                    is_mobile=phone,
                    has_touch=phone,
                )
                context.route("**/studio/doctor**", elsewhere)
                context.add_init_script("localStorage.setItem('fanslymotion.log', 'false')")
                yield f"{size}-{scheme}-{language}", context
                context.close()


def main() -> None:
    """Take all pictures anew, from the photos named, or from the sample."""
    photos = [Path(word) for word in sys.argv[1:]] or [SAMPLE]
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright, studio() as (url, _):
        browser = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        quiet_views(browser)
        made = [send(url, photo) for photo in photos]
        for job in made:
            wait(url, job, ("done", "failed"))
        for name, context in contexts(browser):
            live, waiting = send(url, photos[0], steps=60), send(url, photos[-1])
            wait(url, live, ("running",))
            views(context.new_page(), url, made[-1], live, name)
            for job in (waiting, live):
                httpx.post(f"{url}/studio/jobs/{job}/cancel")
                wait(url, job, ("cancelled", "done"))
                httpx.delete(f"{url}/studio/jobs/{job}")
        browser.close()


if __name__ == "__main__":
    main()
