"""Define how a running job reports its progress: one callback, called with the stage and the step."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..messages import Message

SURE = 0.6
"""Share of the units in work up to which the bar moves at the forecast's pace. From there on it slows down."""
LATE, LATE_SECONDS = 1.5, 2.0
"""Units in work take so many times their forecast, and so many seconds more: then no time left is said."""

CHANGE = "change"
"""Attribute of a log record: the `Message` of how a job goes on in another way."""


class Stage(StrEnum):
    """The stages of a job, in order. Values are stored in the database: never rename one."""

    LOADING = "loading"  # the model comes from disk
    CONDITIONING = "conditioning"  # CLIP embedding and VAE latent of the photo
    SAMPLING = "sampling"  # denoising steps, window after window
    DECODING = "decoding"  # latents to frames, in chunks; interpolation and encoding run alongside
    SAVING = "saving"  # the encoder's tail, metadata, rename


@dataclass(frozen=True)
class Course:
    """How a job goes on from one moment until the next is reported. Any thread may look at it.

    Attributes:
        at: the moment, on the clock's scale.
        share: of the job that was done then, 0..1.
        left: seconds that were left then, those of the units in work included as if they just began.
        unit: forecast seconds of the units in work; 0 = none are.
        spent: seconds that had gone into them.
        timed: a time left may be said.
    """

    at: float
    share: float
    left: float
    unit: float
    spent: float
    timed: bool

    def left_at(self, now: float) -> float:
        """Return the seconds left."""
        return max(0.0, self.left - self.unit * self._made(now))

    def share_at(self, now: float, ended: bool = False) -> float:
        """Return the share of the job that is done. It never falls, and it moves as long as units are in work.

        Args:
            now: the moment.
            ended: the units in work were finished at that moment: those that took their time count in full.
        """
        before = self.left_at(self.at)
        if before <= 0:
            return self.share
        after = self.left - self.unit * min(1.0, self._passed(now)) if ended else self.left_at(now)
        return max(self.share, 1 - (1 - self.share) * max(0.0, after) / before)

    def eta_at(self, now: float) -> float | None:
        """Return the seconds left, or None where they are not known."""
        late = self.unit > 0 and self.spent + now - self.at > LATE * self.unit + LATE_SECONDS
        return None if late or not self.timed else self.left_at(now)

    def _passed(self, now: float) -> float:
        """Return the time that went into the units in work as a share of their forecast."""
        return (self.spent + now - self.at) / self.unit if self.unit > 0 else 0.0

    def _made(self, now: float) -> float:
        """Return the share of the units in work that is taken for done, below 1."""
        passed = self._passed(now)
        if passed <= SURE:
            return passed
        return 1 - (1 - SURE) / (1 + (passed - SURE) / (1 - SURE))


@dataclass(frozen=True)
class Progress:
    """One moment of a job.

    step, steps: within this stage (parts while loading; denoising steps over all windows; frames while decoding; frames
    of the finished video while saving).
    part: name of what is being loaded (`families.base.parts`), "" in other stages.
    window, windows: 1-based while sampling, else 0.
    fraction: share of the whole job done, 0..1, never falling within an attempt.
    eta_seconds: time left in seconds, None while unknown.
    course: how both go on until the next report, on the scale of `time.monotonic`.
    x0: predicted clean latents (frames, channels, height, width) after a sampling step, else None.
    preview: makes an animated WebP (bytes) of x0; called only by who wants to show it, at most a few times a second.
    message: a log line for the user, or "".
    """

    stage: Stage
    step: int = 0
    steps: int = 0
    window: int = 0
    windows: int = 0
    fraction: float = 0.0
    eta_seconds: float | None = None
    x0: Any = None
    preview: Callable[[], bytes] | None = None
    message: str = ""
    part: str = ""
    course: Course | None = None


def log_change(log: logging.Logger, change: Message) -> None:
    """Log as a warning that a job goes on in another way. A worker stores it (`queue/worker/reporter.py`)."""
    log.warning("%s", change, extra={CHANGE: change})


ProgressCallback = Callable[[Progress], None]
"""May raise `Cancelled` or `HandBack`: the pipeline lets both pass, leaves a checkpoint, and no partial file."""


def ignore(_: Progress) -> None:
    """Do nothing with a report: the default callback."""
