"""Frames in chunks: never more at once than allowed, all of them, and without a jump where two chunks meet."""

import numpy as np
import pytest
import torch
from fanslymotion.pipeline.families.svd.decoding import vae as module
from fanslymotion.pipeline.families.svd.decoding.vae import decode, decode_frames
from fanslymotion.pipeline.families.svd.model import LoadedModel


@pytest.fixture
def latents(loaded: LoadedModel) -> torch.Tensor:
    """20 frames that change slowly."""
    generator = torch.Generator().manual_seed(3)
    first, last = torch.randn(2, loaded.vae.config.latent_channels, 4, 6, generator=generator)
    return torch.stack([torch.lerp(first, last, k / 19) for k in range(20)])[None]


@pytest.mark.parametrize("chunk", [1, 2, 5, 6, 8, 14, 20, 50])
def test_all_frames_come_and_no_more_at_once(loaded: LoadedModel, latents, monkeypatch, chunk: int) -> None:
    sizes = []

    def counted(loaded: LoadedModel, part: torch.Tensor) -> np.ndarray:
        sizes.append(part.shape[1])
        return np.full((part.shape[1], 2, 2, 3), len(sizes), np.uint8)

    monkeypatch.setattr(module, "decode_frames", counted)
    frames = np.concatenate(list(decode(loaded, latents, chunk)))
    assert len(frames) == 20
    assert max(sizes) <= chunk


def test_where_chunks_meet_nothing_jumps(loaded: LoadedModel, latents: torch.Tensor) -> None:
    whole = decode_frames(loaded, latents).astype(int)

    def error(halo: int | None) -> float:
        chunks = list(decode(loaded, latents, 10, halo))
        frames, meets = np.concatenate(chunks), np.cumsum([len(part) for part in chunks])[:-1]
        beside = [frame for at in meets for frame in (at - 1, at)]
        return float(np.abs(frames[beside] - whole[beside]).mean())

    assert error(None) < 0.5 * error(0)
