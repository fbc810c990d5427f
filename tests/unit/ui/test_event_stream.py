"""Streams of events: compressed if the browser accepts it, and each event can be read when it arrives."""

import asyncio
import zlib
from collections.abc import AsyncGenerator

import pytest
from fanslymotion.ui.api.event_stream import event_stream
from starlette.requests import Request


def request_with(headers: dict[str, str]) -> Request:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/studio/events", "headers": raw})


class Events:
    """Ten events, and whether the source was closed."""

    closed = False

    async def stream(self) -> AsyncGenerator[str]:
        try:
            for number in range(10):
                yield f"event: machine\ndata: {number} мир\n\n"
        finally:
            self.closed = True


@pytest.mark.parametrize("accepted", ["gzip, deflate, br", "identity"])
def test_each_event_is_whole_when_it_arrives_and_a_reader_that_leaves_closes_the_source(accepted: str) -> None:
    source = Events()
    response = event_stream(request_with({"accept-encoding": accepted}), source.stream())
    compressed = "gzip" in accepted
    assert response.headers.get("content-encoding") == ("gzip" if compressed else None)
    decode = zlib.decompressobj(wbits=31).decompress if compressed else bytes

    async def read() -> list[str]:
        chunks = response.body_iterator
        assert isinstance(chunks, AsyncGenerator)
        read = [await anext(chunks) for _ in range(3)]
        await chunks.aclose()
        return [decode(one if isinstance(one, bytes) else str(one).encode()).decode() for one in read]

    assert asyncio.run(read()) == [f"event: machine\ndata: {number} мир\n\n" for number in range(3)]
    assert source.closed


def test_a_state_that_repeats_takes_few_bytes() -> None:
    state = "event: machine\ndata: " + '{"id": "0123456789ab", "name": "IMG.jpg", "status": "queued"}' * 100 + "\n\n"

    async def states() -> AsyncGenerator[str]:
        for _ in range(20):
            yield state

    async def size() -> int:
        response = event_stream(request_with({"accept-encoding": "gzip"}), states())
        return sum([len(chunk) async for chunk in response.body_iterator])

    assert asyncio.run(size()) < 20 * len(state) / 50
