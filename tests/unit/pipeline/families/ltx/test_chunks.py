"""Latent frames are decoded in chunks with halos: every frame once, in order; the fewer at once, the less alike."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from fanslymotion.pipeline.families.ltx.chunks import LEAST, chunks, decoded
from fanslymotion.pipeline.families.ltx.model import LtxModel


@pytest.mark.parametrize("total", [1, 2, 3, 10, 19, 37])
@pytest.mark.parametrize("most", [1, 2, 3, 4, 6, 7, 11, 12, 21, 40])
def test_every_frame_once(total: int, most: int) -> None:
    made = chunks(total, most)
    assert made[0].first == 0
    assert made[-1].end == made[-1].high == total
    assert all(one.end == other.first for one, other in pairwise(made))
    assert all(chunk.low < chunk.first for chunk in made[1:]), "the first of a chunk gives one frame instead of eight"
    assert all(chunk.high - chunk.low <= max(most, LEAST) for chunk in made)
    assert decoded(total, most) >= total
    frames = sum(end - begin for begin, end in (chunk.frames for chunk in made))
    assert frames == 1 + 8 * (total - 1)


def test_decoding_in_chunks(ltx: LtxModel) -> None:
    """The same frames for the same chunks; smaller ones differ by what the decoder sees around them."""
    latents = torch.randn((1, 19, 8, 1, 2), generator=torch.Generator().manual_seed(3))

    def frames(chunk: int, seed: int = 0) -> np.ndarray:
        return np.concatenate(list(ltx.decode(latents, chunk, seed)))

    whole = frames(161)
    assert whole.shape == (145, 32, 64, 3)
    assert np.array_equal(frames(161), whole)
    assert not np.array_equal(frames(161, seed=1), whole), "the decoder's noise is drawn by the video's seed"
    apart = {chunk: np.abs(frames(chunk).astype(int) - whole).mean() for chunk in (97, 57, 17)}
    assert 0 < apart[97] <= apart[57] < apart[17], apart
    assert apart[97] < 8, "grey levels, of noise in random weights: the worst case"
    assert np.array_equal(frames(57), frames(57))
