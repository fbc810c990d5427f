"""The page in a real browser: first paint, event -> visible, many clients, many tabs, a gallery of thousands.

    python bench/ui.py [--videos 5000] [--tabs 10] [--clients 50]

`app.py` without a worker, Debian's chromium; events are committed here as a worker would do it, on the same clock.
Writes bench/out/ui.json.
"""

import argparse
import asyncio
import json
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

from browser import find_browser
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.queue.store.rows import photo_of
from fanslymotion.queue.types import Status
from playwright.async_api import Browser, BrowserContext, async_playwright
from playwright.async_api import Page as Tab
from streams import GAP, silent, watch
from streams import follow as received
from studio import PHOTO, Page

OUT = Path(__file__).resolve().parent / "out" / "ui.json"
EVENTS = 60

SEE = """() => {
  window.seenAt = {};
  new MutationObserver(() => {
    for (const line of document.querySelectorAll('.log .line > span'))
      window.seenAt[line.textContent] ??= performance.timeOrigin + performance.now();
  }).observe(document.querySelector('.log'), { subtree: true, childList: true });
}"""
HIDEABLE = """
Object.defineProperty(document, 'hidden', { get: () => Boolean(window.covered) });
Object.defineProperty(document, 'visibilityState', { get: () => (window.covered ? 'hidden' : 'visible') });
"""


