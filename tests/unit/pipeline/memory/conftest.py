"""The tiny model drawn with guidance, and the rungs of a GPU on this machine's CPU."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fanslymotion.pipeline.families.svd.model import Placement
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets import Presets, load_presets
from fanslymotion.settings import Settings


@pytest.fixture
def presets(presets: Presets, settings: Settings, tiny_model: Path) -> Presets:
    """With the tiny model once more, as one that is drawn with guidance: then every rung exists."""
    (settings.presets_dir / "models" / "guided.toml").write_text(
        f"label = 'guided'\nsource = 'folder'\nfolder = {json.dumps(str(tiny_model))}\n"
        "width = 56\nheight = 32\nframes = 6\n[sampling]\nmin_guidance = 1.0\nmax_guidance = 3.0\n",
        encoding="utf-8",
    )
    return load_presets(settings)


@pytest.fixture
def guided(fast: VideoRequest) -> VideoRequest:
    """One window of three steps, 6 frames: memory runs out at the first calls of a place; others show nothing."""
    return replace(fast, model="guided", seconds=1)


@pytest.fixture
def pretend_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The GPU's rungs with their real hooks, computed on the CPU."""

    def of(plan: Any) -> Placement:
        return Placement(torch.device("cpu"), torch.float32, plan.offload)

    monkeypatch.setattr(Placement, "of", staticmethod(of))
