"""The live preview: right colours, all frames, small."""

import io

import numpy as np
import pytest
import torch
from fanslymotion.pipeline.sampling.preview import MAX_WIDTH, Previewer, fit_latent_rgb, fit_previewer, preview_size
from PIL import Image

MATRIX = torch.tensor([[0.1, 0.0, 0.02], [0.0, 0.2, 0.0], [-0.1, 0.05, 0.1], [0.0, 0.0, 0.1]])
BIAS = torch.tensor([0.5, 0.4, 0.6])


def test_the_fit_finds_the_map() -> None:
    torch.manual_seed(0)
    latents = torch.randn(3, 4, 9, 16) * 0.5
    pixels = torch.einsum("nchw,cd->ndhw", latents, MATRIX) + BIAS.view(1, 3, 1, 1)
    pixels = pixels.repeat_interleave(8, 2).repeat_interleave(8, 3)
    found = fit_latent_rgb(latents, pixels)
    assert torch.tensor(found.matrix) == pytest.approx(MATRIX, abs=0.01)
    assert torch.tensor(found.bias) == pytest.approx(BIAS, abs=0.01)


def test_a_photo_of_one_colour_gives_that_colour() -> None:
    photo = Image.new("RGB", (128, 72), (200, 100, 50))
    latents = torch.randn(1, 4, 9, 16)
    previewer = fit_previewer(latents, photo, fps=6)
    frames = previewer.frames(latents)
    assert np.abs(frames.astype(int) - (200, 100, 50)).max() <= 2


def test_the_picture_holds_all_frames_and_moves() -> None:
    torch.manual_seed(0)
    x0 = torch.randn(14, 4, 9, 16, dtype=torch.bfloat16)
    data = Previewer(MATRIX, BIAS, fps=6).webp(x0)
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "WEBP"
        assert image.n_frames == 14
        assert image.info["loop"] == 0
        assert image.size == (160, 90)
        first = np.asarray(image.convert("RGB")).astype(int)
        image.seek(7)
        assert np.abs(np.asarray(image.convert("RGB")) - first).max() > 20
        assert image.info["duration"] in range(160, 175)


@pytest.mark.parametrize("size", [(16, 9), (9, 16), (64, 36), (128, 72), (160, 90), (240, 135), (400, 225), (1, 1)])
def test_size(size: tuple[int, int]) -> None:
    width, height = preview_size(*size)
    assert max(width, height) <= MAX_WIDTH
    assert max(width, height) >= min(128, max(size) * 100)
    assert width / height == pytest.approx(size[0] / size[1], rel=0.02)