async def first_paint(browser: Browser, url: str, rounds: int = 5) -> dict[str, float]:
    """Milliseconds to the first contentful paint and to a usable form, in a browser that has never been here."""
    paints, usable = [], []
    for _ in range(rounds):
        context = await browser.new_context()
        tab = await context.new_page()
        began = time.perf_counter()
        await tab.goto(url)
        await tab.wait_for_selector("#generate")
        usable.append(1000 * (time.perf_counter() - began))
        paints.append(
            await tab.evaluate(
                "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? performance.now()"
            )
        )
        await context.close()
    return {"paint_ms": sorted(paints)[rounds // 2], "usable_ms": sorted(usable)[rounds // 2]}


async def follow(browser: Browser, page: Page, others: int) -> dict[str, float]:
    """Event committed -> visible in a tab, while `others` more clients follow the same job over HTTP."""
    job = page.begin()
    context = await browser.new_context()
    tab = await shown_tab(context, page, job)
    opened = [asyncio.Event() for _ in range(others)]
    tasks = [asyncio.create_task(watch(page.url, job, {}, one)) for one in opened]
    await asyncio.gather(*(one.wait() for one in opened))
    found = await visible_events(page, tab, job)
    for task in tasks:
        task.cancel()
    await context.close()
    return found


async def many_tabs(browser: Browser, page: Page, count: int) -> dict[str, float]:
    """Tabs of one browser on one running job: the last one shown, then every other one brought to the front in turn."""
    job = page.begin()
    context = await browser.new_context()
    await context.add_init_script(HIDEABLE)
    opened: list[Tab] = []
    for _ in range(count):
        if opened:
            await hide(opened[-1], True)
        opened.append(await shown_tab(context, page, job))
    found = await visible_events(page, opened[-1], job)
    caught_up = 0
    for shown, tab in zip([opened[-1], *opened], opened[:-1], strict=False):
        await hide(shown, True)
        await hide(tab, False)
        await tab.get_by_text(f"event {job} {EVENTS - 1}", exact=True).wait_for()
        caught_up += 1
    await context.close()
    return {**found, "loaded": len(opened), "caught_up": caught_up + 1}


async def shown_tab(context: BrowserContext, page: Page, job: str) -> Tab:
    tab = await context.new_page()
    await tab.goto(f"{page.url}/?job={job}")
    await tab.wait_for_selector("#job[data-status=running]")
    return tab


async def hide(tab: Tab, hidden: bool) -> None:
    """As when another tab is brought to the front. Chromium without a window holds every tab for visible."""
    await tab.evaluate(
        "(hidden) => { window.covered = hidden; document.dispatchEvent(new Event('visibilitychange')) }", hidden
    )


async def visible_events(page: Page, tab: Tab, job: str) -> dict[str, float]:
    await tab.evaluate(SEE)
    committed = {}
    for number in range(EVENTS):
        text = f"event {job} {number}"
        await asyncio.to_thread(page.say, job, text)
        committed[text] = time.time() * 1000
        await asyncio.sleep(GAP)
    await asyncio.sleep(1)
    seen = await tab.evaluate("window.seenAt")
    late = sorted(seen[text] - at for text, at in committed.items() if text in seen)
    return {"seen": len(late) / EVENTS, "p50_ms": late[len(late) // 2], "p95_ms": late[int(0.95 * len(late))]}


def fill(page: Page, videos: int) -> None:
    """Finished jobs whose photos and videos are links to one file each."""
    job = page.jobs.submit(PHOTO, VideoRequest(seed=1))
    photo = photo_of(job.folder)
    video = job.folder / "video.mp4"
    video.write_bytes(b"\x00" * 1000)
    table = page.jobs.store.tables.Job
    result = json.dumps({"width": 848, "height": 480, "frames": 72, "fps": 12})
    rows = []
    for number in range(videos):
        name = f"{number:012x}"
        folder = page.settings.job_dir(name)
        folder.mkdir(parents=True)
        os.link(photo, photo_of(folder))
        os.link(video, folder / "video.mp4")
        rows.append(
            {
                "id": name,
                "position": float(number),
                "name": f"photo {number}.jpg",
                "request": json.dumps(VideoRequest(seed=number).to_json()),
                "status": Status.DONE,
                "created": float(number),
                "started": float(number),
                "finished": 1e9 + number,
                "result": result,
            }
        )
    with page.jobs.store.write():
        for at in range(0, len(rows), 500):
            table.insert_many(rows[at : at + 500]).execute()


async def gallery(browser: Browser, page: Page) -> dict[str, float]:
    """Milliseconds from the click until the first page of tiles is there; then a search over all of them."""
    context = await browser.new_context(viewport={"width": 1440, "height": 900})
    tab = await context.new_page()
    await tab.goto(page.url)
    await tab.wait_for_selector("#generate")
    began = time.perf_counter()
    await tab.click("[data-go=gallery]")
    await tab.wait_for_selector(".tile:nth-child(24)")
    opened = 1000 * (time.perf_counter() - began)
    on_screen = "[...document.querySelectorAll('.tile img')].filter((i) => i.getBoundingClientRect().top < innerHeight)"
    await tab.wait_for_function(f"{on_screen}.every((image) => image.complete && image.naturalWidth)")
    posters = 1000 * (time.perf_counter() - began)
    began = time.perf_counter()
    await tab.fill(".filters input", "photo 77.")
    await tab.wait_for_function("document.querySelectorAll('.tile').length === 1")
    found = 1000 * (time.perf_counter() - began)
    await context.close()
    return {"open_ms": opened, "posters_ms": posters, "search_ms": found}


async def measure(videos: int, tabs: int, clients: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        page = Page(Path(folder))
        try:
            await page.ready()
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
                rows: dict[str, Any] = {"first visit": await first_paint(browser, page.url)}
                rows["visible, one viewer"] = await follow(browser, page, 0)
                rows[f"visible, {clients} clients"] = await follow(browser, page, clients - 1)
                rows[f"received, {clients} clients"] = await received(page, clients, EVENTS)
                rows["silent viewer"] = {"percent_of_a_core": await silent(page, clients)}
                rows[f"{tabs} tabs of one browser"] = await many_tabs(browser, page, tabs)
                await asyncio.to_thread(fill, page, videos)
                rows[f"gallery of {videos}"] = await gallery(browser, page)
                await browser.close()
        finally:
            page.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--videos", type=int, default=5000)
    parser.add_argument("--tabs", type=int, default=10)
    parser.add_argument("--clients", type=int, default=50)
    given = parser.parse_args()
    rows = asyncio.run(measure(given.videos, given.tabs, given.clients))
    for name, row in rows.items():
        print(f"{name:>24}  " + "  ".join(f"{key} {value:.4g}" for key, value in row.items()))
    OUT.parent.mkdir(exist_ok=True)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
    OUT.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
