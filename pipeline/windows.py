"""Plan a long clip as overlapping windows: their number, their first frames, how they are joined. Without torch.

A video diffusion model draws a fixed number of frames at once. Longer clips are sampled window after window; the
frames two windows share are pinned to the earlier one's (`sampling/pins.py`), so that motion goes on across the seam.
"""

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class WindowOptions:
    """How later windows hold on to what came before. Every field can be measured on its own (bench/quality.py).

    min_overlap: smallest share of a window's frames that it has in common with the earlier one, 0..0.9.
    pin: `every_step` re-noises the shared frames to the step's level at each step, so that they end exactly as the
        earlier window left them; `start` does so once, lets them run free, and cross-fades the two versions.
    condition: the picture a later window starts from: `overlap`, the earlier window's latent at the overlap's first
        frame; `last`, its last frame; or `photo`, the original photo for all. The CLIP embedding is always the photo's.
    guidance_cap: largest guidance in later windows (the ramp peaks on the frames that are reused); None = no cap.
    noise_aug: noise augmentation the later windows are told and given; None = the request's own.
    match: 0..1, how far the channels' mean and deviation of new frames are drawn to those of the first window.
    fade: new frames after the seam over which that correction fades in.
    """

    min_overlap: float = 0.36
    pin: Literal["every_step", "start"] = "every_step"
    condition: Literal["overlap", "last", "photo"] = "overlap"
    guidance_cap: float | None = 2.5
    noise_aug: float | None = None
    match: float = 0.0
    fade: int = 4

    @classmethod
    def of(cls, loop: int) -> "WindowOptions":
        """Return the options that measured best (docs/decisions.md). loop: see `plan_windows`.

        Where the motion comes back to the photo, every window may start from the photo itself: nothing drifts. Two
        such windows nearly agree where they overlap, and a cross-fade hides what is left.
        """
        return cls(condition="photo", pin="start") if loop else cls()


@dataclass(frozen=True)
class WindowPlan:
    """total: frames wanted. frames: of one window. count: windows. overlap: frames two neighbours share (0 if one).

    All are latent frames, which for some models stand for several frames of the video (`Geometry.stride`).
    """

    total: int
    frames: int
    count: int
    overlap: int

    def start(self, window: int) -> int:
        """Return the clip's frame at which a window (0-based) begins."""
        return window * (self.frames - self.overlap)

    @property
    def sampled(self) -> int:
        """Frames the windows give together: `total`, or a few more."""
        return self.start(self.count - 1) + self.frames

    @property
    def spare(self) -> int:
        """Frames behind `total` that the last window gives."""
        return self.sampled - self.total


def plan_even_windows(total: int, frames: int, overlap: int) -> WindowPlan:
    """Plan the fewest windows of at most `frames` that reach `total`, of equal length. For models that draw any length.

    overlap: frames that two neighbours share.
    """
    if total <= frames:
        return WindowPlan(total, total, 1, 0)
    overlap = min(overlap, frames - 1)
    count = math.ceil((total - overlap) / (frames - overlap))
    return WindowPlan(total, math.ceil((total + (count - 1) * overlap) / count), count, overlap)


def plan_windows(total: int, frames: int, min_overlap: float = WindowOptions.min_overlap, loop: int = 0) -> WindowPlan:
    """Plan the fewest windows that share at least `min_overlap`, with the largest overlap that reaches `total`.

    loop: frames after which the model's motion is back where it began, 0 = never. Windows then begin at its returns,
    as the model was trained to begin.
    """
    if total <= frames:
        return WindowPlan(total, frames, 1, 0)
    if 0 < loop < frames:
        return WindowPlan(total, frames, 1 + math.ceil((total - frames) / loop), frames - loop)
    least = min(frames - 1, max(1, math.ceil(min_overlap * frames)))
    count = 1 + math.ceil((total - frames) / (frames - least))
    return WindowPlan(total, frames, count, (count * frames - total) // (count - 1))
