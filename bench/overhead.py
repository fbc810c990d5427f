"""Our whole path against the bare stock pipeline: same weights, photo, settings and frames, side by side in one run.

    python bench/overhead.py [--model FOLDER] [--steps 25] [--rounds 5]

Ours is what a worker runs: checkpoints, previews, guard, interpolation's pass-through, file with metadata. The stock
side is `StableVideoDiffusionPipeline.__call__` and a plain imageio-ffmpeg writer. Each round is a process of its own,
in turns; loading is not counted in the time. Peak memory is the whole process's. Writes bench/out/overhead.json.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import psutil

OUT = Path(__file__).resolve().parent / "out" / "overhead.json"
PHOTO = Path(__file__).resolve().parents[1] / "assets" / "sample.jpg"
FRAMES, FPS, SEED = 14, 7, 1
SAMPLE_SECONDS = 0.005


def ours(folder: Path, steps: int, home: Path) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """(load, render) of what a worker does with a job."""
    from fanslymotion.models.find import find_model
    from fanslymotion.pipeline.model_cache import ModelCache
    from fanslymotion.pipeline.produce import produce
    from fanslymotion.pipeline.request import VideoRequest
    from fanslymotion.presets import load_presets
    from fanslymotion.settings import Settings

    settings = Settings.local(home, home / "models")
    write_presets(home, native(folder))
    presets = load_presets(settings)
    model_cache = ModelCache()
    request = VideoRequest(
        resolution="native", seconds=FRAMES // FPS, quality="sampled", model=str(folder), seed=SEED, steps=steps
    )

    def render() -> None:
        out = home / "ours.mp4"
        produce(
            request,
            model=find_model(str(folder), presets, settings),
            photo=PHOTO,
            out=out,
            work=home / "work",
            settings=settings,
            presets=presets,
            model_cache=model_cache,
        )

    return lambda: model_cache.get(find_model(str(folder), presets, settings)), render


def stock(folder: Path, steps: int, home: Path) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """The same with diffusers alone."""
    import imageio_ffmpeg
    import numpy as np
    import torch
    from diffusers.pipelines.stable_video_diffusion.pipeline_stable_video_diffusion import StableVideoDiffusionPipeline
    from fanslymotion.pipeline.families.svd.folder import folder_preset
    from fanslymotion.pipeline.media.photo.load import load_photo
    from fanslymotion.pipeline.media.sizes import fit_photo

    held: list[Any] = []
    size, sampling = native(folder), folder_preset(folder).sampling

    def load() -> None:
        held.append(StableVideoDiffusionPipeline.from_pretrained(folder))
        held[0].set_progress_bar_config(disable=True)

    def render() -> None:
        image = fit_photo(load_photo(PHOTO), size, "crop")
        frames = held[0](
            image,
            height=size[1],
            width=size[0],
            num_frames=FRAMES,
            num_inference_steps=steps,
            min_guidance_scale=sampling.min_guidance,
            max_guidance_scale=sampling.max_guidance,
            fps=sampling.fps,
            motion_bucket_id=sampling.motion_bucket_id,
            noise_aug_strength=sampling.noise_aug_strength,
            decode_chunk_size=FRAMES,
            generator=torch.manual_seed(SEED),
            output_type="np",
        ).frames[0]
        writer = imageio_ffmpeg.write_frames(home / "stock.mp4", size, fps=FPS, macro_block_size=2)
        writer.send(None)
        for frame in frames:
            writer.send(np.ascontiguousarray((frame * 255).round().astype(np.uint8)))
        writer.close()

    return load, render


SIDES = {"ours": ours, "stock": stock}


def native(folder: Path) -> tuple[int, int]:
    from fanslymotion.pipeline.families.svd.folder import folder_preset

    preset = folder_preset(folder)
    return preset.width, preset.height


def write_presets(home: Path, size: tuple[int, int]) -> None:
    """One window long, at the model's own size, without interpolation: what the stock pipeline can do, too."""
    folder = home / "presets"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "resolutions.toml").write_text(f"[native]\nwidth = {size[0]}\nheight = {size[1]}\n", encoding="utf-8")
    (folder / "durations.toml").write_text(f"[short]\nseconds = {FRAMES // FPS}\nfps = {FPS}\n", encoding="utf-8")


class Peak:
    """The most resident memory that the process has, sampled by a thread."""

    def __enter__(self) -> "Peak":
        self._process = psutil.Process()
        self.most = self._process.memory_info().rss
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self.most = max(self.most, self._process.memory_info().rss)


def child(side: str, folder: Path, steps: int) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        load, render = SIDES[side](folder, steps, Path(home))
        load()
        with Peak() as peak:
            began = time.perf_counter()
            render()
            seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "peak_mb": peak.most / 2**20}))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, help="a model folder (default: the random tiny model)")
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--child", choices=SIDES)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.model, given.steps)
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        folder = given.model or tiny(Path(temporary) / "tiny")
        measured: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
        for _ in range(given.rounds):
            for side in SIDES:
                words = ["--child", side, "--model", str(folder), "--steps", str(given.steps)]
                done = subprocess.run(
                    [sys.executable, __file__, *words],
                    capture_output=True,
                    encoding="utf-8",
                    errors="replace",
                    check=True,
                )
                measured[side].append(json.loads(done.stdout.splitlines()[-1]))
    best = {
        side: {"seconds": min(r["seconds"] for r in rows), "peak_mb": median(r["peak_mb"] for r in rows)}
        for side, rows in measured.items()
    }
    ratios = {key: best["ours"][key] / best["stock"][key] for key in ("seconds", "peak_mb")}
    for side, row in best.items():
        print(f"{side:6} {row['seconds']:7.2f} s  {row['peak_mb']:7.0f} MB")
    print(f"ratio  {ratios['seconds']:7.3f}    {ratios['peak_mb']:7.3f}")
    OUT.parent.mkdir(exist_ok=True)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
    OUT.write_text(
        json.dumps({"machine": machine, "best": best, "ratios": ratios, "rounds": measured}, indent=1), encoding="utf-8"
    )


def tiny(folder: Path) -> Path:
    from fanslymotion.pipeline.families.svd.random_model import build

    build(folder)
    return folder


if __name__ == "__main__":
    main()
