"""Plan a long clip as overlapping windows: their number, their first frames, how they are joined. Without torch.

A video diffusion model samples a limited number of frames at once. Longer clips are sampled window after window; the
frames that two windows share are pinned to the earlier window's (`sampling/pins.py`), so that the motion continues
across the seam.
"""

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class WindowOptions:
    """How a window continues the earlier one. bench/quality.py measures each field alone.

    Attributes:
        min_overlap: Smallest share of a window's frames that the earlier window has, too, 0..0.9.
        pin: `every_step` re-noises the shared frames to each step's level, so that they end exactly as the earlier
            window left them. `start` does so once, then samples them freely and cross-fades the two versions.
        condition: Picture from which a later window starts. `overlap`: the earlier window's latent at the overlap's
            first frame; `last`: its last frame; `photo`: the original photo. The CLIP embedding is always the photo's.
        guidance_cap: Largest guidance in later windows (the ramp peaks on the frames that are reused); None = no cap.
        noise_aug: Noise augmentation of later windows; None = the request's own.
        match: How far mean and standard deviation of the new frames' channels are moved to the first window's, 0..1.
        fade: Number of new frames after the seam over which that correction fades in.
    """

    min_overlap: float = 0.36
    pin: Literal["every_step", "start"] = "every_step"
    condition: Literal["overlap", "last", "photo"] = "overlap"
    guidance_cap: float | None = 2.5
    noise_aug: float | None = None
    match: float = 0.0
    fade: int = 4

    @classmethod
    def of(cls, period: int) -> "WindowOptions":
        """Return the options that measured best (docs/decisions.md).

        If the motion returns to the photo, every window can start from the photo itself, and nothing drifts. Two such
        windows nearly agree where they overlap; a cross-fade hides the difference.

        Args:
            period: See `plan_windows`.
        """
        return cls(condition="photo", pin="start") if period else cls()


@dataclass(frozen=True)
class WindowPlan:
    """How a video is split into windows.

    All numbers count latent frames, which for some models stand for several frames of the video (`Geometry.stride`).

    Attributes:
        total: Frames wanted.
        frames: Frames of one window.
        count: Number of windows.
        overlap: Frames that two neighbouring windows share; 0 with one window.
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
        """Number of frames that the windows give together: `total` or a few more."""
        return self.start(self.count - 1) + self.frames

    @property
    def spare(self) -> int:
        """Number of frames beyond `total` that the last window gives."""
        return self.sampled - self.total


def plan_even_windows(total: int, frames: int, overlap: int) -> WindowPlan:
    """Plan the fewest windows of equal length, at most `frames`, that reach `total`: for models that sample any length.

    Args:
        total: Frames wanted.
        frames: Largest length of a window.
        overlap: Frames that two neighbouring windows share.
    """
    if total <= frames:
        return WindowPlan(total, total, 1, 0)
    overlap = min(overlap, frames - 1)
    count = math.ceil((total - overlap) / (frames - overlap))
    return WindowPlan(total, math.ceil((total + (count - 1) * overlap) / count), count, overlap)


def plan_windows(
    total: int, frames: int, min_overlap: float = WindowOptions.min_overlap, period: int = 0
) -> WindowPlan:
    """Plan the fewest windows that share at least `min_overlap`, with the largest overlap that reaches `total`.

    Args:
        total: Frames wanted.
        frames: Frames of one window.
        min_overlap: See `WindowOptions`.
        period: Frames after which the model's motion returns to its start; 0 = never. Windows then begin at a
            return, as the model was trained to begin.
    """
    if total <= frames:
        return WindowPlan(total, frames, 1, 0)
    if 0 < period < frames:
        return WindowPlan(total, frames, 1 + math.ceil((total - frames) / period), frames - period)
    least = min(frames - 1, max(1, math.ceil(min_overlap * frames)))
    count = 1 + math.ceil((total - frames) / (frames - least))
    return WindowPlan(total, frames, count, (count * frames - total) // (count - 1))
