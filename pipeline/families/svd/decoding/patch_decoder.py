"""Decode latents that are components of 8×8 patches (training/patches.py), as `mini`'s are: a small network of our own.

The linear inverse of the components, and what neighbouring patches and frames add to it. No layer works at full size:
a frame takes a ninth of the temporal decoder's multiplications, and a CPU waits for memory less than it does there.
"""

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

PATCH = 8
"""Pixels along each side of a patch, which is one latent pixel."""


class Residual(nn.Module):
    """x + conv(relu(conv(relu(x)))), without norms: these features need none, and each would cost a pass over them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return features of the same shape."""
        return x + self.second(torch.relu(self.first(torch.relu(x))))


class PatchDecoder(ModelMixin, ConfigMixin):
    """Decode a clip's latents, each frame with the ones before and after it.

    Args:
        latent_channels: Components of a patch.
        widths: Channels at an eighth, a quarter and half of the size.
        blocks: Residual blocks there.
    """

    @register_to_config
    def __init__(
        self,
        latent_channels: int = 16,
        widths: tuple[int, ...] = (128, 64, 32),
        blocks: tuple[int, ...] = (3, 2, 2),
    ) -> None:
        super().__init__()
        self.base = nn.Sequential(nn.Conv2d(latent_channels, 3 * PATCH**2, 1), nn.PixelShuffle(PATCH))
        layers: list[nn.Module] = [nn.Conv2d(3 * latent_channels, widths[0], 3, padding=1)]
        for level, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            if level:
                layers += [nn.Conv2d(widths[level - 1], 4 * width, 1), nn.PixelShuffle(2)]
            layers += [Residual(width) for _ in range(count)]
        layers += [nn.ReLU(), nn.Conv2d(widths[-1], 12, 3, padding=1), nn.PixelShuffle(2)]
        self.rest = nn.Sequential(*layers)

    def forward(
        self, latents: torch.Tensor, image_only_indicator: torch.Tensor | None = None, num_frames: int = 1
    ) -> torch.Tensor:
        """Decode frames that follow each other.

        Args:
            latents: (frames, channels, h, w). The first and the last frame have themselves as a neighbour.
            image_only_indicator: Unused. It and `num_frames` are what diffusers' VAE gives its decoder.
            num_frames: Unused: all frames are of one clip.

        Returns:
            (frames, 3, 8h, 8w), about -1..1.
        """
        before, after = torch.cat([latents[:1], latents[:-1]]), torch.cat([latents[1:], latents[-1:]])
        return self.base(latents) + self.rest(torch.cat([before, latents, after], dim=1))
