"""The photo's detail against plain enlargement, where the truth is known. Needs bench/requirements.txt.

    python bench/detail.py [--only moves|hard|order|vae] [--width 1280 --height 720] [--frames 12]
    python bench/detail.py --photos PHOTO…

Moves: a camera over the sample; each clip is drawn at half its size, at a fifth, at a fifth by a blurry decoder, and
enlarged both ways: PSNR, SSIM (of every third frame), the worst frame's gain, flicker (how much the error changes from
frame to frame), CPU time.
Hard: clips in which something changes that the photo does not show (detail_cases/): the error there over that of plain
enlargement, and the gain elsewhere. Order: detail before interpolation, and after it. Vae: some of the moves and hard
cases, drawn by `mini`'s own encoder and decoder. Photos: clips of `mini` without known truth, measured, and shown in a
contact sheet.
Prints tables and puts them into bench/out/detail.json, beside what earlier runs of other parts have put there. `mini`'s
clips are kept in bench/out/clips. Only photographs with real detail at that size tell anything: the sample.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import cv2
import numpy as np
from as_worker import as_worker
from camera_clips import MOVES, camera_clip, photos
from detail_cases import CASES, HardCase
from detail_cases.measure import measure
from detail_order import Results, compare_orders
from detail_photos import show_photos
from fanslymotion.pipeline.media.detail.detail import plain, with_detail
from metrics import psnr, ssim

OUT = Path(__file__).resolve().parent / "out"
DRAWN = {"x2": (0.5, 0.0), "x5": (0.2, 0.0), "x5 blurry": (0.2, 3.5)}
"""Share of the output's side that is drawn, and the decoder's blur (pixels of the output, standard deviation)."""


def drawn(truth: np.ndarray, share: float, blur: float) -> np.ndarray:
    height, width = truth.shape[:2]
    if blur:
        truth = cv2.GaussianBlur(truth, (0, 0), blur)
    return cv2.resize(truth, (round(width * share), round(height * share)), interpolation=cv2.INTER_AREA)


def enlarge(photo: np.ndarray, small: list[np.ndarray]) -> tuple[list, list, float]:
    """Enlarge drawn frames: with the photo's detail, without, and CPU seconds of the first."""
    began = time.process_time()
    ours = list(with_detail(iter(small), photo))
    spent = time.process_time() - began
    return ours, [plain(frame, (photo.shape[1], photo.shape[0])) for frame in small], spent


