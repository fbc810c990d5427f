"""What the photo's detail makes of clips that `mini` really draws: sharpness, flicker along the motion, a sheet."""

import hashlib
from itertools import pairwise
from pathlib import Path
from statistics import fmean

import cv2
import numpy as np
from fanslymotion.models.find import find_model
from fanslymotion.pipeline.families import family
from fanslymotion.pipeline.media.detail.detail import plain, with_detail
from fanslymotion.pipeline.media.detail.size import photo_for_detail
from fanslymotion.pipeline.media.photo.load import load_photo
from fanslymotion.pipeline.media.sizes import output_size
from PIL import Image
from quality import Studio, labelled

SECONDS = 6
"""Three windows of `mini`, with two seams between them."""

CELL = 360
"""Pixels of the side of the contact sheet's pictures."""

QUALITY = 60
"""Of the sheet as WebP: ten photos are about half a megabyte."""


def show_photos(paths: list[Path], out: Path) -> dict[str, dict[str, float]]:
    """Draw a clip of each photo, enlarge it to 720p both ways, measure, print; the sheet is out/detail-photos.webp."""
    studio = Studio("mini", None)
    results, rows = {}, []
    for path in paths:
        photo = load_photo(path)
        drawn = clip_of(photo, studio, out / "clips")
        trim = studio.presets.models["mini"].trim
        frames = [np.ascontiguousarray(one[trim:-trim, trim:-trim]) for one in drawn]
        size = output_size(photo.size, studio.presets.resolution("720p"))
        shown = np.asarray(photo_for_detail(photo, (drawn.shape[2], drawn.shape[1]), trim, size, "crop"))
        ours, theirs = list(with_detail(iter(frames), shown)), [plain(frame, size) for frame in frames]
        r = results[path.stem] = {
            "sharpness": fmean(map(sharpness, ours)) / sharpness(shown),
            "sharpness_plain": fmean(map(sharpness, theirs)) / sharpness(shown),
            "flicker": flow_flicker(ours, frames),
            "flicker_plain": flow_flicker(theirs, frames),
        }
        sharp = f"sharpness {r['sharpness_plain']:.2f} -> {r['sharpness']:.2f} of the photo's"
        flicker = f"flicker along the motion {r['flicker_plain']:.2f} -> {r['flicker']:.2f} grey levels"
        print(f"{path.stem[:40]:40} {sharp}, {flicker}", flush=True)
        rows += [row(shown, theirs, "enlarged"), row(None, ours, "with detail")]
        sheet(rows).save(out / "detail-photos.webp", quality=QUALITY, method=6)
    return results


def clip_of(photo: Image.Image, studio: Studio, kept: Path) -> np.ndarray:
    """Return `mini`'s clip of the photo, uint8 (frames, height, width, 3).

    Drawn once for each photo and each state of the model's files, which takes half a minute. kept: where clips lie.
    """
    model = studio.presets.models["mini"]
    state = family(model.family).check(find_model("mini", studio.presets, studio.settings).folder, model).fingerprint
    name = hashlib.sha256(photo.tobytes() + state.encode()).hexdigest()[:16]
    file = kept / f"{name}-{SECONDS}s.npy"
    if not file.exists():
        drawn, *_ = studio.frames(photo, "ours", SECONDS)
        kept.mkdir(parents=True, exist_ok=True)
        np.save(file, drawn)
    return np.load(file)


def sharpness(frame: np.ndarray) -> float:
    """Mean strength of what a blur of two pixels takes away, grey levels."""
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float(np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 2)).mean())


def flow_flicker(made: list[np.ndarray], drawn: list[np.ndarray]) -> float:
    """Mean difference of each frame and the one before, moved along the drawn frames' motion; grey levels."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    height, width = made[0].shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    grey = [plain(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), (width // 2, height // 2)) for frame in drawn]
    found = []
    for (last, now), (before, after) in zip(pairwise(grey), pairwise(made), strict=True):
        flow = search.calc(now, last, None)  # pyright: ignore[reportCallIssue, reportArgumentType]
        flow = 2 * cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR)
        moved = cv2.remap(before, x + flow[..., 0], y + flow[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        found.append(float(cv2.absdiff(moved, after).mean()))
    return fmean(found)


def row(photo: np.ndarray | None, frames: list[np.ndarray], made: str) -> np.ndarray:
    """The photo, or an empty place, and beside it the first, middle and last frame."""
    first = cell(np.zeros((9, 16, 3), np.uint8)) if photo is None else labelled(cell(photo), "photo")
    at = {"first": 0, "middle": len(frames) // 2, "last": len(frames) - 1}
    return np.hstack([first, *(labelled(cell(frames[i]), f"{name}, {made}") for name, i in at.items())])


def cell(picture: np.ndarray) -> np.ndarray:
    """The picture fitted into a dark square of CELL × CELL * 9/16 pixels."""
    height = CELL * 9 // 16
    scale = min(CELL / picture.shape[1], height / picture.shape[0])
    size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    left, top = (CELL - size[0]) // 2, (height - size[1]) // 2
    edges = top, height - size[1] - top, left, CELL - size[0] - left
    return cv2.copyMakeBorder(small, *edges, cv2.BORDER_CONSTANT, value=(24, 24, 24))


def sheet(rows: list[np.ndarray]) -> Image.Image:
    return Image.fromarray(np.vstack(rows))
