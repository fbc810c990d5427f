"""Models compiled for their device: decided before the first step, the same after a resume, and never a job's end."""

import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fanslymotion.errors import HandBack
from fanslymotion.pipeline.families.base import Offload
from fanslymotion.pipeline.families.weights.compiling import Compiler
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.hardware.measurements import Measurements
from fanslymotion.pipeline.media.mp4 import read_metadata
from fanslymotion.pipeline.model_cache import ModelCache
from fanslymotion.pipeline.progress import Progress, Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.settings import Settings

HERE = Machine(device="cpu", compiles=True)
"""Without a GPU, as if its compiler could be used."""


@pytest.fixture(scope="module")
def compiled() -> ModelCache:
    """Keeps a model, and compiles with dynamo alone: no C compiler, and the numbers of eager blocks."""
    return ModelCache(compiler=Compiler("eager", channels_last=False))


@pytest.fixture
def always(settings: Settings) -> Settings:
    return replace(settings, compile="always")


def result(run: Callable, request: VideoRequest, tmp_path: Path, name: str, **changes: Any) -> dict[str, Any]:
    measures: dict[str, Any] = {}
    out = tmp_path / f"{name}.mp4"
    done = run(request, out=out, work=tmp_path / name, machine=HERE, measures=measures, **changes)
    return measures | {"warnings": done.warnings, "said": read_metadata(out)["sampling"]}


def test_a_compiled_video_has_the_same_frames(
    run: Callable, fast: VideoRequest, compiled: ModelCache, always: Settings, tmp_path: Path
) -> None:
    first = result(run, fast, tmp_path, "compiled", renderers=compiled, settings=always)
    then = result(run, fast, tmp_path, "eager", renderers=compiled)
    assert (first["plan"].compiled, then["plan"].compiled) == (True, False)
    assert (first["said"]["compiled"], then["said"]["compiled"]) == (True, False)
    assert torch.equal(first["latents"], then["latents"])
