"""Clips from photographs: a virtual camera moves over a photo, and shapes drift across it.

The two numbers SVD is told about a clip keep their meaning here:
- `motion_bucket_id` (1..255) is the speed: the mean displacement of the picture is
  `PIXELS_PER_SECOND_AT_255 * bucket / 255` pixels a second at 256 pixels of width, whatever the kind of move.
- `fps` is the pace: at twice the rate the picture moves half as far from one frame to the next.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import cv2
import numpy as np

PIXELS_PER_SECOND_AT_255 = 14.0  # at 256 pixels of width; bucket 127: half of it
SWAY_SECONDS = 2.0  # of one turn of a swaying camera, whatever its speed: 12 frames at 6 fps


@dataclass(frozen=True)
class Move:
    """A camera move as velocities per frame, in output pixels about the centre; see `random_move`.

    pan: (x, y) pixels a frame. zoom: log scale a frame (positive: towards the scene). roll: radians a frame.
    sway: pixels a frame along a circle that the camera goes round in `period` frames, setting out in the direction
    `heading` (radians, 0 = the scene moves right, then down). parallax: 0 = flat, 0.5 = the nearest layer moves half
    again as far as the mean. layers: whether nearness has soft random layers, besides a ground plane's.
    """

    pan: tuple[float, float] = (0.0, 0.0)
    zoom: float = 0.0
    roll: float = 0.0
    sway: float = 0.0
    heading: float = 0.0
    period: float = 16.0
    parallax: float = 0.0
    layers: bool = True


def swaying_move(rng: np.random.Generator, fps: float, spread: float) -> Move:
    """A camera held by someone standing on the ground: it circles gently, and what is near moves more.

    The move that suits a model of 14 frames and long clips: it comes back, so no window has to invent what lies beyond
    the photo's edge. `spread`: headings within ± so many radians; 0 = the motion is settled by bucket and fps alone,
    which a small model learns many times faster than to guess it from the noise.
    """
    heading = rng.uniform(-spread, spread) if spread else 0.0
    return Move(sway=1.0, heading=heading, period=SWAY_SECONDS * fps, parallax=0.4, layers=False)


def random_move(rng: np.random.Generator) -> Move:
    """A direction of movement, its speed still arbitrary: mostly one clear gesture, with a little of another."""
    kind = rng.choice(["pan", "push", "pull", "drift"], p=[0.42, 0.28, 0.1, 0.2])
    side = rng.choice([-1.0, 1.0])
    angle = rng.normal(0, 0.25)
    pan = (side * math.cos(angle), math.sin(angle))
    zoom, roll = 0.0, 0.0
    if kind == "push":
        zoom, pan = 0.014, (0.25 * rng.normal(), 0.15 * rng.normal())
    elif kind == "pull":
        zoom, pan = -0.014, (0.25 * rng.normal(), 0.15 * rng.normal())
    elif kind == "drift":
        zoom, pan = 0.007 * side, (0.7 * pan[0], pan[1])
        roll = 0.004 * rng.normal()
    return Move(
        pan,
        zoom,
        roll,
        sway=0.8 * rng.random() if rng.random() < 0.25 else 0.0,
        heading=rng.uniform(0, 2 * math.pi),
        period=rng.uniform(14, 30),
        parallax=rng.uniform(0, 0.5) if rng.random() < 0.5 else 0.0,
    )


def displacement(move: Move, time: float, x: np.ndarray, y: np.ndarray, gain: float, depth: np.ndarray | float):
    """Where the point seen at (x, y) in frame 0 is `time` frames later, from the centre; `gain` scales the speed."""
    angle = 2 * math.pi * time / move.period
    along, aside = (move.sway * move.period / (2 * math.pi) * part for part in (math.sin(angle), 1 - math.cos(angle)))
    to_x, to_y = math.cos(move.heading), math.sin(move.heading)
    scale = math.exp(move.zoom * gain * time)
    turn = move.roll * gain * time
    cos, sin = scale * math.cos(turn), scale * math.sin(turn)
    shift_x = gain * (move.pan[0] * time + to_x * along - to_y * aside)
    shift_y = gain * (move.pan[1] * time + to_y * along + to_x * aside)
    return (cos * x - sin * y - x + shift_x) * depth, (sin * x + cos * y - y + shift_y) * depth


def gain_for(move: Move, bucket: float, fps: float, frames: int, width: int, height: int) -> float:
    """The speed factor that gives the clip its motion bucket: mean displacement between neighbouring frames."""
    x, y = np.meshgrid(np.linspace(-width / 2, width / 2, 9), np.linspace(-height / 2, height / 2, 7))
    wanted = PIXELS_PER_SECOND_AT_255 * bucket / 255 / fps * (height / 144)
    gain = 1.0
    for _ in range(3):  # displacement is all but linear in the gain: a few fixed-point steps suffice
        places = [displacement(move, time, x, y, gain, 1.0) for time in range(frames)]
        steps = [np.hypot(b[0] - a[0], b[1] - a[1]).mean() for a, b in itertools.pairwise(places)]
        gain *= wanted / max(float(np.mean(steps)), 1e-6)
    return gain


def depth_field(rng: np.random.Generator, move: Move, width: int, height: int) -> np.ndarray:
    """Relative nearness (H, W) with mean 1: near at the bottom as on a ground plane, with soft large layers."""
    if move.parallax == 0:
        return np.ones((height, width), np.float32)
    ground = np.repeat(np.linspace(-1, 1, height, dtype=np.float32)[:, None], width, axis=1)
    if not move.layers:
        return 1 + move.parallax * ground
    layers = cv2.resize(rng.normal(0, 1, (4, 6)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    field = 1 + move.parallax * np.clip(0.7 * ground + 0.5 * layers, -1.2, 1.2)
    return field / field.mean()


def positions(move: Move, gain: float, depth: np.ndarray, frames: int) -> np.ndarray:
    """Where in frame 0's plane each output pixel looks: (F, H, W, 2) in output pixels from the centre.

    The forward displacement is inverted by fixed-point iteration, so that depth belongs to the scene, not the screen.
    """
    height, width = depth.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32) - width / 2, np.arange(height, dtype=np.float32) - height / 2)
    flat = bool(np.ptp(depth) == 0)
    looks = np.empty((frames, height, width, 2), np.float32)
    source_x, source_y = x.copy(), y.copy()
    for time in range(frames):
        for _ in range(3):
            near = (
                depth
                if flat
                else cv2.remap(
                    depth,
                    source_x + width / 2,
                    source_y + height / 2,
                    cv2.INTER_LINEAR,
                    borderMode=cv2.BORDER_REPLICATE,
                )
            )
            dx, dy = displacement(move, time, source_x, source_y, gain, near)
            source_x, source_y = (x - dx).astype(np.float32), (y - dy).astype(np.float32)
        looks[time, ..., 0], looks[time, ..., 1] = source_x, source_y
    return looks


def recolour(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Flip, and vary saturation, brightness, contrast and hue a little. Flips come here, before any encoding."""
    if rng.random() < 0.5:
        photo = photo[:, ::-1]
    hsv = cv2.cvtColor(np.ascontiguousarray(photo), cv2.COLOR_RGB2HSV).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + rng.normal(0, 6)) % 180
    hsv[..., 1] = np.clip(hsv[..., 1] * rng.uniform(0.9, 1.6), 0, 255)
    hsv[..., 2] = np.clip((hsv[..., 2] - 128) * rng.uniform(0.85, 1.15) + 128 + rng.normal(0, 12), 0, 255)
    return cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB)


