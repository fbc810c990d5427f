"""How quickly the page follows: event committed -> received, with one and with many viewers; what a silent one costs.

    python bench/ui.py [--viewers 1 50] [--events 100]

A real page (`app.py`), real streams of server-sent events over HTTP, events committed here as a worker would do it.
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

import httpx
import psutil
from studio import Page

OUT = Path(__file__).resolve().parent / "out" / "ui.json"
GAP = 0.15
"""Seconds between two events: more than the page's own look at the store, so that none shares a message."""


async def watch(url: str, job_id: str, seen: dict[str, list[float]], opened: asyncio.Event) -> None:
    async with (
        httpx.AsyncClient(timeout=None) as client,
        client.stream("GET", f"{url}/studio/events?job={job_id}") as stream,
    ):
        async for line in stream.aiter_lines():
            opened.set()
            if line.startswith("data: [["):
                now = time.perf_counter()
                for event in json.loads(line[6:]):
                    seen.setdefault(event[4], []).append(now)


async def follow(page: Page, viewers: int, events: int) -> dict[str, float]:
    job_id = page.begin()
    seen: dict[str, list[float]] = {}
    opened = [asyncio.Event() for _ in range(viewers)]
    tasks = [asyncio.create_task(watch(page.url, job_id, seen, one)) for one in opened]
    await asyncio.gather(*(one.wait() for one in opened))
    await asyncio.sleep(1)
    committed = {}
    for number in range(events):
        text = f"event {number}"
        await asyncio.to_thread(page.say, job_id, text)
        committed[text] = time.perf_counter()
        await asyncio.sleep(GAP)
    await asyncio.sleep(1)
    for task in tasks:
        task.cancel()
    late = sorted(1000 * (at - committed[text]) for text in committed for at in seen.get(text, []))
    return {
        "received": len(late) / (viewers * events),
        "p50_ms": late[len(late) // 2],
        "p95_ms": late[int(0.95 * len(late))],
        "worst_ms": late[-1],
    }


async def silent(page: Page, viewers: int, seconds: float = 10.0) -> float:
    """Percent of a core for each viewer of a job in which nothing happens."""
    job_id = page.begin()
    process = psutil.Process(page.process.pid)

    async def used() -> float:
        before = process.cpu_times()
        await asyncio.sleep(seconds)
        after = process.cpu_times()
        return 100 * (after.user + after.system - before.user - before.system) / seconds

    alone = await used()
    opened = [asyncio.Event() for _ in range(viewers)]
    tasks = [asyncio.create_task(watch(page.url, job_id, {}, one)) for one in opened]
    await asyncio.gather(*(one.wait() for one in opened))
    await asyncio.sleep(1)
    watched = await used()
    for task in tasks:
        task.cancel()
    return (watched - alone) / viewers


async def measure(viewers: list[int], events: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        page = Page(Path(folder))
        try:
            await page.ready()
            rows: dict[str, Any] = {str(count): await follow(page, count, events) for count in viewers}
            rows["silent viewer, % of a core"] = await silent(page, 50)
        finally:
            page.process.terminate()
            page.process.wait()
            page.jobs.store.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--viewers", type=int, nargs="+", default=[1, 50])
    parser.add_argument("--events", type=int, default=100)
    given = parser.parse_args()
    rows = asyncio.run(measure(given.viewers, given.events))
    for name, row in rows.items():
        shown = row if isinstance(row, float) else "  ".join(f"{key} {value:.3g}" for key, value in row.items())
        print(f"{name:>28}  {shown}")
    OUT.parent.mkdir(exist_ok=True)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
    OUT.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
