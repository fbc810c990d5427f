"""Answer conditional requests: a browser may keep an answer but must ask each time; 304 while nothing has changed.

A picture that is kept for a day without asking is shown to whoever logs in next in that browser. Asking costs a
request without a body; a gallery of pictures is there as quickly.
"""

import asyncio
import os
import stat
from pathlib import Path

from fastapi import Request
from fastapi.responses import FileResponse, Response

from ...errors import NotFound


def fresh(request: Request, tag: str) -> dict[str, str] | Response:
    """Return the headers of an answer with this tag, or the whole answer (304) when the browser has that one.

    Args:
        request: Its If-None-Match names what the browser has.
        tag: Changes whenever the answer does; without quotes.
    """
    quoted = f'"{tag}"'
    headers = {"ETag": quoted, "Cache-Control": "private, no-cache"}
    known = (one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(","))
    return Response(status_code=304, headers=headers) if quoted in known else headers


async def own_file(
    request: Request, path: Path, otherwise: str, filename: str | None = None, media_type: str | None = None
) -> Response:
    """Answer with a file of a job or an upload.

    A link is never followed: a user who could put one there must not read the rest of the disk through the page.

    Args:
        request: For the browser's copy, see `fresh`.
        path: The file.
        otherwise: What to say when it is gone.
        filename: Name to be saved under; None shows the file.
        media_type: Of the file; None guesses it from its name, which not every system can for newer kinds.

    Raises:
        NotFound: It is gone, or no plain file.
    """
    found = await asyncio.to_thread(_plain_file, path)
    if found is None:
        raise NotFound(otherwise)
    headers = fresh(request, f"{found.st_mtime_ns:x}-{found.st_size:x}")
    if isinstance(headers, Response):
        return headers
    return FileResponse(path, headers=headers, filename=filename, media_type=media_type, stat_result=found)


def _plain_file(path: Path) -> os.stat_result | None:
    """Return what the disk tells of a file; None where there is none, or a link."""
    try:
        found = os.lstat(path)
        return found if stat.S_ISREG(found.st_mode) and not path.parent.is_symlink() else None
    except (OSError, ValueError):
        return None
