"""Detail on the sampled frames and interpolation at the output's size, against the other way round."""

import time
from statistics import fmean

import numpy as np
from fanslymotion.pipeline.media.detail.detail import with_detail
from fanslymotion.pipeline.media.interpolate import interpolate
from metrics import psnr

BETWEEN = 2
"""Shown frames for each sampled one."""

Results = dict[str, dict[str, float]]


def compare_orders(truth: list[np.ndarray], drawn: list[np.ndarray]) -> Results:
    """For either order PSNR (dB) of sampled frames and of those in between, and CPU seconds a shown frame.

    truth: an odd number of frames that a camera sees, uint8 RGB at the output's size; every second one is sampled, the
    last only as a neighbour. drawn: the same as a model draws them.
    """
    results: Results = {}
    count = len(truth) - 1
    for name, make in (("detail first", _detail_first), ("interpolation first", _interpolation_first)):
        began = time.process_time()
        made = make(drawn[::BETWEEN], truth[0], count)
        spent = time.process_time() - began
        quality = [psnr(one, real) for one, real in zip(made, truth[:count], strict=True)]
        results[name] = {
            "sampled": fmean(quality[::BETWEEN]),
            "between": fmean(quality[1::BETWEEN]),
            "cpu": spent / count,
        }
    return results


def _detail_first(sampled: list[np.ndarray], photo: np.ndarray, count: int) -> list[np.ndarray]:
    return list(interpolate(with_detail(iter(sampled), photo), BETWEEN, count))


def _interpolation_first(sampled: list[np.ndarray], photo: np.ndarray, count: int) -> list[np.ndarray]:
    return list(with_detail(interpolate(iter(sampled), BETWEEN, count), photo))
