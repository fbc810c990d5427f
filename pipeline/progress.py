"""Define how a running job reports its progress: one callback, called with the stage and the step."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..messages import Message
from .course import Course

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
    """Log as a warning that a job goes on in another way. A worker keeps it with the job (`queue.reporter`)."""
    log.warning("%s", change, extra={CHANGE: change})


ProgressCallback = Callable[[Progress], None]
"""May raise `Cancelled` or `HandBack`: the pipeline lets both pass, leaves a checkpoint, and no partial file."""


def ignore(_: Progress) -> None:
    """The callback of somebody who does not want to know."""
