"""Whole videos of a tiny Wan 2.2 I2V-A14B: sizes, rates, windows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fanslymotion.pipeline.families.wan.folder import NEGATIVE_PROMPT
from fanslymotion.pipeline.media.mp4 import probe, read_metadata
from fanslymotion.pipeline.progress import Progress, Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.tests.soak import soak

SHORT = {"resolution": "small", "seed": 7, "steps": 2, "detail": False}


@pytest.mark.parametrize(("seconds", "quality", "fps"), [(6, "smooth", 32), *soak((12, "standard", 16))])
def test_size_rate_and_length_are_exact(
    seconds: int, quality: str, fps: int, make_with: Callable, tiny_wan_a14b: Path
) -> None:
    """Six seconds are one window of 97 frames; twelve are two, of which the second begins with the first's last."""
    seen: list[Progress] = []
    result = make_with(tiny_wan_a14b, VideoRequest(seconds=seconds, quality=quality, **SHORT), progress=seen.append)
    info = probe(result.path)
    assert (info.width, info.height, info.fps, info.frames, info.duration) == (128, 72, fps, seconds * fps, seconds)
    told: dict[str, Any] = read_metadata(result.path)["sampling"]
    assert (told["frames"], told["schedule"], told["solver"], told["shift"]) == (seconds * 16, "flow", "unipc", 5.0)
    assert (told["windows"], told["overlap"]) == ((1, 0) if seconds == 6 else (2, 1))
    assert (told["max_guidance"], told["negative_prompt"]) == (3.5, NEGATIVE_PROMPT)
    assert (told["width"] % 16, told["height"] % 16) == (0, 0)
    stages = [moment.stage for moment in seen]
    assert stages == sorted(stages, key=list(Stage).index)
    preview = next(moment.preview for moment in seen if moment.preview)
    assert preview()[8:12] == b"WEBP"