def clip(
    photo: np.ndarray,
    rng: np.random.Generator,
    bucket: float,
    fps: float,
    frames: int = 14,
    width: int = 256,
    height: int = 144,
    shapes: bool = True,
    move: Move | None = None,
) -> np.ndarray:
    """One clip (F, H, W, 3) uint8 of a photo (H, W, 3): the camera never sees past the photo's edge.

    move: how the camera moves; None = any way at all.
    """
    move = move or random_move(rng)
    gain = gain_for(move, bucket, fps, frames, width, height)
    looks = positions(move, gain, depth_field(rng, move, width, height), frames)

    low, high = looks.min((0, 1, 2)), looks.max((0, 1, 2))
    photo_height, photo_width = photo.shape[:2]
    fits = min(photo_width / (high[0] - low[0] + 4), photo_height / (high[1] - low[1] + 4))  # photo pixels a pixel
    scale = fits * rng.uniform(0.72, 1.0)
    photo = cv2.resize(photo, None, fx=1 / scale, fy=1 / scale, interpolation=cv2.INTER_AREA)
    slack = np.maximum(np.array([photo.shape[1], photo.shape[0]]) - (high - low) - 3, 0)
    origin = (-low + 1 + slack * rng.random(2)).astype(np.float32)

    video = np.stack(
        [
            cv2.remap(
                photo,
                look[..., 0] + origin[0],
                look[..., 1] + origin[1],
                cv2.INTER_CUBIC,
                borderMode=cv2.BORDER_REFLECT,
            )
            for look in looks
        ]
    )
    if shapes and rng.random() < 0.2:
        add_shape(video, rng, PIXELS_PER_SECOND_AT_255 * bucket / 255 / fps * (width / 256))
    return video


