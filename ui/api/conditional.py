"""Answer conditional requests: a browser may cache an answer but must revalidate it; 304 if it has not changed.

A picture that is cached without revalidation would be shown to whoever logs in next in that browser. Revalidation costs
one request without a body.
"""

import asyncio
import os
import stat
from pathlib import Path

from fastapi import Request
from fastapi.responses import FileResponse, Response

from ...errors import NotFound


def fresh(request: Request, tag: str) -> dict[str, str] | Response:
    """Return the headers of an answer with this tag, or the whole answer (304) if the browser has it already.

    Args:
        request: Its If-None-Match names what the browser has.
        tag: Changes with the answer; without quotes.
    """
    quoted = f'"{tag}"'
    headers = {"ETag": quoted, "Cache-Control": "private, no-cache"}
    known = (one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(","))
    return Response(status_code=304, headers=headers) if quoted in known else headers


async def own_file(
    request: Request, path: Path, otherwise: str, filename: str | None = None, media_type: str | None = None
) -> Response:
    """Send a file of a job or an upload.

    Links are not followed: a user who could create one must not read the rest of the disk through the page.

    Args:
        request: The request.
        path: The file.
        otherwise: Error message if it is gone.
        filename: Name for an attachment; None = inline.
        media_type: None = guessed from the name, which not every system can for newer formats.

    Raises:
        NotFound: It is gone, or not a regular file.
    """
    found = await asyncio.to_thread(_plain_file, path)
    if found is None:
        raise NotFound(otherwise)
    headers = fresh(request, f"{found.st_mtime_ns:x}-{found.st_size:x}")
    if isinstance(headers, Response):
        return headers
    return FileResponse(path, headers=headers, filename=filename, media_type=media_type, stat_result=found)


def _plain_file(path: Path) -> os.stat_result | None:
    """Return the status of a regular file; None if there is none, or it is a link."""
    try:
        found = os.lstat(path)
        return found if stat.S_ISREG(found.st_mode) and not path.parent.is_symlink() else None
    except (OSError, ValueError):
        return None
