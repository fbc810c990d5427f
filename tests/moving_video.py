"""Videos of moving noise, and what is in a video, for the tests of joining and continuing."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from fanslymotion.pipeline.media.encode import VideoEncoder
from fanslymotion.pipeline.media.ffmpeg import ffmpeg_path


def video(path: Path, count: int, seed: int = 0, size: tuple[int, int] = (128, 72), fps: int = 24, **told: Any) -> Path:
    """Write frames that move, so that ffmpeg makes pictures of all three kinds of them. told: what the file says."""
    ground = np.random.default_rng(seed).integers(0, 255, (size[1] // 4, size[0] // 4, 3), dtype=np.uint8)
    ground = ground.repeat(4, axis=0).repeat(4, axis=1)
    with VideoEncoder(path, *size, fps, metadata={"n": seed} | told) as encoder:
        for n in range(count):
            encoder.write(np.roll(ground, 3 * n, axis=1))
    return path


def frames(path: Path) -> list[tuple[float, str]]:
    """Return time in seconds and picture (a hash) of each decoded frame."""
    command = [ffmpeg_path(), "-v", "error", "-i", str(path), "-map", "0:v", "-f", "framehash", "-hash", "md5", "-"]
    told = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    lines = [line.split(",") for line in told.splitlines() if line and line[0] != "#"]
    base = next(line.split(":")[1] for line in told.splitlines() if line.startswith("#tb 0"))
    over, under = map(int, base.split("/"))
    return [(int(line[2]) * over / under, line[5].strip()) for line in lines]


def pictures(path: Path) -> list[str]:
    """Return a hash of each decoded frame."""
    return [picture for _, picture in frames(path)]
