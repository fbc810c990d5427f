"""Encode the photo: CLIP embedding and VAE latent; and three numbers about the motion."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..base import FamilyOptions
from ..noise import draw
from .clip.pixels import resize

EMBEDDING, IMAGE = "embedding", "image"
"""Names of the tensors that the model sees of the photo: (1, 1, width) of CLIP, and (1, channels, h, w), the VAE's
mode, not scaled."""


@dataclass(frozen=True)
class MicroConditioning(FamilyOptions):
    """The model's three numeric inputs.

    Attributes:
        fps: Frame rate given to the model, 5..30, independent of the video's own rate.
        bucket: Motion bucket, 1..255; more is more motion.
        noise_aug: Strength of the noise added to the photo, 0..1.
    """

    fps: int
    bucket: int
    noise_aug: float

    def ids(self, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        """Return the numbers as the UNet takes them, (1, 3).

        The model was trained on fps - 1 (Stability-AI/generative-models, simple_video_sample.py).
        """
        return torch.tensor([[self.fps - 1, self.bucket, self.noise_aug]], dtype=dtype).to(device)

    def metadata(self) -> dict[str, Any]:
        """Return the numbers by the request's names."""
        return {"fps": self.fps, "motion_bucket_id": self.bucket, "noise_aug_strength": self.noise_aug}


@torch.no_grad()
def condition(model: Any, photo: Image.Image, noise_aug: float, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Encode the photo.

    Args:
        model: The loaded model.
        photo: RGB, of the sampling size.
        noise_aug: Strength of the noise added to its pixels, 0..1.
        generator: On the CPU; the augmentation noise is its first draw, as in the stock pipeline.

    Returns:
        EMBEDDING: (1, 1, width); IMAGE: (1, channels, h, w), not scaled.
    """
    embedding = embed(model, photo)
    pixels = to_tensor(photo).to(model.device)
    pixels = pixels + noise_aug * draw(pixels.shape, generator, pixels.dtype, model.device)
    # Contiguous, as they come back from a checkpoint: the same numbers in another layout would be rounded otherwise.
    image = encode(model, pixels).to(embedding.dtype).contiguous()
    return {EMBEDDING: embedding.contiguous(), IMAGE: image}


def to_tensor(photo: Image.Image) -> torch.Tensor:
    """Convert an RGB picture to (1, 3, height, width), float32 from -1 to 1."""
    pixels = np.asarray(photo)[None].astype(np.float32) / 255.0
    # Channels last in memory, as the stock pipeline has them: another layout takes other kernels, and rounds otherwise.
    return 2.0 * torch.from_numpy(pixels.transpose(0, 3, 1, 2)) - 1.0


def embed(model: Any, photo: Image.Image) -> torch.Tensor:
    """Compute CLIP's embedding of the photo, (1, 1, width)."""
    pixels = model.normalisation((resize(to_tensor(photo)) + 1.0) / 2.0)
    encoder = model.bring("image_encoder")
    return encoder(pixels.to(device=model.device, dtype=encoder.dtype)).unsqueeze(1)


def encode(model: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Encode pixels (n, 3, H, W) from -1 to 1 to the mode of their latents (n, channels, h, w), not scaled.

    The fp16 VAE overflows while encoding, so it is cast to fp32 for it. It is cast back in `finally`: left in fp32
    after an exception it would break every later job ("Input type (c10::Half) and bias type (float)").
    """
    vae = model.bring("vae")
    dtype = next(vae.encoder.parameters()).dtype  # the decoder's may be another
    upcast = dtype == torch.float16 and vae.config.force_upcast
    try:
        if upcast:
            vae.to(dtype=torch.float32)
        return vae.encode(pixels.to(torch.float32 if upcast else dtype)).latent_dist.mode()
    finally:
        if upcast:
            vae.to(dtype=dtype)
