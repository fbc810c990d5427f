"""Rows `compile`, `compile_warm` and `compile_nchw`: the denoiser's and the decoder's repeated blocks compiled."""

from pathlib import Path
from typing import Any

import torch
from fanslymotion.pipeline.families import family
from fanslymotion.pipeline.families.svd.model import LoadedModel
from fanslymotion.pipeline.families.weights.compiling import INDUCTOR, Compiler
from fanslymotion.pipeline.sampling.windowed import SamplingState, begin, rehearse
from safetensors.torch import load_file, save_file

from .harness import Bench, Figures, difference, free, peaks, reset_peak, timed
from .ours import decoded, load, modes, sample

DECODE_CHUNK = 5


def compile_cold(bench: Bench, figures: Figures) -> None:
    _measure(bench, figures, layout="nhwc")


def compile_warm(bench: Bench, figures: Figures) -> None:
    """Another process finds in the cache what `compile_cold` left there."""
    _measure(bench, figures, layout="nhwc")


def compile_nchw(bench: Bench, figures: Figures) -> None:
    _measure(bench, figures, layout="nchw")


def _measure(bench: Bench, figures: Figures, layout: str) -> None:
    """Without a GPU only the tracing is tested, which needs no C compiler."""
    loaded = load(bench, figures)
    blocks = family(bench.folder.preset.family).blocks
    compiler = Compiler(INDUCTOR if bench.cuda else "eager", channels_last=layout == "nhwc")
    clip = bench.clip(steps=3 if bench.tiny else 4)
    state = begin(loaded, clip, bench.photo())
    latents: Any = None
    with figures.part("eager") as part:
        latents, steps = sample(loaded, clip, state)
        part.update(steps, **peaks())
    with figures.part("decoder eager") as part:
        decoded(loaded, latents[:, :DECODE_CHUNK], DECODE_CHUNK)
        part["seconds"] = decoded(loaded, latents, DECODE_CHUNK)
        part.update(peaks())
    compiler.suit(loaded, blocks, compiled=True)
    with figures.part("denoiser") as part:
        part["rehearsal_s"] = timed(lambda: rehearse(loaded, clip, state))[0]
        part["graphs"] = _graphs()
        reset_peak()
        found, steps = sample(loaded, clip, state)
        part.update(steps, **peaks(), graphs_after=_graphs())
        part["against eager"] = difference(found, latents)
        _compare_processes(bench, layout, "latents", found, part)
    with figures.part("decoder") as part:
        few = latents[:, :DECODE_CHUNK]
        part["first_s"] = decoded(loaded, few, len(few[0]))
        reset_peak()
        part["seconds"] = decoded(loaded, latents, DECODE_CHUNK)
        part.update(peaks(), graphs=_graphs())
    if layout == "nhwc":
        _modes(bench, figures, loaded, state)
    with figures.part("taken off") as part:
        compiler.suit(loaded, blocks, compiled=False)
        found, steps = sample(loaded, clip, state)
        part.update(steps)
        part["against eager"] = difference(found, latents)
    with figures.part("put on again") as part:
        compiler.suit(loaded, blocks, compiled=True)
        before = _graphs()
        part["rehearsal_s"] = timed(lambda: rehearse(loaded, clip, state))[0]
        part["graphs_more"] = _graphs() - before
    free()


def _modes(bench: Bench, figures: Figures, loaded: LoadedModel, state: SamplingState) -> None:
    """A whole window in each mode. Balanced also computes without guidance, which needs other kernels: it is last."""
    offered = modes(bench)
    for mode in ("best", "fast", "balanced"):
        clip = offered[mode]
        with figures.part(mode) as part:
            part["rehearsal_s"] = timed(lambda clip=clip: rehearse(loaded, clip, state))[0]
            part["total_s"] = round(sum(sample(loaded, clip, state)[1]["steps_s"]), 2)


def _graphs() -> int:
    from torch._dynamo.utils import counters

    return int(counters["stats"]["unique_graphs"])


def _compare_processes(bench: Bench, layout: str, name: str, found: torch.Tensor, part: dict[str, Any]) -> None:
    path: Path = bench.work / f"compiled-{layout}.safetensors"
    if path.is_file():
        part["against the first process"] = difference(found, load_file(path)[name])
    else:
        save_file({name: found.cpu().contiguous()}, path)
