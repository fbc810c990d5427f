"""Send server-sent events, compressed if the browser accepts it: the queue's state repeats most of what it says."""

import zlib
from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import StreamingResponse

HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no", "Vary": "Accept-Encoding"}


def event_stream(request: Request, events: AsyncGenerator[str]) -> StreamingResponse:
    """Return the response that sends events as they come.

    Args:
        request: Its header Accept-Encoding decides about the compression.
        events: Server-sent events.
    """
    kind = "text/event-stream"
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return StreamingResponse(events, media_type=kind, headers=HEADERS)
    return StreamingResponse(_compressed(events), media_type=kind, headers=HEADERS | {"Content-Encoding": "gzip"})


async def _compressed(events: AsyncGenerator[str]) -> AsyncGenerator[bytes]:
    """Compress with gzip. Each event can be decoded as soon as it arrives."""
    gzip = zlib.compressobj(wbits=31)
    async with aclosing(events):
        async for text in events:
            yield gzip.compress(text.encode()) + gzip.flush(zlib.Z_SYNC_FLUSH)
    yield gzip.flush()
