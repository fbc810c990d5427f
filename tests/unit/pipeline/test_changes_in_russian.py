"""What the memory ladder says in the log is said in Russian, too: every step of every kind of machine."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fanslymotion.errors import RenderError
from fanslymotion.messages import Message, msg
from fanslymotion.models.find import find_model
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.memory.fallback import MemoryFallback
from fanslymotion.pipeline.progress import Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.pipeline.stages import RANDOM_MODEL
from fanslymotion.pipeline.video_file import SMALL_PHOTO
from fanslymotion.presets import Presets, load_presets
from fanslymotion.settings import Settings

GIB = 2**30
CPU = Machine(cores=8, ram_total=64 * GIB, ram_free=60 * GIB, cpu_half=True)
CARDS = [replace(CPU, device="cuda", vram_total=n * GIB, vram_free=n * GIB, gpu_speed=20.0) for n in (4, 8, 24)]
TERMS = re.compile(r"\b(GPU|guidance|float16|float32|bfloat16|NaN|mini|fanslymotion models list)\b")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.local(tmp_path, tmp_path / "models")


def said(machine: Machine, stage: Stage, presets: Presets, settings: Settings, work: Path) -> Iterator[Message]:
    """By a job whose memory runs out at `stage` again and again, and whose worker is then killed for it."""
    request = VideoRequest(resolution="1080p", seconds=6, quality="standard", model="svd-xt", seed=1)
    model = find_model("svd-xt", presets, settings)
    ladder = MemoryFallback(request, (1920, 1080), model, presets, settings, work, machine=machine)
    while True:
        yield from ladder.warnings
        killed = MemoryFallback(request, (1920, 1080), model, presets, settings, work, machine=machine, killed=stage)
        yield from killed.warnings
        try:
            ladder.step_down(stage, "CUDA out of memory")
        except RenderError:
            return


@pytest.mark.parametrize("stage", [Stage.LOADING, Stage.CONDITIONING, Stage.SAMPLING, Stage.DECODING])
@pytest.mark.parametrize("machine", [CPU, *CARDS], ids=["cpu", "4 GB", "8 GB", "24 GB"])
def test_every_step_down_is_said_in_russian(machine: Machine, stage: Stage, settings: Settings, tmp_path: Path) -> None:
    notes = set(said(machine, stage, load_presets(settings), settings, tmp_path / "work"))
    assert notes
    for note in notes:
        russian = note.say("ru")
        assert not re.search("[A-Za-z]", TERMS.sub("", russian)), (note, russian)
        assert re.findall(r"\d+", russian) == re.findall(r"\d+", TERMS.sub(lambda m: m[0], note)), "no figure is lost"
        assert note.say("en") == note


@pytest.mark.parametrize("stage", [Stage.CONDITIONING, Stage.SAMPLING, Stage.DECODING])
def test_a_card_that_fails_at_16_bits_is_said_in_russian(stage: Stage, settings: Settings, tmp_path: Path) -> None:
    request = VideoRequest(resolution="720p", seconds=6, quality="standard", model="svd-xt", seed=1)
    presets = load_presets(settings)
    model = find_model("svd-xt", presets, settings)
    ladder = MemoryFallback(request, (1920, 1080), model, presets, settings, tmp_path, machine=CARDS[1])
    ladder.use_float32(stage)
    russian = ladder.warnings[-1].say("ru")
    assert not re.search("[A-Za-z]", TERMS.sub("", russian)), russian
    assert "float32, а не float16" in russian


def test_names_of_others_stay_as_they_are() -> None:
    held = msg(" Video memory is held by {names}.", names="chrome (512 MB)")
    assert held.say("ru") == " Видеопамять занимают: chrome (512 МБ)."
    assert "mini" in RANDOM_MODEL.say("ru")
    assert not re.search("[A-Za-z]", TERMS.sub("", RANDOM_MODEL.say("ru")))
    small = Message(SMALL_PHOTO, {"size": "320×180"}).say("ru")
    assert "(320×180)" in small
    assert not re.search("[A-Za-z]", small)
