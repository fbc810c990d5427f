"""Rows `ltx` and `wan`: a video transformer at its full size, against the stock pipeline and on smaller cards."""

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from fanslymotion.pipeline.checkpoint import Checkpoints
from fanslymotion.pipeline.families.base import ModelFolder, Offload
from fanslymotion.pipeline.families.flow.folder import FlowFolders
from fanslymotion.pipeline.families.placement import Placement
from fanslymotion.pipeline.families.steps.effort import Effort
from fanslymotion.pipeline.media.photo.load import load_photo
from fanslymotion.pipeline.media.sizes import fit_photo
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.pipeline.sampling.windowed import SamplingParams, begin
from fanslymotion.presets import Reuse
from PIL import Image

from .harness import PHOTO, SEED, Bench, Figures, StepClock, difference, free, peaks, reset_peak, timed
from .jobs import Asked, each
from .ours import resumed, sample

AGAIN = Effort(reuse=Reuse(ratios=(1.0,), first=0.0))
"""As many steps use residuals again as can be: for speed and memory, not for the pictures of random weights."""

PROMPT = "A lighthouse on a cliff, waves roll in, gulls in the wind."

Tensors = Mapping[str, torch.Tensor]


class Subject(ABC):
    """What is measured. All sizes in pixels and frames.

    Attributes:
        name: Of the family and of the row.
        folders: Its folders.
        build: Writes the full-size model with random weights.
        build_tiny: Writes the tiny one.
        stride: Frames of a latent.
        tiny_frames: Of a window of the tiny model.
        chunk: Of the second decoding; the first is of all frames.
        steps: Of a job on each card; 0 = the preset's.
        limits: GiB of the cards, in order of value.
    """

    name: str
    folders: FlowFolders
    build: Callable[[Path], Path]
    build_tiny: Callable[[Path], Path]
    stride: int
    tiny_frames: int
    chunk: int
    steps: int
    limits: tuple[int, ...]

    @abstractmethod
    def encode(self, folder: Path, placement: Placement) -> Tensors:
        """Encode the prompt."""

    @abstractmethod
    def load(self, model: ModelFolder, placement: Placement) -> Any:
        """Load the model without its text encoder."""

    @abstractmethod
    def clip(self, loaded: Any, frames: int) -> SamplingParams:
        """Describe a window."""

    @abstractmethod
    def stock(self, loaded: Any, clip: SamplingParams, prompt: Tensors, frames: int, given: dict[str, Any]) -> Any:
        """Run diffusers' pipeline with `given` and what else it wants; return its latents as (1, t, channels, h, w)."""


def measure(subject: Subject, bench: Bench, figures: Figures) -> None:
    """Measure a subject, in order of value."""
    folder = bench.model.with_name(f"{bench.model.name}-{subject.name}")
    with figures.part("weights") as part:
        part["seconds"], _ = timed(lambda: (subject.build_tiny if bench.tiny else subject.build)(folder))
        part["gib"] = round(sum(path.stat().st_size for path in folder.rglob("*.safetensors")) / 2**30, 2)
    model = ModelFolder(subject.folders.preset(folder), folder)
    placement = Placement(bench.device, torch.bfloat16 if bench.cuda else torch.float32, Offload.NONE)
    with figures.part("prompt") as part:
        part["seconds"], prompt = timed(lambda: subject.encode(folder, placement))
        part.update(peaks())
    free()
    seconds, loaded = timed(lambda: subject.load(model, placement))
    figures.put(load_s=seconds)
    _whole_window(subject, bench, figures, loaded, prompt)
    del loaded
    free()
    request = VideoRequest(
        resolution="480p" if bench.tiny else "720p",
        seconds=6,
        quality="standard" if bench.tiny else "sampled",
        model=str(folder),
        seed=SEED,
        prompt=PROMPT,
        detail=False,
        steps=subject.steps or None,
    )
    each(bench, figures, (8,) if bench.tiny else subject.limits, Asked(request))


def _whole_window(subject: Subject, bench: Bench, figures: Figures, loaded: Any, prompt: Tensors) -> None:
    """The longest window of the model, all its steps."""
    preset = loaded.model.preset
    frames = subject.tiny_frames if bench.tiny else preset.frames
    clip = subject.clip(loaded, frames)
    photo = fit_photo(load_photo(PHOTO), (preset.width, preset.height), "crop")
    state, found = begin(loaded, clip, photo, prompt), torch.zeros(0)
    with figures.part("sampling") as part, tempfile.TemporaryDirectory(dir=bench.work) as kept:
        reset_peak()
        found, steps = sample(loaded, clip, state, Checkpoints(Path(kept), "bench"))
        part.update(steps, **peaks(), finite=bool(torch.isfinite(found).all()))
    with figures.part("resume") as part, tempfile.TemporaryDirectory(dir=bench.work) as kept:
        part.update(resumed(loaded, clip, state, found, Path(kept)))
    free()
    with figures.part("residuals used again") as part:
        reset_peak()
        latents, steps = sample(loaded, replace(clip, effort=AGAIN), state)
        cached = [second for step, second in enumerate(steps["steps_s"]) if not AGAIN.whole(step, clip.steps)]
        part.update(steps, **peaks(), cached_step_s=min(cached))
        part["against all in full"] = difference(latents, found)
    free()
    with figures.part("stock") as part:
        reset_peak()
        latents, steps = _stock(subject, loaded, clip, photo, prompt, frames)
        part.update(steps, **peaks(), **difference(found, latents))
    free()
    for chunk in (frames, subject.chunk):
        with figures.part(f"decode chunk {chunk}") as part:
            reset_peak()
            part["seconds"], part["frames"] = timed(
                lambda chunk=chunk: sum(len(some) for some in loaded.decode(found, chunk, seed=SEED))
            )
            part.update(peaks())
        free()


def _stock(
    subject: Subject, loaded: Any, clip: SamplingParams, photo: Image.Image, prompt: Tensors, frames: int
) -> tuple[torch.Tensor, dict[str, Any]]:
    """The latents of diffusers' pipeline, and what each step took from the end of the first one on."""
    clock: list[StepClock] = []

    def tick(pipe: Any, step: int, time: Any, kept: dict[str, Any]) -> dict[str, Any]:
        if clock:
            clock[0].tick()
        else:
            clock.append(StepClock())
        return kept

    given = {
        "image": photo,
        "height": clip.height,
        "width": clip.width,
        "num_frames": frames,
        "num_inference_steps": clip.steps,
        "generator": torch.Generator("cpu").manual_seed(clip.seed),
        "output_type": "latent",
        "callback_on_step_end": tick,
    }
    latents = subject.stock(loaded, clip, prompt, frames, given)
    return latents, clock[0].figures
