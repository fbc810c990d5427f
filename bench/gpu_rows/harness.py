"""What all rows share: where things are, clocks that wait for the GPU, figures written as soon as they are known."""

import gc
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from fanslymotion.bench.checkpoint_sinks import Nowhere as Nowhere
from fanslymotion.pipeline.families.base import Offload
from fanslymotion.pipeline.families.svd.conditioning import MicroConditioning
from fanslymotion.pipeline.families.svd.folder import ModelFolder, folder_preset
from fanslymotion.pipeline.families.svd.model import Placement
from fanslymotion.pipeline.media.photo.load import load_photo
from fanslymotion.pipeline.media.sizes import fit_photo
from fanslymotion.pipeline.sampling.euler import Guidance
from fanslymotion.pipeline.sampling.windowed import SamplingParams
from fanslymotion.pipeline.windows import WindowOptions, plan_windows
from fanslymotion.settings import ROOT
from PIL import Image

GIB = 2**30
PHOTO = ROOT / "assets" / "sample.jpg"
SEED = 1


@dataclass(frozen=True)
class Bench:
    """What a row is given.

    model: folder of the weights. work: folder that the rows of one run share. out: folder of the results.
    tiny: the tiny random model on whatever is there, to test this program itself. overhead: bytes of video memory
    that a process takes outside of torch's allocator (row `env`). deadline: `time.monotonic()` at which to stop.
    """

    model: Path
    work: Path
    out: Path
    tiny: bool
    overhead: int
    deadline: float

    @property
    def device(self) -> torch.device:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    @property
    def cuda(self) -> bool:
        return self.device.type == "cuda"

    @property
    def dtype(self) -> torch.dtype:
        return torch.float16 if self.cuda else torch.float32

    @property
    def steps(self) -> int:
        return 3 if self.tiny else 6

    @property
    def folder(self) -> ModelFolder:
        return ModelFolder(folder_preset(self.model), self.model)

    @property
    def left(self) -> float:
        """Seconds until the row is stopped."""
        return self.deadline - time.monotonic()

    def placement(self, offload: Offload = Offload.NONE) -> Placement:
        return Placement(self.device, self.dtype, offload)

    def clip(self, steps: int = 0, **changes: Any) -> SamplingParams:
        """One window at the model's own size, with the guidance of SVD-XT."""
        preset = self.folder.preset
        known: dict[str, Any] = {
            "width": preset.width,
            "height": preset.height,
            "seed": SEED,
            "steps": steps or self.steps,
            "schedule": "karras",
            "guidance": Guidance(1.0, 3.0),
            "family_options": MicroConditioning(fps=7, bucket=127, noise_aug=0.02),
            "plan": plan_windows(preset.frames, preset.frames),
            "options": WindowOptions(),
        }
        return SamplingParams(**(known | changes))

    def photo(self) -> Image.Image:
        preset = self.folder.preset
        return fit_photo(load_photo(PHOTO), (preset.width, preset.height), "crop")


class Figures:
    """A row's figures, in a file that is rewritten after each part: a row that is killed keeps what it had."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.data: dict[str, Any] = {}

    def put(self, **figures: Any) -> None:
        self.data.update(figures)
        half = self._path.with_suffix(".part")
        half.write_text(json.dumps(self.data, indent=1, default=str), encoding="utf-8")
        os.replace(half, self._path)

    @contextmanager
    def part(self, name: str) -> Iterator[dict[str, Any]]:
        """Measure `name` into the yielded dict. An error is noted there, and the row goes on with its next part."""
        entry: dict[str, Any] = {}
        began = time.perf_counter()
        reset_peak()
        print(f"-- {name}", file=sys.stderr, flush=True)
        try:
            yield entry
        except Exception as e:  # any library may fail here in its own way; the figure is that it did
            entry["error"] = f"{type(e).__name__}: {e}"[:600]
            traceback.print_exc()
        entry["part_s"] = round(time.perf_counter() - began, 2)
        self.put(**{name: entry})
        if "error" in entry:
            free()


def sync() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def reset_peak() -> None:
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def peaks() -> dict[str, float]:
    """GiB since `reset_peak`; zeros without a GPU."""
    if not torch.cuda.is_available():
        return {"allocated_gib": 0.0, "reserved_gib": 0.0}
    return {
        "allocated_gib": round(torch.cuda.max_memory_allocated() / GIB, 3),
        "reserved_gib": round(torch.cuda.max_memory_reserved() / GIB, 3),
    }


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds until the GPU has done it, and what it gave."""
    sync()
    began = time.perf_counter()
    result = work()
    sync()
    return round(time.perf_counter() - began, 4), result


class StepClock:
    """Seconds of each step. `tick` is the callback after each one; the first step holds what is done only once."""

    def __init__(self) -> None:
        sync()
        self._last = time.perf_counter()
        self.steps: list[float] = []

    def tick(self, *_: Any) -> None:
        sync()
        now = time.perf_counter()
        self.steps.append(round(now - self._last, 4))
        self._last = now

    @property
    def figures(self) -> dict[str, Any]:
        rest = self.steps[1:] or self.steps
        return {"step_s": round(median(rest), 4), "first_step_s": self.steps[0], "steps_s": self.steps}


def difference(found: torch.Tensor, wanted: torch.Tensor) -> dict[str, Any]:
    """How far two tensors are apart: largest absolute difference, and L2 norm relative to the wanted one's."""
    a, b = found.detach().float().cpu(), wanted.detach().float().cpu()
    norm = float((a - b).norm() / b.norm().clamp(min=1e-12))
    return {"equal": bool(torch.equal(a, b)), "max_abs": float((a - b).abs().max()), "relative_l2": norm}
