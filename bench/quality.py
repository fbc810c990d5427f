"""How long clips look: seams, drift, flicker, likeness, motion; our windows against the alternatives in one run.

    .venv/bin/python bench/quality.py PHOTO [PHOTO …] [--seconds 6 12] [--methods …] [--model mini] [--sheet sheet.png]

Measured on the decoded frames at the sampling size, before interpolation. Writes bench/out/quality.json.
"""

import argparse
import json
import platform
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from as_worker import as_worker
from fanslymotion.models.find import find_model
from fanslymotion.pipeline.families.svd.decoding.vae import decode
from fanslymotion.pipeline.media.photo.load import load_photo
from fanslymotion.pipeline.media.sizes import fit_photo
from fanslymotion.pipeline.model_cache import ModelCache
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.pipeline.resolve import resolve
from fanslymotion.pipeline.windows import WindowPlan
from fanslymotion.presets import load_presets
from fanslymotion.settings import Settings
from metrics import drift, flicker, motion, psnr, seam_ratio, spearman, ssim
from PIL import Image, ImageDraw, ImageFont
from window_methods import METHODS

BUCKETS = (20, 70, 127, 180, 240)
STRENGTHS = {"weak": 20, "usual": 127, "strong": 240}
"""Of the contact sheet's rows."""
OUT = Path(__file__).parent / "out"


class Studio:
    """The model, warm, and what a photo needs to become frames."""

    def __init__(self, model: str, steps: int | None) -> None:
        self.settings = Settings.from_env({"FANSLYMOTION_HOME": tempfile.mkdtemp()})
        self.presets = load_presets(self.settings)
        self.model_cache = ModelCache()
        self.model, self.steps = model, steps

    def frames(
        self, photo: Image.Image, method: str, seconds: int, one: bool = False, **changes: Any
    ) -> tuple[np.ndarray, WindowPlan, Image.Image, float]:
        """uint8 (frames, height, width, 3), the windows, the photo as the model saw it, seconds it took.

        one: only the first window.
        """
        request = VideoRequest(model=self.model, seconds=seconds, steps=self.steps, **changes)
        order = resolve(request, photo.size, find_model(self.model, self.presets, self.settings), self.presets)
        if one:
            frames = order.clip.plan.frames
            order = replace(order, frames=frames, clip=replace(order.clip, plan=WindowPlan(frames, frames, 1, 0)))
        loaded = self.model_cache.get(order.model)
        seen = fit_photo(photo, (order.clip.width, order.clip.height), "crop")
        began = time.perf_counter()
        latents, plan = METHODS[method](loaded, order.clip, seen)
        took = time.perf_counter() - began
        clip = np.concatenate(list(decode(loaded, latents[:, : order.frames], 14)))
        return clip, plan, seen, took


def measure(frames: np.ndarray, plan: WindowPlan, seen: Image.Image) -> dict[str, float]:
    photo = np.asarray(seen)
    # Window i's own frames begin behind the overlap; drift is looked for in those, seams at their first one.
    seams = [plan.start(i) + plan.overlap for i in range(1, plan.count)]
    spans = [range(a, b) for a, b in zip([0, *seams], [*seams, len(frames)], strict=True)]
    spans = [span for span in spans if len(range(len(frames))[span.start : span.stop]) > 1]
    seams = [seam for seam in seams if seam < len(frames)]
    return {
        "psnr first": psnr(frames[0], photo),
        "ssim first": ssim(frames[0], photo),
        "seam": seam_ratio(frames, seams) if seams else 1.0,
        **{f"drift {name}": value for name, value in drift(frames, spans).items()},
        "flicker": flicker(frames),
        "motion": motion(frames),
    }


def compare(studio: Studio, photos: list[Image.Image], methods: list[str], seconds: int) -> dict[str, dict[str, float]]:
    """The median over the photos of every measure, for each method."""
    table = {}
    for method in methods:
        rows = []
        for photo in photos:
            frames, plan, seen, took = studio.frames(photo, method, seconds)
            rows.append({**measure(frames, plan, seen), "seconds": took})
        table[method] = {key: median(row[key] for row in rows) for key in rows[0]}
        cells = "  ".join(f"{key} {value:.3f}" for key, value in table[method].items())
        print(f"{seconds:>3} s  {method:<24} {cells}", flush=True)
    return table


def bucket_correlation(studio: Studio, photos: list[Image.Image]) -> list[float]:
    """Rank correlation of motion bucket and measured motion, for each photo."""
    found = []
    for photo in photos:
        amounts = []
        for bucket in BUCKETS:
            frames, *_ = studio.frames(photo, "ours", 6, one=True, motion_bucket_id=bucket)
            amounts.append(motion(frames))
        found.append(spearman(list(BUCKETS), amounts))
        print(
            f"motion {[round(a, 3) for a in amounts]} at buckets {BUCKETS}: rank correlation {found[-1]:.2f}",
            flush=True,
        )
    return found


def labelled(picture: np.ndarray, text: str) -> np.ndarray:
    """The picture with a small label in its upper left corner."""
    image = Image.fromarray(picture)
    font = ImageFont.load_default(size=14)
    ImageDraw.Draw(image).text((5, 3), text, "white", font, stroke_width=2, stroke_fill="black")
    return np.asarray(image)


def sheet(studio: Studio, photos: list[Image.Image], path: Path, seconds: int = 12, columns: int = 6) -> None:
    """The photo, then frames spread over the clip: one row each for weak, usual and strong motion."""
    rows = []
    for photo in photos:
        for name, bucket in STRENGTHS.items():
            frames, _, seen, _ = studio.frames(photo, "ours", seconds, motion_bucket_id=bucket)
            picks = np.linspace(0, len(frames) - 1, columns).astype(int)
            moments = [labelled(frames[at], f"{at * seconds / len(frames):.1f} s") for at in picks]
            rows.append(np.concatenate([labelled(np.asarray(seen), f"photo, {name} motion"), *moments], axis=1))
    width = max(row.shape[1] for row in rows)
    rows = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    Image.fromarray(np.concatenate(rows)).save(path, optimize=True)


def main() -> None:
    as_worker()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--seconds", nargs="*", type=int, default=[6, 12])
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--model", default="mini")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--buckets", type=int, default=5, metavar="N", help="photos for the motion bucket, 0 = none")
    parser.add_argument("--out", type=Path, default=OUT / "quality.json")
    parser.add_argument("--sheet", type=Path, help="write a contact sheet of the first three photos, 12 s, here")
    options = parser.parse_args()
    photos = [load_photo(path) for path in options.photos]
    studio = Studio(options.model, options.steps)
    result: dict[str, Any] = {"machine": platform.processor() or platform.machine(), "photos": len(photos)}
    for seconds in options.seconds:
        result[f"{seconds} s"] = compare(studio, photos, options.methods, seconds)
    if options.buckets:
        result["bucket"] = bucket_correlation(studio, photos[: options.buckets])
        print(f"motion bucket, median rank correlation: {median(result['bucket']):.2f}")
    if options.sheet:
        sheet(studio, photos[:3], options.sheet)
    OUT.mkdir(exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
