"""Whole videos of a tiny LTX-Video: sizes, rates, windows; interrupted anywhere, the frames stay the same."""

import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from fanslymotion.errors import Cancelled, HandBack
from fanslymotion.pipeline.families.base import ModelFolder
from fanslymotion.pipeline.families.flow import text_encoder
from fanslymotion.pipeline.families.ltx.folder import SIGMAS, folder_preset
from fanslymotion.pipeline.families.weights.compiling import Compiler
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.media.mp4 import probe, read_metadata
from fanslymotion.pipeline.model_cache import ModelCache
from fanslymotion.pipeline.progress import Progress, Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.settings import Settings
from PIL import Image

STEPS = len(SIGMAS)
REQUEST = VideoRequest(resolution="small", seconds=12, quality="sampled", seed=7, prompt="A boat sways", detail=False)
"""12 s at 24 frames a second: two windows of 21 latent frames that share 5."""


@pytest.fixture(scope="session")
def warm() -> ModelCache:
    return ModelCache()


@pytest.fixture
def make(run: Callable, tiny_ltx: Path, warm: ModelCache) -> Callable:
    """Produce with the tiny model; keywords go over the defaults."""

    def call(request: VideoRequest = REQUEST, **changes: Any):
        model = ModelFolder(folder_preset(tiny_ltx), tiny_ltx)
        return run(request, **{"model": model, "renderers": warm, **changes})

    return call


EXACT = {(6, "standard", False), (12, "standard", True), (12, "smooth", False), (6, "sampled", True)}
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


def test_a_compiled_transformer(make: Callable, settings: Settings, tmp_path: Path) -> None:
    cache, found = ModelCache(compiler=Compiler("eager", channels_last=False)), []
    for setting in ("always", "never"):
        measures: dict[str, Any] = {}
        make(
            replace(REQUEST, seconds=6),
            renderers=cache,
            settings=replace(settings, compile=setting),
            machine=Machine(compiles=True),
            work=tmp_path / setting,
            measures=measures,
        )
        found.append(measures)
    assert [one["plan"].compiled for one in found] == [True, False]
    assert torch.equal(found[0]["latents"], found[1]["latents"])


def test_the_photos_detail(make: Callable) -> None:
    request = VideoRequest(resolution="small", seconds=6, quality="standard", detail=True)
    assert probe(make(request).path).frames == 6 * 24


def test_what_is_told_on_the_way(make: Callable) -> None:
    seen: list[Progress] = []
    make(progress=seen.append)
    stages = [moment.stage for moment in seen]
    assert stages == sorted(stages, key=list(Stage).index)
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


@pytest.mark.parametrize("step", [3, STEPS, STEPS + 1, 2 * STEPS])
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


def test_a_prompt_is_encoded_once(make: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second video with the same prompt reads it from the disk, in a program where no encoder can be loaded."""
    first: dict[str, Any] = {}
    make(measures=first)

    def refuse(*_: Any) -> None:
        raise AssertionError("the text encoder was loaded again")

    monkeypatch.setattr(text_encoder, "read_encoder", refuse)
    again: dict[str, Any] = {}
    make(measures=again, work=tmp_path / "again")
    assert again["frames_sha256"] == first["frames_sha256"]


def test_other_words_give_another_video(make: Callable, tmp_path: Path) -> None:
    found = set()
    for i, prompt in enumerate(("", "A boat sways", "Лодка 🚤 качается", "قارب يتمايل")):
        measures: dict[str, Any] = {}
        result = make(
            VideoRequest(resolution="small", seconds=6, quality="standard", prompt=prompt, detail=False),
            measures=measures,
            work=tmp_path / str(i),
        )
        assert read_metadata(result.path)["request"]["prompt"] == prompt
        found.add(measures["frames_sha256"])
    assert len(found) == 4


def test_a_prompt_that_is_too_long_is_cut_and_said(make: Callable) -> None:
    words = "sea " * 2500
    result = make(VideoRequest(resolution="small", seconds=6, quality="standard", prompt=words, detail=False))
    said = [str(warning) for warning in result.warnings]
    assert any("its end was left out: «" in line and len(line) < 200 for line in said), said


def test_cancelled_while_the_prompt_is_read(make: Callable, tmp_path: Path) -> None:
    """What loads cannot be interrupted; it has ended when the cancel is heard, and nothing of it is left."""

    def cancel(moment: Progress) -> None:
        if moment.part == "text_encoder":
            raise Cancelled

    request = VideoRequest(resolution="small", seconds=6, quality="standard", prompt="never read before", detail=False)
    with pytest.raises(Cancelled):
        make(request, progress=cancel)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("fanslymotion-beside")]
    assert not list(tmp_path.glob("*.mp4*"))
    assert make(request).frames == 144
