"""Whole videos of a tiny Wan 2.2: sizes, rates, windows; interrupted anywhere, the frames stay the same."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fanslymotion.errors import HandBack
from fanslymotion.pipeline.families.flow.text import text_encoder
from fanslymotion.pipeline.families.wan.folder import NEGATIVE_PROMPT
from fanslymotion.pipeline.media.mp4 import probe, read_metadata
from fanslymotion.pipeline.progress import Progress, Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.tests.soak import soak
from PIL import Image

STEPS = 4
SHORT = {"resolution": "small", "seed": 7, "steps": STEPS, "detail": False}
REQUEST = VideoRequest(seconds=12, quality="sampled", prompt="A boat sways", **SHORT)
"""12 s at 24 frames a second: two windows of 37 latent frames that share one."""


@pytest.fixture
def make(make_with: Callable, tiny_wan: Path) -> Callable:
    """Produce with the tiny model; keywords go over the defaults."""

    def call(request: VideoRequest = REQUEST, **changes: Any) -> Any:
        return make_with(tiny_wan, request, **changes)

    return call


@pytest.mark.parametrize(
    ("seconds", "quality"),
    [(12, "standard"), *soak((6, "standard"), (6, "smooth"), (12, "smooth"))],
)
def test_size_rate_and_length_are_exact(seconds: int, quality: str, make: Callable) -> None:
    fps = 48 if quality == "smooth" else 24
    result = make(VideoRequest(seconds=seconds, quality=quality, **SHORT))
    info = probe(result.path)
    assert (info.width, info.height, info.fps, info.frames, info.duration) == (128, 72, fps, seconds * fps, seconds)
    assert (result.width, result.height, result.fps, result.frames) == (128, 72, fps, seconds * fps)
    told = read_metadata(result.path)["sampling"]
    assert (told["frames"], told["schedule"], told["solver"], told["shift"]) == (seconds * 24, "flow", "unipc", 5.0)
    assert (told["windows"], told["overlap"]) == ((1, 0) if seconds == 6 else (2, 1))
    assert (told["max_guidance"], told["negative_prompt"]) == (5.0, NEGATIVE_PROMPT)


def test_an_upright_photo(make: Callable, photo: Path, tmp_path: Path) -> None:
    given = tmp_path / "upright.png"
    with Image.open(photo) as image:
        image.transpose(Image.Transpose.ROTATE_90).save(given)
    info = probe(make(VideoRequest(seconds=1, **SHORT), photo=given).path)
    assert (info.width, info.height, info.frames) == (72, 128, 24)


@pytest.mark.soak
def test_what_guidance_leads_away_from(make: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself the model's own text; an empty one is a choice; the same one again loads no text encoder."""
    frames: dict[str | None, str] = {}
    for n, text in enumerate((None, "", " mist ")):
        measures: dict[str, Any] = {}
        request = VideoRequest(seconds=1, prompt="A boat sways", negative_prompt=text, **SHORT)
        told = read_metadata(make(request, measures=measures, work=tmp_path / str(n)).path)
        assert told["request"]["negative_prompt"] == text
        assert told["sampling"]["negative_prompt"] == (NEGATIVE_PROMPT if text is None else text.strip())
        frames[text] = measures["frames_sha256"]
    assert len(set(frames.values())) == 3
    monkeypatch.setattr(text_encoder, "read_encoder", lambda *_: pytest.fail("the text encoder was loaded again"))
    measures = {}
    make(replace(request, negative_prompt="mist"), measures=measures, work=tmp_path / "again")
    assert measures["frames_sha256"] == frames[" mist "]


def test_a_checkpoint_of_another_negative_prompt_is_not_gone_on_with(make: Callable) -> None:
    request = VideoRequest(seconds=1, prompt="A boat sways", **SHORT)

    def hand_back(moment: Progress) -> None:
        if moment.stage is Stage.SAMPLING and moment.step:
            raise HandBack

    with pytest.raises(HandBack):
        make(request, progress=hand_back)
    measures: dict[str, Any] = {}
    make(replace(request, negative_prompt="mist"), measures=measures)
    assert measures["resumed"] is None
