"""Compute the noise levels of Stable Video Diffusion in the two spacings. Without torch."""

import math

AYS_SIGMAS = (700.00, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034)
"""Align Your Steps (arXiv 2404.14507) for Stable Video Diffusion; the same figures are in diffusers' AysSchedules."""

SIGMA_MIN, SIGMA_MAX, RHO = 0.002, 700.0, 7.0
"""Of the model's scheduler_config.json, and of Karras' spacing (arXiv 2206.00364, eq. 5)."""


def ays_sigmas(steps: int) -> list[float]:
    """Return the published ten levels, or as many as wanted on the straight lines between their logarithms."""
    if steps == 1:
        return [AYS_SIGMAS[0]]
    logs = [math.log(sigma) for sigma in AYS_SIGMAS]
    found = []
    for i in range(steps):
        place = i * (len(logs) - 1) / (steps - 1)
        low = min(int(place), len(logs) - 2)
        found.append(math.exp(logs[low] + (place - low) * (logs[low + 1] - logs[low])))
    return found


def karras_sigmas(steps: int) -> list[float]:
    """Return the levels that diffusers' scheduler gives for these models; the model's own scheduler decides them."""
    high, low = SIGMA_MAX ** (1 / RHO), SIGMA_MIN ** (1 / RHO)
    return [(high + i / max(1, steps - 1) * (low - high)) ** RHO for i in range(steps)]
