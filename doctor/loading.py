"""Load a model as a worker would, and print how long it took. Runs in its own process, which may be killed."""

import json
import os
import sys
import time

import psutil

from ..models.find import require_model
from ..pipeline.families import family
from ..pipeline.families.base import Offload, Role
from ..pipeline.hardware.oom import is_oom
from ..pipeline.memory.request_plan import plan_request
from ..pipeline.request import VideoRequest
from ..presets import load_presets
from ..settings import Settings

OUT_OF_MEMORY = 3
"""Exit code if memory ran out."""


def main(settings: Settings, name: str) -> None:
    """Load a model and print seconds, bytes and device as JSON. Exit with OUT_OF_MEMORY if memory ran out."""
    import torch

    from ..pipeline.families.placement import Placement
    from ..pipeline.model_cache import ModelCache

    presets = load_presets(settings)
    model = require_model(name, presets, settings)
    plan = plan_request(VideoRequest(model=name), (16, 9), model, presets, settings)
    began = time.perf_counter()
    try:
        loaded = ModelCache().get(model, placement=Placement.of(plan))
        denoiser = next(c for c in family(model.preset.family).components if c.role is Role.DENOISER)
        loaded.bring(denoiser.name)  # the largest one: with model offload it waits in RAM until it computes
    except Exception as e:
        if not is_oom(e):
            raise
        print(e, file=sys.stderr)
        sys.exit(OUT_OF_MEMORY)
    on_card = loaded.device.type == "cuda" and plan.offload in (Offload.NONE, Offload.MODEL)
    told = {
        "seconds": time.perf_counter() - began,
        "bytes": torch.cuda.max_memory_reserved() if on_card else psutil.Process(os.getpid()).memory_info().rss,
        "device": str(loaded.placement),
    }
    print(json.dumps(told))
