"""Viewers of a running job over HTTP, without a browser: how soon they hear of an event, what a silent one costs."""

import asyncio
import json
import time

import httpx
import psutil
from studio import Page

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
    """Milliseconds from an event's commit until it has come over HTTP to every viewer."""
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
