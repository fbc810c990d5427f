"""Load a model as a worker would, and tell how long it took: run in a process of its own, which may die of it."""

import json
import os
import time

import psutil

from ..pipeline.models import require_model
from ..pipeline.outlook import outlook
from ..pipeline.request import VideoRequest
from ..presets import load_presets
from ..settings import Settings


def main(settings: Settings, name: str) -> None:
    from ..pipeline.renderer import Placement, RendererCache

    presets = load_presets(settings)
    model = require_model(name, presets, settings)
    plan = outlook(VideoRequest(model=name), (16, 9), presets, settings)
    began = time.perf_counter()
    renderer = RendererCache().get(model, placement=Placement.of(plan))
    told = {
        "seconds": time.perf_counter() - began,
        "bytes": psutil.Process(os.getpid()).memory_info().rss,
        "device": str(renderer.placement),
    }
    print(json.dumps(told))
