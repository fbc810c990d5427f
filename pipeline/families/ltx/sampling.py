"""Say how LTX-Video's models are sampled, distilled or not, and give their noise levels. No torch at import."""

import math
import re
from typing import Any

from ....presets.options import ScheduleName
from ..flow.levels import shift_level

SIGMAS = (1.0, 0.9937, 0.9875, 0.9812, 0.975, 0.9094, 0.725, 0.4219)
"""Noise levels of the distilled models (Lightricks' configurations; diffusers' docs, ltx_video.md)."""

DISTILLED: dict[str, Any] = {
    "steps": len(SIGMAS),
    "schedule": "fixed",
    "sigmas": SIGMAS,
    "min_guidance": 1.0,
    "max_guidance": 1.0,
}

OWN_LEVELS: tuple[ScheduleName, ...] = ("linear-quadratic", "dynamic")
"""Spacings that are not moved up by a preset's shift."""

NEGATIVE_PROMPT = "worst quality, inconsistent motion, blurry, jittery, distorted"
"""What Lightricks' own program has guidance lead away from."""

DEV: dict[str, Any] = {
    "steps": 40,
    "schedule": "linear-quadratic",
    "min_guidance": 3.0,
    "max_guidance": 3.0,
    "negative_prompt": NEGATIVE_PROMPT,
}
"""Of the 2B models that are not distilled, 0.9.5 and 0.9.6-dev: Lightricks' configurations, but for their third pass,
of spatio-temporal guidance."""

LARGE_DEV: dict[str, Any] = DEV | {"steps": 30, "min_guidance": 5.0, "max_guidance": 5.0, "guidance_rescale": 0.7}
"""Of the 13B ones, 0.9.7-dev and 0.9.8-dev: as diffusers' docs have it (ltx_video.md). Lightricks' own program changes
guidance from step to step, with up to three passes."""

LARGE_LAYERS = 48
"""Blocks of the 13B transformer; the 2B one has 28."""

FIRST_DEV: dict[str, Any] = DEV | {"schedule": "dynamic"}
"""Of version 0.9.0, whose scheduler's configuration says so (`use_dynamic_shifting`)."""

NOT_DISTILLED = re.compile(r"(?<![a-z])dev(?![a-z])|0\.9\.5(?!\d)", re.IGNORECASE)
"""In the name of a file or folder whose model is not distilled. Version 0.9.5 has no other."""

EARLY = re.compile(r"(?<![\d.])0\.9(\.[01])?(?![.\d])")
"""In the name of a file of version 0.9.0 or 0.9.1: of another VAE, and so of other latents."""

THRESHOLD = 0.025
"""Noise that the first half of the linear-quadratic steps takes away together."""

TOKENS, SHIFTS = (1024, 4096), (0.95, 2.05)
"""Dynamic levels: windows of so many tokens are shifted by e to the power of these; others on the straight line."""
TERMINAL = 0.1
"""The last dynamic level before 0, to which the others are stretched."""


def levels(kind: ScheduleName, steps: int, tokens: int, shift: float) -> list[float]:
    """Return the noise levels of a model that is not distilled, without the last, which is 0.

    Args:
        kind: `linear-quadratic`; `dynamic`; anything else is evenly spaced and moved up by `shift`.
        steps: 1 or more.
        tokens: Of a window.
        shift: See `presets.schema.Sampling`.
    """
    if kind == "linear-quadratic":
        return _linear_quadratic(steps)
    even = [1 - i / steps for i in range(steps)]
    if kind == "dynamic":
        return _stretched([shift_level(s, math.exp(_shift(tokens))) for s in even])
    return [shift_level(s, shift) for s in even]


def _linear_quadratic(steps: int) -> list[float]:
    """Return levels that fall evenly by THRESHOLD in all at first, then ever faster (Movie Gen, arXiv 2410.13720)."""
    if steps == 1:
        return [1.0]
    even = steps // 2
    rest = steps - even
    curve = (even - THRESHOLD * steps) / (even * rest**2)
    slope = THRESHOLD / even - 2 * curve * even
    noise = [i * THRESHOLD / even for i in range(even)]
    noise += [curve * i**2 + slope * i + curve * even**2 for i in range(even, steps)]
    return [1 - one for one in noise]


def _shift(tokens: int) -> float:
    """Return the exponent by which a window of so many tokens is shifted."""
    slope = (SHIFTS[1] - SHIFTS[0]) / (TOKENS[1] - TOKENS[0])
    return SHIFTS[0] + slope * (tokens - TOKENS[0])


def _stretched(found: list[float]) -> list[float]:
    """Return levels stretched so that the last one is TERMINAL; a level of 1 stays."""
    last = 1 - found[-1]
    return [1 - (1 - level) * (1 - TERMINAL) / last for level in found] if last else found
