"""Measures of a clip: likeness, seams, drift, flicker, motion. Frames: uint8 (frames, height, width, 3), RGB."""

from itertools import pairwise
from typing import Any

import cv2
import numpy as np


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of two images of one shape; 100 when they are equal."""
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return 100.0 if error == 0 else 10 * float(np.log10(255.0**2 / error))


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Structural similarity of the luma, Gaussian window of sigma 1.5 (Wang et al. 2004, eq. 13)."""
    x, y = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64) for image in (a, b))
    blur = lambda image: cv2.GaussianBlur(image, (11, 11), 1.5)  # noqa: E731
    mx, my = blur(x), blur(y)
    vx, vy, vxy = blur(x * x) - mx * mx, blur(y * y) - my * my, blur(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float(np.mean(((2 * mx * my + c1) * (2 * vxy + c2)) / ((mx * mx + my * my + c1) * (vx + vy + c2))))


def steps(frames: np.ndarray) -> np.ndarray:
    """Mean absolute difference of each pair of neighbours, 0..255; one value fewer than there are frames."""
    return np.array([np.mean(np.abs(b.astype(np.int16) - a.astype(np.int16))) for a, b in pairwise(frames)])


def seam_ratio(frames: np.ndarray, seams: list[int]) -> float:
    """The largest step across a seam over the median step elsewhere; 1 is a seam nobody sees.

    seams: indices of the first frame after each seam.
    """
    step = steps(frames)
    at = np.zeros(len(step), bool)
    at[[s - 1 for s in seams]] = True
    return float(step[at].max() / max(np.median(step[~at]), 1e-6))


def drift(frames: np.ndarray, windows: list[range]) -> dict[str, float]:
    """Relative change of mean, saturation and sharpness, the worst window against the first one."""

    def look(part: np.ndarray) -> dict[str, float]:
        hsv = [cv2.cvtColor(f, cv2.COLOR_RGB2HSV) for f in part]
        gray: list[Any] = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in part]
        return {
            "mean": float(np.mean(part)),
            "saturation": float(np.mean([h[..., 1] for h in hsv])),
            "sharpness": float(np.mean([cv2.Laplacian(g, cv2.CV_64F).var() for g in gray])),
        }

    first, *later = (look(frames[w.start : w.stop]) for w in windows)
    return {name: max((abs(w[name] / max(v, 1e-6) - 1) for w in later), default=0.0) for name, v in first.items()}


def flicker(frames: np.ndarray) -> float:
    """VBench's temporal flickering: (255 − mean absolute difference of neighbours) / 255; 1 is a still picture."""
    return float((255 - np.mean(steps(frames))) / 255)


def motion(frames: np.ndarray) -> float:
    """Mean optical-flow length between neighbours, as a percentage of the frame's width (DIS flow)."""
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    gray: list[Any] = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in frames]
    still: Any = None  # no flow to begin with; the stub wants an array
    lengths = [np.mean(np.linalg.norm(flow.calc(a, b, still), axis=-1)) for a, b in pairwise(gray)]
    return float(np.mean(lengths) / frames.shape[2] * 100)


def spearman(x: list[float], y: list[float]) -> float:
    """Rank correlation of two lists, equal values sharing their mean rank; 0 when one list is all equal."""
    first, second = _ranks(x), _ranks(y)
    if min(np.ptp(first), np.ptp(second)) == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _ranks(values: list[float]) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]
