"""A pool of encoded clips that the UNet trains on: drawing from it is cheap, and it is renewed bit by bit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from camera import swaying_clip
from patches import Patches

CLIP_MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
CLIP_STD = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]
CLIP_SIZE = 224  # pixels: fixed in the stock pipeline


@dataclass
class Batch:
    """One step's clips, with what the UNet is conditioned on.

    clean: (B, T, L, h, w). conditioning: (B, L, h, w). picture: (B, 3, 224, 224), for CLIP. ids: (B, 3) as SVD adds
    them: fps - 1, motion bucket, strength of the noise on the conditioning picture.
    """

    clean: torch.Tensor
    conditioning: torch.Tensor
    picture: torch.Tensor
    ids: torch.Tensor


def clip_picture(frame: np.ndarray) -> torch.Tensor:
    """(3, 224, 224) normalised as CLIP's feature extractor does, from (H, W, 3) uint8."""
    small = cv2.resize(frame, (CLIP_SIZE, CLIP_SIZE), interpolation=cv2.INTER_AREA)
    return (torch.from_numpy(small).permute(2, 0, 1).float() / 255 - CLIP_MEAN) / CLIP_STD


class Pool:
    """`size` encoded clips.

    Each keeps its conditioning latents twice: clean, and with SVD's noise augmentation (added to the picture BEFORE
    encoding; ln strength ~ N(-3, 0.5)).
    """

    def __init__(self, patches: Patches, photos: list[np.ndarray], size: int, seed: int, **shape: int):
        self.patches, self.photos, self.size, self.shape = patches, photos, size, shape
        self.rng = np.random.default_rng(seed)
        self.spread = 0.0  # of the headings, see `swaying_move`
        self.clips: list[dict] = []

    @torch.no_grad()
    def renew(self) -> None:
        """Encodes one more clip; when the pool is full it replaces the oldest."""
        video, bucket, fps = swaying_clip(self.photos, self.rng, self.spread, **self.shape)
        pixels = torch.from_numpy(video).permute(0, 3, 1, 2).float() / 127.5 - 1
        strength = float(np.exp(self.rng.normal(-3.0, 0.5)))
        noisy = pixels[:1] + strength * torch.randn_like(pixels[:1])
        latents = self.patches.encode(torch.cat([pixels, noisy]))
        self.clips.append(
            {
                "latents": latents[:-1].half(),
                "noisy": latents[-1].half(),
                "strength": strength,
                "bucket": bucket,
                "fps": fps,
                "frame": torch.from_numpy(cv2.resize(video[0], (CLIP_SIZE, CLIP_SIZE), interpolation=cv2.INTER_AREA)),
            }
        )
        if len(self.clips) > self.size:
            self.clips.pop(0)

    def draw(self, count: int) -> Batch:
        """`count` different clips of the pool."""
        rows = []
        for index in self.rng.choice(len(self.clips), count, replace=len(self.clips) < count):
            clip = self.clips[index]
            clean, augmented = clip["latents"].float(), bool(self.rng.random() < 0.5)
            conditioning = clip["noisy"].float() if augmented else clean[0]
            if self.rng.random() < 0.3:  # later windows are conditioned on generated latents: not quite a photo's
                conditioning = conditioning + float(self.rng.uniform(0, 0.15)) * torch.randn_like(conditioning)
            ids = torch.tensor([clip["fps"] - 1, clip["bucket"], clip["strength"] if augmented else 0.0])
            rows.append((clean, conditioning, clip_picture(clip["frame"].numpy()), ids))
        return Batch(*(torch.stack(column) for column in zip(*rows, strict=True)))

    def save(self, path: Path) -> None:
        """Write the clips into a file."""
        torch.save(self.clips, path)

    def load(self, path: Path) -> None:
        """Read the clips from a file of `save`, if it is there."""
        if path.exists():
            self.clips = torch.load(path, weights_only=True)
