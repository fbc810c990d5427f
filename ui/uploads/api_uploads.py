"""Store files that scripts upload for the endpoint `generate`. Only the login that uploaded a file can use it.

Gradio's own upload cache has no owners: its paths come back in a request, and any path named there is read
(`processing_utils._check_allowed` does nothing until `blocks.launch()` is called, which a mounted app never does). Here
a script gets an identifier instead of a path, which is looked up in the folder of its own login.
"""

import asyncio
import hashlib
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from ...errors import BadInput, StoreError
from ...messages import msg
from ...settings import Settings
from ..auth.identity import user_of
from .photos import clean_name

router = APIRouter()

KEEP_SECONDS = 24 * 3600
"""On the monotonic clock of the process that the file came to; on the wall clock for every other one."""
MOST_KEPT = 200
"""Files of one login; the oldest go first."""
MOST_FILES = 50
"""Files, and other fields, of one request."""
ID = re.compile(r"[0-9a-f]{32}")

NOT_UPLOADED = msg("this file was not uploaded by this login; pass photo=handle_file('photo.jpg')")
NOT_AN_UPLOAD = msg("no file was sent; send it as multipart/form-data in the field 'files'")


class ApiUploads:
    """Files in `home/api-uploads/<login, hashed>/<identifier>`. Their content is not checked here.

    Args:
        settings: Tell the data folder.
        now: Monotonic seconds.
    """

    def __init__(self, settings: Settings, now: Callable[[], float] = time.monotonic) -> None:
        self._folder = settings.home / "api-uploads"
        self._now = now
        self._lock = Lock()
        self._came: dict[Path, float] = {}
        """When each of this process's files came, the oldest first."""

    def add(self, source: BinaryIO, owner: str) -> str:
        """Copy a file. Return its identifier (32 hexadecimal digits). Raise StoreError if there is no space."""
        upload_id, folder = secrets.token_hex(16), self._of(owner)
        path = folder / upload_id
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with open(path, "xb") as file:
                shutil.copyfileobj(source, file)
        except OSError as e:
            with suppress(OSError):  # a folder that is none, a disk that can only be read
                path.unlink(missing_ok=True)
            raise _not_kept(self._folder, e) from e
        self._clean(path)
        return upload_id

    def find(self, upload_id: str, owner: str) -> Path:
        """Return a file's path. Raise BadInput, always with the same sentence, unless the login owns the identifier."""
        if ID.fullmatch(upload_id):
            path = self._of(owner) / upload_id
            with suppress(OSError):
                if stat.S_ISREG(os.lstat(path).st_mode):
                    return path
        raise BadInput(NOT_UPLOADED)

    def _of(self, owner: str) -> Path:
        """Return a login's folder, named by a hash because a login may hold any characters."""
        return self._folder / hashlib.sha256(owner.encode()).hexdigest()[:32]

    def _clean(self, newest: Path) -> None:
        """Remove files that came a day ago, and the oldest of the newest one's login beyond the limit."""
        there = self._there()
        with self._lock:
            own = {path: at for path, at in self._came.items() if path in there and path != newest}
            self._came = own | {newest: self._now()}
            gone = {path for path, at in self._came.items() if self._now() - at >= KEEP_SECONDS}
            others = {path: at for path, at in there.items() if path not in self._came}
            mine = [path for path in (*others, *self._came) if path.parent == newest.parent]
        # Those of an earlier start, or of another page: their calls have come long ago, whatever the clock says.
        gone |= {path for path, modified in others.items() if time.time() - modified >= KEEP_SECONDS}
        for path in gone.union(mine[:-MOST_KEPT]):
            with suppress(OSError):  # Windows: somebody has it open; the next upload tries again
                path.unlink(missing_ok=True)

    def _there(self) -> dict[Path, float]:
        """Return all files with the disk's times of them in Unix seconds, the oldest first."""
        dated: list[tuple[float, Path]] = []
        for path in self._folder.glob("*/*"):
            with suppress(OSError):  # another request has removed it
                dated.append((path.stat().st_mtime, path))
        return {path: modified for modified, path in sorted(dated)}


def _not_kept(folder: Path | str, error: OSError) -> StoreError:
    return StoreError(msg("the file cannot be kept in {folder}: {error}", folder=folder, error=error.strerror or error))


@router.post("/gradio_api/upload")
async def upload(request: Request) -> list[str]:
    """Replace Gradio's own upload route, with its form (`files`) and answer (one string a file, for `path`)."""
    uploads: ApiUploads = request.app.state.studio.api_uploads

    async def keep(file: UploadFile) -> str:
        upload_id = await asyncio.to_thread(uploads.add, file.file, user_of(request))
        return f"{upload_id}/{clean_name(file.filename or '')}"

    try:
        async with request.form(max_files=MOST_FILES, max_fields=MOST_FILES) as form:
            files = [file for file in form.getlist("files") if isinstance(file, UploadFile)]
            if not files:
                raise BadInput(NOT_AN_UPLOAD)
            return [await keep(file) for file in files]
    except OSError as e:  # Starlette keeps what comes in the system's folder for temporary files
        raise _not_kept(tempfile.tempdir or "TMPDIR", e) from e
    except HTTPException as e:
        if e.status_code != 400:
            raise
        raise BadInput(NOT_AN_UPLOAD) from e
