"""The photo's detail against plain enlargement, on camera moves with known truth. Needs bench/requirements.txt.

    python bench/detail.py [--width 1280 --height 720] [--frames 12]

Each clip is drawn at half its size, at a fifth, and at a fifth by a blurry decoder, and enlarged both ways: PSNR, the
worst frame's gain, flicker (how much the error changes from frame to frame, over Lanczos'), CPU seconds a frame.
Prints a table, writes bench/out/detail.json. Only photographs with real detail at that size tell anything: the sample.
"""

import argparse
import json
import time
from pathlib import Path
from statistics import fmean

import cv2
import numpy as np
from as_worker import as_worker
from camera_clips import MOVES, camera_clip, photos
from fanslymotion.pipeline.detail import plain, with_detail
from metrics import psnr, ssim

OUT = Path(__file__).resolve().parent / "out" / "detail.json"
DRAWN = {"x2": (0.5, 0.0), "x5": (0.2, 0.0), "x5 blurry": (0.2, 3.5)}
"""Share of the output's side that is drawn, and the decoder's blur (pixels of the output, standard deviation)."""


def drawn(truth: np.ndarray, share: float, blur: float) -> np.ndarray:
    height, width = truth.shape[:2]
    if blur:
        truth = cv2.GaussianBlur(truth, (0, 0), blur)
    return cv2.resize(truth, (round(width * share), round(height * share)), interpolation=cv2.INTER_AREA)


def compare(truth: list[np.ndarray], share: float, blur: float) -> dict[str, float]:
    size = truth[0].shape[1], truth[0].shape[0]
    small = [drawn(frame, share, blur) for frame in truth]
    began = time.process_time()
    ours = list(with_detail(iter(small), truth[0]))
    spent = time.process_time() - began
    theirs = [plain(frame, size) for frame in small]
    gains = [psnr(a, t) - psnr(b, t) for a, b, t in zip(ours, theirs, truth, strict=True)]
    return {
        "psnr": fmean(psnr(a, t) for a, t in zip(ours, truth, strict=True)),
        "lanczos": fmean(psnr(b, t) for b, t in zip(theirs, truth, strict=True)),
        "ssim": fmean(ssim(a, t) for a, t in zip(ours, truth, strict=True)),
        "gain": fmean(gains),
        "worst": min(gains),
        "flicker": error_flicker(ours, truth),
        "lanczos_flicker": error_flicker(theirs, truth),
        "cpu": spent / len(truth),
    }


def error_flicker(made: list[np.ndarray], truth: list[np.ndarray]) -> float:
    """Mean change of the error from frame to frame, grey levels."""
    errors = (a.astype(np.float32) - t for a, t in zip(made, truth, strict=True))
    last, changes = next(errors), []
    for error in errors:
        changes.append(float(np.abs(error - last).mean()))
        last = error
    return fmean(changes)


def main() -> None:
    as_worker()
    cv2.setNumThreads(2)
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--frames", type=int, default=12)
    given = parser.parse_args()

    found, results = photos(), {}
    for name, move in MOVES.items():
        size = given.width, given.height
        truth = list(camera_clip(found["sample"], found["retina"], move, size, given.frames))
        results[name] = {kind: compare(truth, *how) for kind, how in DRAWN.items()}
        for kind, r in results[name].items():
            print(line(f"{name}, {kind}", r), flush=True)
    for kind in DRAWN:
        mean = {key: fmean(r[kind][key] for r in results.values()) for key in results["still"][kind]}
        print(line(f"mean, {kind}", mean))
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(results, indent=1), encoding="utf-8")


def line(name: str, r: dict[str, float]) -> str:
    flicker = f"{r['lanczos_flicker']:5.2f} -> {r['flicker']:5.2f}"
    quality = f"{r['lanczos']:6.2f} -> {r['psnr']:6.2f} dB, worst {r['worst']:+6.2f}, SSIM {r['ssim']:.4f}"
    return f"{name:26} {quality}, flicker {flicker}, {1000 * r['cpu']:4.0f} ms"


if __name__ == "__main__":
    main()
