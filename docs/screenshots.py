"""Pictures of every view for the documentation: 1440 and 390 pixels wide, light and dark, English and Russian.

    python docs/screenshots.py [PHOTO …]      writes docs/screenshots/*.webp; needs chromium (see tests/run.sh)

A page of its own in a new data folder, with the bundled model; the photos become the gallery (default: the sample).
"""

import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from fanslymotion.settings import ROOT
from fanslymotion.tests.studio import free_port
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

SAMPLE = ROOT / "assets" / "sample.jpg"
FOLDER = ROOT / "docs" / "screenshots"
SIZES = {"wide": (1440, 900), "phone": (390, 844)}
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def studio() -> Iterator[str]:
    """The address of a running page."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        port = free_port()
        command = [sys.executable, str(ROOT / "app.py"), "--no-browser", "--port", str(port)]
        process = subprocess.Popen(command, env=os.environ | {"FANSLYMOTION_HOME": home}, stdout=subprocess.DEVNULL)
        url = f"http://127.0.0.1:{port}"
        try:
            while True:
                try:
                    httpx.get(f"{url}/studio/machine")
                    break
                except httpx.TransportError:
                    time.sleep(0.3)
            yield url
        finally:
            process.terminate()
            process.wait()


def send(url: str, photo: Path, **settings: object) -> str:
    """Queue a video; its job's id."""
    headers = {"X-Photo-Name": photo.name}
    kept = httpx.post(f"{url}/studio/photos", content=photo.read_bytes(), headers=headers).raise_for_status().json()
    body = {"photos": [kept["id"]], "settings": settings}
    return httpx.post(f"{url}/studio/jobs", json=body).raise_for_status().json()["jobs"][0]["id"]


def wait(url: str, job: str, statuses: tuple[str, ...]) -> None:
    while httpx.get(f"{url}/studio/jobs/{job}").json()["status"] not in statuses:
        time.sleep(0.3)


def shoot(page: Page, name: str) -> None:
    page.wait_for_timeout(700)  # pictures fade in
    Image.open(io.BytesIO(page.screenshot())).save(FOLDER / f"{name}.webp", quality=82, method=6)


def views(page: Page, url: str, done: str, live: str, name: str) -> None:
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


def main() -> None:
    photos = [Path(word) for word in sys.argv[1:]] or [SAMPLE]
    FOLDER.mkdir(exist_ok=True)
    chromium = next(filter(None, map(shutil.which, NAMES)), None)
    with studio() as url, sync_playwright() as playwright:
        made = [send(url, photo) for photo in photos]
        for job in made:
            wait(url, job, ("done", "failed"))
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for language, locale in (("en", "en-GB"), ("ru", "ru-RU")):
            for scheme in ("light", "dark"):
                for size, (width, height) in SIZES.items():
                    live, waiting = send(url, photos[0], steps=60), send(url, photos[-1])
                    wait(url, live, ("running",))
                    context = browser.new_context(
                        locale=locale, color_scheme=scheme, viewport={"width": width, "height": height}
                    )
                    context.add_init_script("localStorage.setItem('fanslymotion.log', 'false')")
                    views(context.new_page(), url, made[-1], live, f"{size}-{scheme}-{language}")
                    context.close()
                    for job in (waiting, live):
                        httpx.post(f"{url}/studio/jobs/{job}/cancel")
                        wait(url, job, ("cancelled", "done"))
                        httpx.delete(f"{url}/studio/jobs/{job}")
        browser.close()


if __name__ == "__main__":
    main()