def compare(truth: list[np.ndarray], small: list[np.ndarray]) -> dict[str, float]:
    ours, theirs, spent = enlarge(truth[0], small)
    new, old = ([psnr(made, real) for made, real in zip(one, truth, strict=True)] for one in (ours, theirs))
    gains = [a - b for a, b in zip(new, old, strict=True)]
    return {
        "psnr": fmean(new),
        "lanczos": fmean(old),
        "ssim": fmean(ssim(a, t) for a, t in list(zip(ours, truth, strict=True))[::3]),
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


def moves(size: tuple[int, int], frames: int) -> dict[str, dict[str, dict[str, float]]]:
    found, results = photos(), {}
    for name, move in MOVES.items():
        truth = list(camera_clip(found["sample"], found["retina"], move, size, frames))
        results[name] = {kind: compare(truth, [drawn(one, *how) for one in truth]) for kind, how in DRAWN.items()}
        for kind, r in results[name].items():
            print(line(f"{name}, {kind}", r), flush=True)
    for kind in DRAWN:
        mean = {key: fmean(r[kind][key] for r in results.values()) for key in results["still"][kind]}
        print(line(f"mean, {kind}", mean))
    return results


def line(name: str, r: dict[str, float]) -> str:
    flicker = f"{r['lanczos_flicker']:5.2f} -> {r['flicker']:5.2f}"
    if r["lanczos_flicker"]:
        flicker += f" ({r['flicker'] / r['lanczos_flicker']:.2f})"
    quality = f"{r['lanczos']:6.2f} -> {r['psnr']:6.2f} dB ({r['gain']:+6.2f}), worst {r['worst']:+6.2f}"
    return f"{name:26} {quality}, SSIM {r['ssim']:.4f}, flicker {flicker}, {1000 * r['cpu']:4.0f} ms"


def hard() -> dict[str, dict[str, dict[str, float]]]:
    results: dict[str, dict[str, dict[str, float]]] = {}
    for name, make in CASES.items():
        case = make()
        results[name] = {}
        for kind in ("x2", "x5"):
            small = [drawn(one, *DRAWN[kind]) for one in case.frames]
            r = results[name][kind] = changed(case, small)
            print(changed_line(f"{name}, {kind}", r), flush=True)
    return results


def changed(case: HardCase, small: list[np.ndarray]) -> dict[str, float]:
    ours, theirs, _ = enlarge(case.photo, small)
    return measure(case, ours, theirs)


def changed_line(name: str, r: dict[str, float]) -> str:
    words = [f"{name:26}"]
    if "ratio" in r:
        error = f"{r['inside_plain']:5.2f} -> {r['inside']:5.2f} grey levels"
        words.append(f"changed {error} ({r['ratio']:.3f}, worst {r['worst_ratio']:.3f})")
    if "outside" in r:
        words.append(f"elsewhere {r['outside']:+6.2f} dB, worst {r['worst_outside']:+6.2f}")
    return "  ".join(words)


def decoded(size: tuple[int, int], frames: int) -> dict[str, dict[str, float]]:
    """Moves and hard cases as `mini`'s encoder and decoder draw them, at a fifth of their size."""
    from detail_vae import CHANGES, CLIPS, MiniDecoder  # it imports torch, which the other parts do without

    found, results, decoder = photos(), {}, MiniDecoder()
    for name in CLIPS:
        truth = list(camera_clip(found["sample"], found["retina"], MOVES[name], size, frames))
        results[name] = compare([*map(decoder.seen, truth)], decoder.drawn(truth))
        print(line(f"{name}, decoded", results[name]), flush=True)
    for name in CHANGES:
        case = CASES[name]()
        results[name] = changed(decoder.case(case), decoder.drawn(case.frames))
        print(changed_line(f"{name}, decoded", results[name]), flush=True)
    return results


def orders(size: tuple[int, int], frames: int) -> dict[str, Results]:
    found, results = photos(), {}
    for name, move in MOVES.items():
        truth = list(camera_clip(found["sample"], found["retina"], move, size, frames // 2 * 2 + 1))
        for kind in ("x2", "x5"):
            r = results[f"{name}, {kind}"] = compare_orders(truth, [drawn(one, *DRAWN[kind]) for one in truth])
            print(order_line(f"{name}, {kind}", r), flush=True)
    for kind in ("x2", "x5"):
        rows = [r for name, r in results.items() if name.endswith(kind)]
        mean = {way: {key: fmean(r[way][key] for r in rows) for key in one} for way, one in rows[0].items()}
        print(order_line(f"mean, {kind}", mean))
    return results


def order_line(name: str, results: Results) -> str:
    words = [
        f"{way}: sampled {r['sampled']:6.2f}, between {r['between']:6.2f} dB, {1000 * r['cpu']:4.0f} ms"
        for way, r in results.items()
    ]
    return f"{name:26} " + "; ".join(words)


def main() -> None:
    as_worker()
    cv2.setNumThreads(2)
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=("moves", "hard", "order", "vae"))
    parser.add_argument("--photos", nargs="+", type=Path, metavar="PHOTO")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--frames", type=int, default=12)
    given = parser.parse_args()

    size = given.width, given.height
    parts: dict[str, Callable[[], object]] = {
        "moves": lambda: moves(size, given.frames),
        "hard": hard,
        "order": lambda: orders(size, given.frames),
        "vae": lambda: decoded(size, given.frames),
    }
    if given.photos:
        parts = {"photos": lambda: show_photos(given.photos, OUT)}
    elif given.only:
        parts = {given.only: parts[given.only]}
    OUT.mkdir(exist_ok=True)
    for name, part in parts.items():
        keep(name, part())


def keep(name: str, results: object) -> None:
    """Put one part's results beside those of the others."""
    file = OUT / "detail.json"
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    file.write_text(json.dumps(known | {name: results}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
