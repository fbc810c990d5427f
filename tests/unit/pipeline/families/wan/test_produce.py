"""Whole videos of a tiny Wan 2.2: sizes, rates, windows; interrupted anywhere, the frames stay the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fanslymotion.errors import HandBack
from fanslymotion.pipeline.families.base import ModelFolder
from fanslymotion.pipeline.families.flow import text_encoder
from fanslymotion.pipeline.families.wan.folder import NEGATIVE_PROMPT, folder_preset
from fanslymotion.pipeline.media.mp4 import probe, read_metadata
from fanslymotion.pipeline.model_cache import ModelCache
from fanslymotion.pipeline.progress import Progress, Stage
from fanslymotion.pipeline.request import VideoRequest
from PIL import Image

STEPS = 4
SHORT = {"resolution": "small", "seed": 7, "steps": STEPS, "detail": False}
REQUEST = VideoRequest(seconds=12, quality="sampled", prompt="A boat sways", **SHORT)
"""12 s at 24 frames a second: two windows of 37 latent frames that share one."""


@pytest.fixture(scope="session")
def warm() -> ModelCache:
    return ModelCache()


@pytest.fixture
def make(run: Callable, tiny_wan: Path, warm: ModelCache) -> Callable:
    """Produce with the tiny model; keywords go over the defaults."""

    def call(request: VideoRequest = REQUEST, **changes: Any):
        model = ModelFolder(folder_preset(tiny_wan), tiny_wan)
        return run(request, **{"model": model, "renderers": warm, **changes})

    return call


@pytest.mark.parametrize("seconds", [6, 12])
@pytest.mark.parametrize(("quality", "fps"), [("standard", 24), ("smooth", 48)])
def test_size_rate_and_length_are_exact(seconds: int, quality: str, fps: int, make: Callable) -> None:
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
    info = probe(make(VideoRequest(seconds=6, **SHORT), photo=given).path)
    assert (info.width, info.height, info.frames) == (72, 128, 6 * 24)


def test_what_is_told_on_the_way(make: Callable) -> None:
    seen: list[Progress] = []
    make(progress=seen.append)
    fractions = [moment.fraction for moment in seen]
    assert fractions == sorted(fractions)
    steps = [moment for moment in seen if moment.x0 is not None]
    assert [(m.step, m.steps, m.window, m.windows) for m in steps] == [
        (i + 1, 2 * STEPS, i // STEPS + 1, 2) for i in range(2 * STEPS)
    ]
    assert steps[0].preview is not None
    assert steps[0].preview()[8:12] == b"WEBP"


@pytest.fixture(scope="session")
def undisturbed() -> dict[str, Any]:
    """Filled by the first test that needs it."""
    return {}


@pytest.mark.parametrize("step", [2, STEPS, STEPS + 3, 2 * STEPS])
def test_taken_up_again(step: int, make: Callable, undisturbed: dict[str, Any], tmp_path: Path) -> None:
    if not undisturbed:
        make(work=tmp_path / "undisturbed", out=tmp_path / "undisturbed.mp4", measures=undisturbed)

    def hand_back(moment: Progress) -> None:
        if moment.stage is Stage.SAMPLING and moment.step >= step:
            raise HandBack

    with pytest.raises(HandBack):
        make(progress=hand_back)
    measures: dict[str, Any] = {}
    make(measures=measures)
    assert measures["resumed"] in (divmod(step, STEPS), (step // STEPS - 1, STEPS))
    assert measures["latents"].equal(undisturbed["latents"])
    assert measures["frames_sha256"] == undisturbed["frames_sha256"]


def test_prompts_are_encoded_once(make: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second video with the same prompt reads it from the disk, in a program where no encoder can be loaded."""
    request = VideoRequest(seconds=6, prompt="A boat sways", **SHORT)
    first: dict[str, Any] = {}
    make(request, measures=first)

    def refuse(*_: Any) -> None:
        raise AssertionError("the text encoder was loaded again")

    with monkeypatch.context() as patch:
        patch.setattr(text_encoder, "read_encoder", refuse)
        again: dict[str, Any] = {}
        make(request, measures=again, work=tmp_path / "again")
    other: dict[str, Any] = {}
    make(VideoRequest(seconds=6, prompt="Лодка 🚤", **SHORT), measures=other, work=tmp_path / "other")
    assert again["frames_sha256"] == first["frames_sha256"] != other["frames_sha256"]


def test_a_prompt_that_is_too_long_is_cut_and_said(make: Callable) -> None:
    result = make(VideoRequest(seconds=6, prompt="sea " * 2500, **SHORT))
    said = [str(warning) for warning in result.warnings]
    assert any("its end was left out: «" in line and len(line) < 200 for line in said), said
