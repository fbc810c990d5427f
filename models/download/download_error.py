"""Define how a download fails: a code, a sentence, and whether another try may succeed."""

import errno
from pathlib import Path

from ...errors import ModelError
from ...messages import msg


class DownloadError(ModelError):
    """A download failed.

    Args:
        code: of the fault.
        message: for the user.
        again: whether a later try may succeed.
        page: to visit, "" if none helps.
        after: seconds that the server asked to wait for.
    """

    def __init__(
        self, code: str, message: str, *, again: bool = False, page: str = "", after: float | None = None
    ) -> None:
        super().__init__(message, code=code)
        self.again = again
        self.page = page
        self.after = after


ACCESS, NOT_FOUND, NETWORK, DAMAGED, NO_SPACE, NOT_WRITABLE = (
    "FM-MODEL-003",
    "FM-MODEL-004",
    "FM-MODEL-005",
    "FM-MODEL-002",
    "FM-DISK-003",
    "FM-DISK-002",
)


def disk_error(path: Path, error: OSError) -> DownloadError:
    """Make the error for a file that cannot be written."""
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return DownloadError(
            NO_SPACE, msg("{path} cannot be written, the disk is full; free some space, then go on", path=path)
        )
    return DownloadError(
        NOT_WRITABLE,
        msg(
            "{path} cannot be written ({error}); give your user the right to, or set FANSLYMOTION_MODELS to "
            "another folder",
            path=path,
            error=error.strerror or error,
        ),
    )