def add_shape(video: np.ndarray, rng: np.random.Generator, speed: float) -> None:
    """Draws one soft-edged coloured ellipse into the clip, in place; it drifts at `speed` pixels a frame."""
    frames, height, width = video.shape[:3]
    angle, size = rng.uniform(0, 2 * math.pi), rng.uniform(8, 30, 2)
    start = np.array([rng.uniform(0.2, 0.8) * width, rng.uniform(0.2, 0.8) * height])
    colour = rng.uniform(0, 255, 3)
    tilt = rng.uniform(0, 180)
    for time in range(frames):
        centre = start + 1.5 * speed * time * np.array([math.cos(angle), math.sin(angle)])
        mask = np.zeros((height, width), np.uint8)
        place = tuple(int(v * 16) for v in centre)
        cv2.ellipse(mask, place, tuple(int(v * 16) for v in size), tilt, 0, 360, 255, -1, cv2.LINE_AA, 4)
        soft = cv2.GaussianBlur(mask, (0, 0), 1.0)[..., None] / 255.0
        video[time] = (video[time] * (1 - soft) + colour * soft).astype(np.uint8)


def random_clip(photos: list[np.ndarray], rng: np.random.Generator, **size: int) -> tuple[np.ndarray, float, float]:
    """(clip, motion bucket, fps) of a random photo and move: most at 6 fps, buckets evenly over 1..255."""
    photo = recolour(photos[rng.integers(len(photos))], rng)
    bucket = float(rng.integers(1, 256))
    fps = 6.0 if rng.random() < 0.6 else float(rng.integers(4, 13))
    return clip(photo, rng, bucket, fps, **size), bucket, fps


def swaying_clip(
    photos: list[np.ndarray], rng: np.random.Generator, spread: float = 0.0, **size: int
) -> tuple[np.ndarray, float, float]:
    """As `random_clip`, of a swaying camera (see `swaying_move`): what the UNet learns. Most at 6 fps."""
    photo = recolour(photos[rng.integers(len(photos))], rng)
    bucket = float(rng.integers(1, 256))
    fps = 6.0 if rng.random() < 0.7 else float(rng.integers(4, 9))
    return clip(photo, rng, bucket, fps, shapes=False, move=swaying_move(rng, fps, spread), **size), bucket, fps
