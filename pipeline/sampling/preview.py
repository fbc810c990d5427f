"""Preview all frames of a window from predicted latents, by a linear map instead of the decoder."""

import io
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from ...presets import LatentRGB

WIDTH = 160
"""Pixels of the preview's long side at least; small latents are enlarged to about this."""

MAX_WIDTH = 256

QUALITY = 55
METHOD = 0
"""libwebp's fastest: at this size the eye finds no difference, and a job must not wait for its preview."""

RIDGE = 1e-3
"""Share of the latents' own variance added to the fit, so that a photo of one colour still gives a usable map."""


@dataclass(frozen=True)
class Previewer:
    """Convert latents to previews: rgb (0..1) = latents (scaled) @ matrix + bias.

    Attributes:
        matrix: (channels, 3).
        bias: (3,).
        fps: Frames per second of the preview.
    """

    matrix: torch.Tensor
    bias: torch.Tensor
    fps: float

    @classmethod
    def from_preset(cls, stored: LatentRGB, fps: float) -> "Previewer":
        """Create a previewer from a preset's matrix. fps: frames per second of the preview."""
        return cls(torch.tensor(stored.matrix), torch.tensor(stored.bias), fps)

    @torch.no_grad()
    def frames(self, x0: torch.Tensor) -> np.ndarray:
        """Convert scaled latents (frames, channels, h, w) to uint8 RGB (frames, h, w, 3)."""
        x0 = x0.detach().to("cpu", torch.float32)
        rgb = torch.einsum("fchw,cd->fhwd", x0, self.matrix) + self.bias
        return rgb.clamp(0, 1).mul(255).round().to(torch.uint8).numpy()

    def webp(self, x0: torch.Tensor) -> bytes:
        """Encode all frames as an endlessly looping animated WebP."""
        frames = self.frames(x0)
        size = preview_size(frames.shape[2], frames.shape[1])
        images = [Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR) for frame in frames]
        buffer = io.BytesIO()
        images[0].save(
            buffer,
            "WEBP",
            save_all=True,
            append_images=images[1:],
            duration=round(1000 / self.fps),
            loop=0,
            quality=QUALITY,
            method=METHOD,
        )
        return buffer.getvalue()


def preview_size(width: int, height: int) -> tuple[int, int]:
    """Return the preview's size: a whole multiple of the latent size, about WIDTH, never above MAX_WIDTH."""
    side = max(width, height)
    scale = max(1, round(WIDTH / side))
    scale = min(scale, max(1, MAX_WIDTH // side)) if side <= MAX_WIDTH else MAX_WIDTH / side
    return max(1, round(width * scale)), max(1, round(height * scale))


def fit_latent_rgb(latents: torch.Tensor, pixels: torch.Tensor) -> LatentRGB:
    """Fit the matrix for a preset: from latents (n, channels, h, w; scaled) to pictures (n, 3, H, W; 0..1)."""
    matrix, bias = _fit(latents, pixels)
    rows = tuple(tuple(float(value) for value in row) for row in matrix)
    return LatentRGB(matrix=rows, bias=tuple(float(value) for value in bias))  # type: ignore[arg-type]


@torch.no_grad()
def fit_previewer(latents: torch.Tensor, photo: Image.Image, fps: float) -> Previewer:
    """Fit a previewer to this photo, for a model whose preset has no matrix. Takes a millisecond.

    Args:
        latents: The photo's latents, (1, channels, h, w), scaled as in sampling.
        photo: RGB.
        fps: Frames per second of the preview.
    """
    pixels = torch.from_numpy(np.asarray(photo).copy()).permute(2, 0, 1)[None].float() / 255
    return Previewer(*_fit(latents, pixels), fps)


def _fit(latents: torch.Tensor, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    latents = latents.detach().to("cpu", torch.float64)
    small = torch.nn.functional.interpolate(pixels.to("cpu", torch.float64), size=latents.shape[-2:], mode="area")
    x = latents.movedim(1, -1).flatten(0, -2)
    y = small.movedim(1, -1).flatten(0, -2)
    mean_x, mean_y = x.mean(0), y.mean(0)
    x, y = x - mean_x, y - mean_y
    gram = x.T @ x
    gram = gram + (RIDGE * gram.diagonal().mean() + 1e-9) * torch.eye(len(gram), dtype=gram.dtype)
    matrix = torch.linalg.solve(gram, x.T @ y)
    return matrix.float(), (mean_y - mean_x @ matrix).float()
