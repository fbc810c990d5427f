"""The page over a slow link: first words, a form that can be used, the same again on a reload, and what has travelled.

    python bench/slow_link.py [--kbit 400] [--latency 100] [--rounds 3]

Chromium slows each connection down (CDP's Network.emulateNetworkConditions); `app.py` runs without a worker. Medians.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from statistics import median

from browser import find_browser
from playwright.async_api import BrowserContext, async_playwright
from playwright.async_api import Page as Tab
from studio import Page

WORDS = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


async def slowed(context: BrowserContext, kbit: float, latency: float) -> tuple[Tab, list[int]]:
    """A new tab behind the slow link, and a list in which the bytes of each answer are kept."""
    tab = await context.new_page()
    link = await context.new_cdp_session(tab)
    await link.send("Network.enable")
    rate = kbit * 1000 / 8
    await link.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": latency, "downloadThroughput": rate, "uploadThroughput": rate},
    )
    travelled: list[int] = []
    link.on("Network.loadingFinished", lambda event: travelled.append(event["encodedDataLength"]))
    return tab, travelled


async def visit(tab: Tab, travelled: list[int], go: str) -> dict[str, float]:
    """Seconds to the first words and to a form that can be used, and kB until then. go: an address, "" = reload."""
    travelled.clear()
    began = time.perf_counter()
    await (tab.goto(go, wait_until="commit") if go else tab.reload(wait_until="commit"))
    await tab.wait_for_selector("#generate")
    usable = time.perf_counter() - began
    words = await tab.evaluate(WORDS) or 1000 * usable
    return {"words": words / 1000, "usable": usable, "kB": sum(travelled) / 1000}


async def measure(kbit: float, latency: float, rounds: int) -> dict[str, dict[str, float]]:
    """Medians of the first visit and of a reload."""
    found: dict[str, list[dict[str, float]]] = {"first visit": [], "reload": []}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        page = Page(Path(folder))
        try:
            await page.ready()
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
                for _ in range(rounds):
                    context = await browser.new_context()
                    tab, travelled = await slowed(context, kbit, latency)
                    found["first visit"].append(await visit(tab, travelled, page.url))
                    await tab.wait_for_timeout(12_000)  # the rest arrives
                    found["reload"].append(await visit(tab, travelled, ""))
                    await context.close()
                await browser.close()
        finally:
            page.close()
    return {name: {key: median(row[key] for row in rows) for key in rows[0]} for name, rows in found.items()}


def main() -> None:
    """Print a line for each visit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kbit", type=float, default=400)
    parser.add_argument("--latency", type=float, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    for name, row in asyncio.run(measure(given.kbit, given.latency, given.rounds)).items():
        print(f"{name:>12}  " + "  ".join(f"{key} {value:.2f}" for key, value in row.items()))


if __name__ == "__main__":
    main()
