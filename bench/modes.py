"""The modes with `mini` on this processor, in turns: CPU seconds of the sampling as a share of Best's, and the picture.

    python bench/modes.py [--rounds 3] [--photo PHOTO]

One window of 14 frames, without guidance, as `mini` has it; with guidance a full-size model saves more. Twice: in the
steps of `mini`'s own preset, and in those of a full-size model. Writes bench/out/modes.json, and the modes' frames side
by side in bench/out/modes.png. PSNR is against the frames of Best in the same steps, and of Best in 25.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from checkpoint_sinks import Nowhere
from fanslymotion.models.find import find_model
from fanslymotion.pipeline.families import family
from fanslymotion.pipeline.families.base import VideoModel
from fanslymotion.pipeline.families.modes import modes_of, sampled_steps
from fanslymotion.pipeline.media.photo.load import load_photo
from fanslymotion.pipeline.media.sizes import fit_photo
from fanslymotion.pipeline.model_cache import ModelCache
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.pipeline.sampling.euler import Guidance
from fanslymotion.pipeline.sampling.windowed import SamplingParams, begin, sample_clip
from fanslymotion.pipeline.windows import WindowOptions, plan_windows
from fanslymotion.presets import ModelPreset, load_presets
from fanslymotion.presets.options import MODES
from fanslymotion.settings import ROOT, Settings
from metrics import motion, psnr
from PIL import Image

OUT = Path(__file__).resolve().parent / "out"
FULL_STEPS = 25
SAMPLED_FPS = 6
SHOWN = (0, 3, 6, 9, 13)
"""Frames of the picture."""


def clips(preset: ModelPreset) -> dict[str, SamplingParams]:
    """One window in each mode: of `mini`'s preset, and with the modes and steps of a full-size model."""
    full = preset.model_copy(
        update={"modes": None, "sampling": preset.sampling.model_copy(update={"steps": FULL_STEPS})}
    )
    found = {}
    for kind, one in (("8 steps", preset), (f"{FULL_STEPS} steps", full)):
        for mode in MODES:
            if mode not in modes_of(one):
                continue
            request = VideoRequest(mode=mode, seed=5)
            sampled = sampled_steps(request, one)
            found[f"{kind}, {mode}"] = SamplingParams(
                width=preset.width,
                height=preset.height,
                seed=request.seed,
                steps=sampled.steps,
                schedule=sampled.schedule,
                guidance=Guidance(1.0, 1.0),
                family_options=family(preset.family).options(request, preset, SAMPLED_FPS),
                plan=plan_windows(preset.frames, preset.frames),
                options=WindowOptions.of(preset.loop),
                effort=sampled.effort,
            )
    # What `mini` does not offer, and why.
    best, full_best = found["8 steps, best"], found[f"{FULL_STEPS} steps, balanced"]
    return found | {"8 steps, balanced (not offered)": replace(best, effort=full_best.effort)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--photo", type=Path, default=ROOT / "assets" / "sample.jpg")
    given = parser.parse_args()
    settings = Settings.from_env()
    presets = load_presets(settings)
    model = find_model("mini", presets, settings)
    preset, loaded = model.preset, ModelCache().get(model)
    photo = fit_photo(load_photo(given.photo), (preset.width, preset.height), "crop")
    wanted = clips(preset)
    seconds: dict[str, list[float]] = {name: [] for name in wanted}
    frames: dict[str, np.ndarray] = {}
    for turn in range(given.rounds):
        for name, clip in wanted.items():
            spent, latents = sample(loaded, clip, photo)
            seconds[name].append(spent)
            print(f"round {turn + 1}: {name}: {spent:.2f} CPU s", flush=True)
            if not turn:
                frames[name] = np.concatenate(list(loaded.decode(latents, preset.frames)))
    rows = [row(name, seconds, frames) for name in wanted]
    OUT.mkdir(exist_ok=True)
    (OUT / "modes.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    sheet = np.concatenate([np.concatenate([frames[name][i] for i in SHOWN], axis=1) for name in wanted])
    Image.fromarray(sheet).save(OUT / "modes.png")
    for one in rows:
        print(json.dumps(one))


def sample(loaded: VideoModel, clip: SamplingParams, photo: Image.Image) -> tuple[float, torch.Tensor]:
    """CPU seconds of the sampling, and the latents."""
    state = begin(loaded, clip, photo)
    began = time.process_time()
    latents = sample_clip(loaded, clip, state, checkpoints=Nowhere())
    return time.process_time() - began, latents


def row(name: str, seconds: dict[str, list[float]], frames: dict[str, np.ndarray]) -> dict[str, Any]:
    """The figures of one mode. share: median over the rounds of its seconds over those of Best beside it."""
    best, finest = f"{name.split(',')[0]}, best", f"{FULL_STEPS} steps, best"
    return {
        "mode": name,
        "cpu_s": round(median(seconds[name]), 2),
        "share_of_best": round(median(a / b for a, b in zip(seconds[name], seconds[best], strict=True)), 3),
        "psnr_to_best": near(frames[name], frames[best]),
        f"psnr_to_{FULL_STEPS}": near(frames[name], frames[finest]),
        "motion": round(motion(frames[name]), 3),
    }


def near(some: np.ndarray, others: np.ndarray) -> list[float]:
    """PSNR of the frames, mean and lowest, dB."""
    found = [psnr(a, b) for a, b in zip(some, others, strict=True)]
    return [round(sum(found) / len(found), 1), round(min(found), 1)]


if __name__ == "__main__":
    main()
