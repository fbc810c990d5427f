"""Ours against ffmpeg's minterpolate: likeness to held-out middle frames, and speed, side by side in one run.

    python bench/interpolation.py [--width 1024 --height 576] [--frames 13] [--video clip.mp4 ...]

Every second frame of a clip is taken away and made anew by each method. The clips come from a virtual camera over
photographs (bench/camera_clips.py, which needs bench/requirements.txt); --video adds finished ones. Prints a table,
writes bench/out/interpolation.json.
"""

import argparse
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from statistics import fmean

import numpy as np
from as_worker import as_worker
from camera_clips import MOVES, camera_clip, photos
from fanslymotion.pipeline.media.ffmpeg import ffmpeg_path
from fanslymotion.pipeline.media.interpolate import interpolate
from fanslymotion.pipeline.media.mp4 import probe
from metrics import psnr, ssim

OUT = Path(__file__).resolve().parent / "out" / "interpolation.json"
SAMPLED_FPS = 6
ROUNDS = 3
"""Each method is timed this often, in turns, and its fastest round counts: other load then hits neither."""


def ours(frames: list[np.ndarray], factor: int) -> list[np.ndarray]:
    return list(interpolate(frames, factor, len(frames) * factor))


def minterpolate(frames: list[np.ndarray], factor: int) -> list[np.ndarray]:
    """Its default, motion compensated interpolation. In 4:4:4, so that it does not lose colour to the format."""
    return through_ffmpeg(frames, f"format=yuv444p,minterpolate=fps={SAMPLED_FPS * factor}:mi_mode=mci")


def through_ffmpeg(frames: list[np.ndarray], filters: str) -> list[np.ndarray]:
    height, width = frames[0].shape[:2]
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24")
    source = (*raw, "-s", f"{width}x{height}", "-framerate", str(SAMPLED_FPS), "-i", "pipe:0")
    command = [ffmpeg_path(), "-v", "error", *source, "-vf", filters, *raw, "pipe:1"]
    run = subprocess.run(command, input=b"".join(frame.tobytes() for frame in frames), capture_output=True, check=True)
    return list(np.frombuffer(run.stdout, np.uint8).reshape(-1, height, width, 3))


def dissolve(frames: list[np.ndarray]) -> list[np.ndarray]:
    """The naive way, for comparison: the mean of both neighbours."""
    made = []
    for left, right in pairwise(frames):
        made += [left, ((left.astype(np.uint16) + right + 1) // 2).astype(np.uint8)]
    return made


def quality(made: list[np.ndarray], truth: list[np.ndarray], count: int) -> dict[str, float]:
    """Means over the first `count` held-out frames, those that every method gives (minterpolate drops the last)."""
    held = range(1, 2 * count, 2)
    return {
        "psnr": fmean(psnr(made[k], truth[k]) for k in held),
        "ssim": fmean(ssim(made[k], truth[k]) for k in held),
    }


def timed(run: Callable[[], list]) -> tuple[float, list]:
    start = time.perf_counter()
    made = run()
    return time.perf_counter() - start, made


def compare(truth: list[np.ndarray]) -> dict:
    """Hold out every second frame; quality at twice the rate, speed at two and four times."""
    sampled = truth[::2]
    theirs = minterpolate(sampled, 2)
    count = len(theirs) // 2
    result: dict = {
        "ours": quality(ours(sampled, 2), truth, count),
        "minterpolate": quality(theirs, truth, count),
        "dissolve": quality(dissolve(sampled), truth, count),
    }
    for factor in (2, 4):
        seconds: dict[str, list[float]] = {"ours": [], "minterpolate": [], "pipe": []}
        for _ in range(ROUNDS):
            for name, run in (
                ("ours", lambda: ours(sampled, factor)),  # noqa: B023
                ("minterpolate", lambda: minterpolate(sampled, factor)),  # noqa: B023
                ("pipe", lambda: through_ffmpeg(sampled, "format=yuv444p")),
            ):
                spent, made = timed(run)
                seconds[name].append(spent / len(made))
        best = {name: min(spent) for name, spent in seconds.items()}
        result["ours"][f"fps_x{factor}"] = 1 / best["ours"]
        # Its start and the pipes, which it would not need inside of an encoding run, are not counted against it.
        result["minterpolate"][f"fps_x{factor}"] = 1 / max(1e-6, best["minterpolate"] - best["pipe"] / factor)
    return result


def clips(size: tuple[int, int], sampled: int, videos: list[Path]) -> Iterator[tuple[str, list[np.ndarray]]]:
    found = photos()
    names = list(found)
    for index, (name, move) in enumerate(MOVES.items()):
        photo, near = names[index % len(names)], names[(index + 3) % len(names)]
        yield f"{name}, {photo}", list(camera_clip(found[photo], found[near], move, size, 2 * sampled - 1))
    for path in videos:
        yield path.name, read_video(path)


def read_video(path: Path) -> list[np.ndarray]:
    info = probe(path)
    command = [ffmpeg_path(), "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    frames = np.frombuffer(raw, np.uint8).reshape(-1, info.height, info.width, 3)
    return list(frames[: len(frames) - 1 + len(frames) % 2])


def main() -> None:
    as_worker()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--height", type=int, default=576)
    parser.add_argument("--frames", type=int, default=13, help="sampled frames a clip")
    parser.add_argument("--video", type=Path, nargs="*", default=[], help="finished videos to hold frames out of")
    given = parser.parse_args()

    results = {}
    print(f"{'clip':34} {'PSNR dB':>23} {'SSIM':>23}   {'x2 frames/s':>15} {'x4 frames/s':>15}")
    print(f"{'':34} {'ours    mci  blend':>23} {'ours    mci  blend':>23}   {'ours    mci':>15} {'ours    mci':>15}")
    for name, truth in clips((given.width, given.height), given.frames, given.video):
        results[name] = compare(truth)
        print(line(name, results[name]), flush=True)
    mean = {
        method: {key: fmean(r[method][key] for r in results.values()) for key in results[name][method]}
        for method in results[name]
    }
    print(line("mean", mean))
    ratio = {f: mean["ours"][f"fps_x{f}"] / mean["minterpolate"][f"fps_x{f}"] for f in (2, 4)}
    print(f"speed against minterpolate: {ratio[2]:.1f} at x2, {ratio[4]:.1f} at x4")
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
    size = f"{given.width}x{given.height}"
    OUT.parent.mkdir(exist_ok=True)
    summary = {"machine": machine, "size": size, "mean": mean, "speed_ratio": ratio, "clips": results}
    OUT.write_text(json.dumps(summary, indent=1), encoding="utf-8")


def line(name: str, r: dict) -> str:
    methods = ("ours", "minterpolate", "dissolve")
    cells = [f"{r[m]['psnr']:7.2f}" for m in methods] + ["  "] + [f"{r[m]['ssim']:7.4f}" for m in methods] + ["  "]
    for factor in (2, 4):
        cells += [f"{r[m][f'fps_x{factor}']:7.1f}" for m in methods[:2]]
    return f"{name:34} " + " ".join(cells)


if __name__ == "__main__":
    main()
