"""Whole videos of a tiny LTX-Video: sizes, rates, windows; interrupted anywhere, the frames stay the same."""

import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from fanslymotion.errors import Cancelled
from fanslymotion.pipeline.families.ltx.sampling import SIGMAS
from fanslymotion.pipeline.families.weights.compiling import Compiler
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.media.mp4 import probe, read_metadata
from fanslymotion.pipeline.model_cache import ModelCache
from fanslymotion.pipeline.progress import Progress
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.settings import Settings
from PIL import Image

STEPS = len(SIGMAS)
REQUEST = VideoRequest(resolution="small", seconds=12, quality="sampled", seed=7, prompt="A boat sways", detail=False)
"""12 s at 24 frames a second: two windows of 21 latent frames that share 5."""


@pytest.fixture
def make(make_with: Callable, tiny_ltx: Path) -> Callable:
    """Produce with the tiny model; keywords go over the defaults."""

    def call(request: VideoRequest = REQUEST, **changes: Any) -> Any:
        return make_with(tiny_ltx, request, **changes)

    return call


EXACT = {(6, "standard", False), (6, "smooth", False), (12, "sampled", True)}
"""Each length, quality and way up in at least one case, with one window and with two; the soak tests have all."""


@pytest.mark.parametrize(
    ("seconds", "quality", "upright"),
    [
        pytest.param(*case, marks=() if case in EXACT else pytest.mark.soak)
        for case in product((6, 12), ("standard", "smooth", "sampled"), (False, True))
    ],
)
def test_size_rate_and_length_are_exact(
    seconds: int, quality: str, upright: bool, make: Callable, photo: Path, tmp_path: Path
) -> None:
    given, size, fps = photo, (128, 72), 48 if quality == "smooth" else 24
    if upright:
        given, size = tmp_path / "upright.png", (72, 128)
        with Image.open(photo) as image:
            image.transpose(Image.Transpose.ROTATE_90).save(given)
    request = VideoRequest(resolution="small", seconds=seconds, quality=quality, detail=False)
    result = make(request, photo=given)
    info = probe(result.path)
    assert (info.width, info.height, info.fps, info.frames, info.duration) == (*size, fps, seconds * fps, seconds)
    assert (result.width, result.height, result.fps, result.frames) == (*size, fps, seconds * fps)
    told = read_metadata(result.path)["sampling"]
    drawn = 12 if quality == "standard" else 24
    assert (told["frames"], told["fps"], told["schedule"]) == (seconds * drawn, drawn, "fixed")
    assert (told["windows"], told["overlap"]) == ((2, 5) if seconds * drawn > 161 else (1, 0))


@pytest.mark.soak
def test_a_compiled_transformer(make: Callable, settings: Settings, tmp_path: Path) -> None:
    cache, found = ModelCache(compiler=Compiler("eager", channels_last=False)), []
    for setting in ("always", "never"):
        measures: dict[str, Any] = {}
        make(
            replace(REQUEST, seconds=1),
            model_cache=cache,
            settings=replace(settings, compile=setting),
            machine=Machine(compiles=True),
            work=tmp_path / setting,
            measures=measures,
        )
        found.append(measures)
    assert [one["plan"].compiled for one in found] == [True, False]
    assert torch.equal(found[0]["latents"], found[1]["latents"])


def test_the_photos_detail(make: Callable) -> None:
    request = VideoRequest(resolution="small", seconds=1, quality="standard", detail=True)
    assert probe(make(request).path).frames == 24


def test_cancelled_while_the_prompt_is_read(make: Callable, tmp_path: Path) -> None:
    """What loads cannot be interrupted; it has ended when the cancel is heard, and nothing of it is left."""

    def cancel(moment: Progress) -> None:
        if moment.part == "text_encoder":
            raise Cancelled

    request = VideoRequest(resolution="small", seconds=1, quality="standard", prompt="never read before", detail=False)
    with pytest.raises(Cancelled):
        make(request, progress=cancel)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("fanslymotion-beside")]
    assert not list(tmp_path.glob("*.mp4*"))
    assert make(request).frames == 24
