"""Rows `compile`, `compile_warm` and `compile_nchw`: torch.compile of the repeated blocks, denoiser and decoder."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from fanslymotion.pipeline.sampling.windowed import begin
from safetensors.torch import load_file, save_file

from . import patches
from .harness import Bench, Figures, difference, free, peaks
from .ours import decoded, load, sample

BLOCKS = ("TransformerSpatioTemporalModel", "SpatioTemporalResBlock")
DECODE_CHUNK = 5


def compile_cold(bench: Bench, figures: Figures) -> None:
    _measure(bench, figures, layout="nhwc")


def compile_warm(bench: Bench, figures: Figures) -> None:
    """Another process finds in the cache what `compile_cold` left there."""
    _measure(bench, figures, layout="nhwc")


def compile_nchw(bench: Bench, figures: Figures) -> None:
    _measure(bench, figures, layout="nchw")


def _measure(bench: Bench, figures: Figures, layout: str) -> None:
    renderer = load(bench, figures)
    clip = bench.clip(steps=3 if bench.tiny else 4)
    state = begin(renderer, clip, bench.photo())
    _allow_many_shapes()
    latents: Any = None
    with ExitStack() as stack:
        with figures.part("eager") as part:
            latents, steps = sample(renderer, clip, state)
            part.update(steps)
        if layout == "nhwc":
            stack.enter_context(patches.channels_last(renderer.unet))
            stack.enter_context(patches.channels_last(renderer.vae.decoder))
        with figures.part("denoiser") as part:
            part["blocks"] = _compile(bench, renderer.unet)
            result = _whole_or_broken(part, lambda: sample(renderer, clip, state), bench, renderer.unet)
            part.update(result[1], **peaks(), graphs=_graphs())
            part["against eager"] = difference(result[0], latents)
            _compare_processes(bench, layout, "latents", result[0], part)
        with figures.part("decoder eager") as part:
            decoded(renderer, latents[:, :DECODE_CHUNK], DECODE_CHUNK)
            part["seconds"] = decoded(renderer, latents, DECODE_CHUNK)
        with figures.part("decoder") as part:
            part["blocks"] = _compile(bench, renderer.vae.decoder)
            few = latents[:, :DECODE_CHUNK]
            part["first_s"] = _whole_or_broken(
                part, lambda: decoded(renderer, few, len(few[0])), bench, renderer.vae.decoder
            )
            part["seconds"] = decoded(renderer, latents, DECODE_CHUNK)
            part.update(peaks())
    free()


def _allow_many_shapes() -> None:
    """All blocks share their code, and each shape is compiled on its own: more than dynamo's limit for one function."""
    config: Any = torch._dynamo.config
    for name in ("recompile_limit", "cache_size_limit"):
        if hasattr(config, name):
            setattr(config, name, 64)
    for name in ("accumulated_recompile_limit", "accumulated_cache_size_limit"):
        if hasattr(config, name):
            setattr(config, name, 1024)


def _compile(bench: Bench, network: Any, whole: bool = True) -> int:
    """Without a GPU only the tracing is tested, which needs no compiler."""
    blocks = [module for module in network.modules() if type(module).__name__ in BLOCKS]
    for block in blocks:
        block.compile(fullgraph=whole, dynamic=False, backend="inductor" if bench.cuda else "eager")
    return len(blocks)


def _whole_or_broken(part: dict[str, Any], work: Any, bench: Bench, network: Any) -> Any:
    """Run it; where a block cannot be one graph, say so and allow breaks."""
    began = time.perf_counter()
    try:
        return work()
    except Exception as e:  # dynamo's and inductor's own errors have no common type
        part["fullgraph_error"] = f"{type(e).__name__}: {e}"[:600]
        part["fullgraph_failed_after_s"] = round(time.perf_counter() - began, 1)
    torch._dynamo.reset()
    _compile(bench, network, whole=False)
    return work()


def _graphs() -> int:
    from torch._dynamo.utils import counters

    return int(counters["stats"]["unique_graphs"])


def _compare_processes(bench: Bench, layout: str, name: str, found: torch.Tensor, part: dict[str, Any]) -> None:
    path: Path = bench.work / f"compiled-{layout}.safetensors"
    if path.is_file():
        part["against the first process"] = difference(found, load_file(path)[name])
    else:
        save_file({name: found.cpu().contiguous()}, path)
