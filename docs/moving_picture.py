"""The README's moving picture: the sample photo, and beside it the video that `mini` makes of it, without an end.

    .venv/bin/python docs/moving_picture.py      writes docs/first.webp

The camera of `mini` comes back after two seconds, so that these are all that a loop needs.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fanslymotion.pipeline.media.ffmpeg import ffmpeg_path
from fanslymotion.settings import ROOT
from PIL import Image

PHOTO = ROOT / "assets" / "sample.jpg"
PICTURE = ROOT / "docs" / "first.webp"
SIZE = (480, 270)
"""Of each half, pixels."""
GAP = 8
FPS, SECONDS = 24, 2
STRENGTH = 190
"""Motion bucket: so small a picture wants more of it than usual."""


def make_video(folder: Path) -> Path:
    """Make a video of PHOTO with the bundled model, in a data folder of its own, and return its path."""
    video = folder / "video.mp4"
    words = [
        "generate",
        PHOTO,
        "--model",
        "mini",
        "--quality",
        "smooth",
        "--motion-bucket-id",
        STRENGTH,
        "--seed",
        1,
        "--out",
        video,
    ]
    env = os.environ | {"FANSLYMOTION_HOME": str(folder / "data")}
    subprocess.run([sys.executable, "-P", "-m", "fanslymotion", *map(str, words)], env=env, check=True)
    return video


def frames(video: Path) -> Iterator[Image.Image]:
    """One round of the camera, after the first two seconds."""
    width, height = SIZE
    cut = ["-ss", str(SECONDS), "-t", str(SECONDS), "-i", str(video)]
    scaled = ["-vf", f"fps={FPS},scale={width}:{height}:flags=area", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run([ffmpeg_path(), "-v", "error", *cut, *scaled], capture_output=True, check=True).stdout
    for start in range(0, len(raw), width * height * 3):
        yield Image.frombytes("RGB", SIZE, raw[start : start + width * height * 3])


def main() -> None:
    """Write the picture: the photo beside its video."""
    photo = Image.open(PHOTO).convert("RGB").resize(SIZE, Image.Resampling.LANCZOS)
    pictures = []
    with tempfile.TemporaryDirectory() as folder:
        for frame in frames(make_video(Path(folder))):
            both = Image.new("RGB", (2 * SIZE[0] + GAP, SIZE[1]), "white")
            both.paste(photo, (0, 0))
            both.paste(frame, (SIZE[0] + GAP, 0))
            pictures.append(both)
    pictures[0].save(
        PICTURE, save_all=True, append_images=pictures[1:], duration=round(1000 / FPS), loop=0, quality=85, method=6
    )
    print(f"{PICTURE}: {len(pictures)} frames, {PICTURE.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
