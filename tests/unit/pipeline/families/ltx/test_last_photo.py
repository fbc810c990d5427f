"""A video that ends with a picture of its own: the latents of the stock LTXConditionPipeline with two pictures."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fanslymotion.bench.checkpoint_sinks import Everything, Nowhere
from fanslymotion.errors import HandBack, PhotoError
from fanslymotion.pipeline.families.ltx.model import IMAGE, LAST, LtxModel
from fanslymotion.pipeline.families.ltx.sampling import SIGMAS
from fanslymotion.pipeline.media.mp4 import read_metadata
from fanslymotion.pipeline.media.normalised_photo import NormalisedPhoto
from fanslymotion.pipeline.progress import Progress, Stage
from fanslymotion.pipeline.sampling.windowed import sample_clip
from fanslymotion.pipeline.windows import WindowPlan
from PIL import Image

from . import test_loop
from .test_loop import LOOP, start, stock

CLIP = replace(LOOP, family_options=replace(LOOP.family_options, loop=False))
REQUEST = replace(test_loop.REQUEST, loop=False)


def picture(seed: int, size: tuple[int, int] = (128, 64)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1] // 8, size[0] // 8, 3), np.uint8)
    return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)


def test_latents(ltx: LtxModel, flow_photo: Image.Image) -> None:
    begun = start(ltx, flow_photo, CLIP, picture(1))
    wanted = stock(ltx, begun, [begun.conditioning[IMAGE], begun.conditioning[LAST]], flow_photo)
    found = sample_clip(ltx, CLIP, begun, checkpoints=Nowhere())
    assert torch.equal(found.transpose(1, 2), wanted)
    other = start(ltx, flow_photo, CLIP, picture(2))
    assert torch.equal(other.conditioning[IMAGE], begun.conditioning[IMAGE])
    assert not torch.allclose(sample_clip(ltx, CLIP, other, checkpoints=Nowhere()), found, atol=1e-2)


def test_only_the_last_window_is_told(ltx: LtxModel, flow_photo: Image.Image) -> None:
    clip = replace(CLIP, plan=WindowPlan(total=7, frames=5, count=2, overlap=3))
    one, other = (
        sample_clip(ltx, clip, start(ltx, flow_photo, clip, picture(seed)), checkpoints=Nowhere()) for seed in (1, 2)
    )
    assert torch.equal(one[:, :5], other[:, :5])
    assert not torch.allclose(one[:, 5:], other[:, 5:], atol=1e-3)


@pytest.mark.parametrize("step", [1, len(SIGMAS)])
def test_taken_up_after_any_step(ltx: LtxModel, flow_photo: Image.Image, step: int) -> None:
    checkpoints = Everything()
    whole = sample_clip(ltx, CLIP, start(ltx, flow_photo, CLIP, picture(1)), checkpoints=checkpoints)
    state = next(state for state in checkpoints.states if (state.window, state.step) in ((0, step), (1, 0)))
    assert torch.equal(sample_clip(ltx, CLIP, state, checkpoints=Nowhere()), whole)


def test_a_whole_video(make_with: Callable, brief_ltx: Path, tmp_path: Path) -> None:
    """Another last picture, or none, is another video: its checkpoint is not gone on with. The same one is."""
    one, other = (NormalisedPhoto.write(picture(seed, (90, 120)), tmp_path / f"{seed}.png") for seed in (1, 2))
    found: dict[str, dict[str, Any]] = {name: {} for name in ("whole", "resumed", "swapped")}
    made = make_with(brief_ltx, REQUEST, last=one, measures=found["whole"], work=tmp_path / "whole")
    assert read_metadata(made.path)["sampling"]["last_photo"] is True

    def hand_back(moment: Progress) -> None:
        if moment.stage is Stage.SAMPLING and moment.step == 2:
            raise HandBack

    for name, last in (("swapped", other), ("resumed", one)):
        with pytest.raises(HandBack):
            make_with(brief_ltx, REQUEST, last=one, work=tmp_path / name, progress=hand_back)
        made = make_with(brief_ltx, REQUEST, last=last, measures=found[name], work=tmp_path / name)
    assert found["resumed"]["resumed"] == (0, 2)
    assert found["resumed"]["frames_sha256"] == found["whole"]["frames_sha256"]
    assert found["swapped"]["resumed"] is None
    assert found["swapped"]["frames_sha256"] != found["whole"]["frames_sha256"]
    with pytest.raises(HandBack):
        make_with(brief_ltx, REQUEST, last=one, work=tmp_path / "none", progress=hand_back)
    plain: dict[str, Any] = {}
    made = make_with(brief_ltx, REQUEST, measures=plain, work=tmp_path / "none")
    assert plain["resumed"] is None
    assert read_metadata(made.path)["sampling"]["last_photo"] is False


def test_a_damaged_picture_is_named(make_with: Callable, brief_ltx: Path, tmp_path: Path) -> None:
    last = NormalisedPhoto.write(picture(1), tmp_path / "end.png")
    last.path.write_bytes(last.path.read_bytes()[:200])
    with pytest.raises(PhotoError, match=r"end\.png"):
        make_with(brief_ltx, REQUEST, last=last)
