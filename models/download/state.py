"""Hold the state of one download, and convert it for the file that other processes read."""

from dataclasses import asdict, dataclass
from typing import Any

from ...messages import Message, as_message

SENTENCES = ("message", "error")
"""Fields of a state that are for the user."""
OVER = ("done", "failed", "cancelled")
"""Statuses of an ended download."""


@dataclass(frozen=True)
class DownloadState:
    """The state of one download. Sizes are in bytes, speed in bytes a second, times in Unix seconds.

    Attributes:
        model: name of the preset.
        status: `starting`, `running`, `interrupted` (its process has ended), or one of OVER.
        code: of a failed download's fault.
        message: what it waits for, for the user. "" = it does not wait.
        error: of a failed download, for the user.
        page: to visit after a failure, "" if none helps.
        born: when its process started, and
        boot: the start of the system that this counts from, see `process_start.StartTime`.
    """

    model: str
    status: str
    phase: str = ""
    file: str = ""
    done: int = 0
    total: int = 0
    speed: float = 0.0
    seconds_left: float | None = None
    message: str = ""
    code: str = ""
    error: str = ""
    page: str = ""
    started: float = 0.0
    updated: float = 0.0
    pid: int = 0
    born: float = 0.0
    boot: str = ""

    @property
    def over(self) -> bool:
        """Tell whether the download has ended."""
        return self.status in OVER

    @property
    def fraction(self) -> float:
        """Return the downloaded share, 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0


def to_json(state: DownloadState) -> dict[str, Any]:
    """Convert a state for its file. Sentences keep their templates, for other languages."""
    return asdict(state) | {name: as_message(getattr(state, name)).to_json() for name in SENTENCES}


def from_json(record: dict[str, Any]) -> DownloadState:
    """Read what `to_json` wrote, now or in an earlier version, which stored plain text.

    Raises:
        TypeError, ValueError: It is something else.
    """
    said: dict[str, Any] = {name: Message.from_json(record[name]) for name in SENTENCES if name in record}
    return DownloadState(**{**record, **said})
