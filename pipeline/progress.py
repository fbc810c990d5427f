"""Define how a running job reports its progress: one callback, called with the stage and the step."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..messages import Message

SURE = 0.6
"""Share of the units in progress up to which the bar moves at the forecast's pace. Beyond it the bar slows down."""
LATE, LATE_SECONDS = 1.5, 2.0
"""Units that take longer than this factor of their forecast plus these seconds are late: the time left is unknown."""

CHANGE = "change"
"""Attribute of a log record: the `Message` of a plan change."""


class Stage(StrEnum):
    """The stages of a job, in order. Values are stored in the database: never rename one."""

    LOADING = "loading"  # the model comes from disk
    CONDITIONING = "conditioning"  # CLIP embedding and VAE latent of the photo
    SAMPLING = "sampling"  # denoising steps, window after window
    DECODING = "decoding"  # latents to frames, in chunks; interpolation and encoding run alongside
    SAVING = "saving"  # the encoder's tail, metadata, rename


@dataclass(frozen=True)
class Extrapolation:
    """Extrapolate the progress of a job between two reports. Immutable, so any thread may use it.

    Attributes:
        at: Time of the report, on the caller's clock, seconds.
        share: Share of the job that was done then, 0..1.
        left: Seconds that were left then. The units in progress count as not begun.
        unit: Forecast seconds of the units in progress; 0 = there are none.
        spent: Seconds that had gone into these units.
        timed: The time left is reliable enough to be shown.
    """

    at: float
    share: float
    left: float
    unit: float
    spent: float
    timed: bool

    def left_at(self, now: float) -> float:
        """Return the seconds left at a time."""
        return max(0.0, self.left - self.unit * self._made(now))

    def share_at(self, now: float, ended: bool = False) -> float:
        """Return the share of the job that is done at a time, 0..1. Never falls; rises while units are in progress.

        Args:
            now: The time.
            ended: The units in progress were finished at that time, so the time spent on them counts in full.
        """
        before = self.left_at(self.at)
        if before <= 0:
            return self.share
        after = self.left - self.unit * min(1.0, self._passed(now)) if ended else self.left_at(now)
        return max(self.share, 1 - (1 - self.share) * max(0.0, after) / before)

    def eta_at(self, now: float) -> float | None:
        """Return the seconds left at a time, or None if they are unknown."""
        late = self.unit > 0 and self.spent + now - self.at > LATE * self.unit + LATE_SECONDS
        return None if late or not self.timed else self.left_at(now)

    def _passed(self, now: float) -> float:
        """Return the time spent on the units in progress as a share of their forecast."""
        return (self.spent + now - self.at) / self.unit if self.unit > 0 else 0.0

    def _made(self, now: float) -> float:
        """Return the share of the units in progress that counts as done, below 1."""
        passed = self._passed(now)
        if passed <= SURE:
            return passed
        return 1 - (1 - SURE) / (1 + (passed - SURE) / (1 - SURE))


@dataclass(frozen=True)
class Progress:
    """A report of a running job.

    Attributes:
        stage: The current stage.
        step: Steps done in this stage: parts while loading, denoising steps of all windows while sampling, frames while
            decoding, frames of the finished video while saving.
        steps: Number of steps in this stage.
        window: Current window, from 1, while sampling; else 0.
        windows: Number of windows while sampling; else 0.
        fraction: Share of the whole job that is done, 0..1. Never falls within an attempt.
        eta_seconds: Seconds left; None while unknown.
        x0: Predicted clean latents (frames, channels, height, width) after a sampling step; else None.
        preview: Encodes x0 as an animated WebP (bytes). Slow: call it only to show the result.
        message: A log line for the user, or "".
        part: Component that is being loaded (`families.base.parts`); "" in other stages.
        extrapolation: Extrapolates fraction and time until the next report, on the clock `time.monotonic`.
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
    extrapolation: Extrapolation | None = None


def log_change(log: logging.Logger, change: Message) -> None:
    """Log a plan change as a warning. The worker stores it with the job (`queue/worker/reporter.py`)."""
    log.warning("%s", change, extra={CHANGE: change})


ProgressCallback = Callable[[Progress], None]
"""May raise `Cancelled` or `HandBack`: the pipeline lets both pass, leaves a checkpoint, and no partial file."""


def ignore(_: Progress) -> None:
    """Ignore a report: the default callback."""
