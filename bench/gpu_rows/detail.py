"""Row `detail`: the photo's detail with its warps on the GPU and on the CPU."""

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from fanslymotion.pipeline.media.detail.detail import with_detail
from fanslymotion.pipeline.media.detail.gpu_warps import GpuWarps
from fanslymotion.pipeline.media.detail.warps import CpuWarps, Warps
from fanslymotion.pipeline.media.photo.load import load_photo
from fanslymotion.pipeline.media.sizes import fit_photo

from .harness import PHOTO, Bench, Figures, peaks, reset_peak, timed

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
DRAWN = (1024, 576)
FRAMES = 12
STEP = (6, 2)
"""Pixels of the output that the camera moves on, a frame."""


def detail(bench: Bench, figures: Figures) -> None:
    frames, drawn = (3, (64, 36)) if bench.tiny else (FRAMES, DRAWN)
    sizes = {"96p": (128, 72)} if bench.tiny else SIZES
    for name, size in sizes.items():
        across, down = (side + frames * step for side, step in zip(size, STEP, strict=True))
        whole = np.asarray(fit_photo(load_photo(PHOTO), (across, down), "crop"))
        views = [
            np.ascontiguousarray(whole[STEP[1] * t : STEP[1] * t + size[1], STEP[0] * t : STEP[0] * t + size[0]])
            for t in range(frames)
        ]
        small = [cv2.resize(view, drawn, interpolation=cv2.INTER_AREA) for view in views]
        with figures.part(name) as part:
            reset_peak()
            device = partial(GpuWarps, device=bench.device)
            made = {}
            for where, warps in (("cpu", CpuWarps), ("device_first", device), ("device", device)):
                seconds, made[where] = timed(partial(enhanced, small, views[0], warps))
                part[f"{where}_frame_s"] = round(seconds / frames, 4)
            pairs = zip(made["cpu"], made["device"], strict=True)
            part["max_grey_levels"] = max(int(cv2.absdiff(a, b).max()) for a, b in pairs)
            part.update(peaks())


def enhanced(frames: list[np.ndarray], photo: np.ndarray, warps: Callable[[np.ndarray], Warps]) -> list[np.ndarray]:
    return list(with_detail(frames, photo, None, warps))
