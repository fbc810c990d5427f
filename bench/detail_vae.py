"""Clips with known truth as `mini`'s own encoder and decoder draw them: with its blur, its colours and its rings."""

from typing import Any

import numpy as np
import torch
from detail_cases import HardCase
from fanslymotion.models.find import find_model
from fanslymotion.pipeline.families.svd.conditioning import encode, to_tensor
from fanslymotion.pipeline.families.svd.decoding.vae import decode
from fanslymotion.pipeline.media.sizes import fit_photo
from fanslymotion.pipeline.model_cache import ModelCache
from fanslymotion.presets import load_presets
from fanslymotion.settings import Settings
from PIL import Image

CLIPS = ("slow pan", "zoom in", "zoom out", "sway", "parallax", "parallax zoom", "fast parallax")
"""Camera moves that are sent through it."""

CHANGES = ("patch", "mouth", "hand", "ripples")
"""Hard cases that are sent through it."""

SHARE = 5
"""Pixels of the truth for each that `mini` draws, along a side."""


class MiniDecoder:
    """`mini`'s encoder and decoder, without what lies between them."""

    def __init__(self) -> None:
        settings = Settings.from_env()
        presets = load_presets(settings)
        self.trim = presets.models["mini"].trim
        # The loaded SVD model itself, whose encoder takes pixels; a VideoModel's takes a photo and embeds it, too.
        self._model: Any = ModelCache().get(find_model("mini", presets, settings))

    @torch.no_grad()
    def drawn(self, truth: list[np.ndarray]) -> list[np.ndarray]:
        """Draw each frame at a fifth of its size and cut off the edge that is never shown. uint8 RGB."""
        size = truth[0].shape[1] // SHARE, truth[0].shape[0] // SHARE
        small = [fit_photo(Image.fromarray(frame), size, "crop") for frame in truth]
        latents = torch.cat([encode(self._model, to_tensor(photo)) for photo in small])[None]
        t = self.trim
        clip = np.concatenate(list(decode(self._model, self._model.scaling * latents, 14)))
        return [np.ascontiguousarray(frame[t:-t, t:-t]) for frame in clip]

    def seen(self, truth: np.ndarray) -> np.ndarray:
        """Cut the same edge off a true frame, or off a mask of its size."""
        t = SHARE * self.trim
        return np.ascontiguousarray(truth[t:-t, t:-t])

    def case(self, case: HardCase) -> HardCase:
        """The same case without the edge."""
        return HardCase(self.seen(case.photo), [*map(self.seen, case.frames)], [*map(self.seen, case.changed)])
