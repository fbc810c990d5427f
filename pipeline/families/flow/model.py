"""Give sampling what it asks of a model, as far as it is the same for all video transformers."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence

import torch

from ..base import MemoryPlan
from ..weights.components import Components


class FlowModel(Components):
    """What `VideoModel`s with a video VAE, whose first frame is the photo, have in common.

    Attributes:
        arithmetic: 0: the numbers are diffusers' own.
    """

    arithmetic = 0

    @property
    @abstractmethod
    def latent_size(self) -> tuple[int, int]:
        """Channels of a latent, and pixels to one of its pixels along each side."""

    @abstractmethod
    def beginning(self, conditioning: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the photo's latent: the first frame is the photo; see `VideoModel`."""

    @property
    def latent_dtype(self) -> torch.dtype:
        """float32, as in the stock pipelines: noise levels may be too near each other for 16-bit latents."""
        return torch.float32

    def prepare(self, plan: MemoryPlan) -> None:
        """Do nothing: loading settles everything; see `VideoModel`."""

    def noise(
        self, frames: int, width: int, height: int, draw: Callable[[Sequence[int]], torch.Tensor]
    ) -> torch.Tensor:
        """Draw a window's noise, channels before frames as the stock pipelines; see `VideoModel`."""
        channels, side = self.latent_size
        return draw((1, channels, frames, height // side, width // side)).transpose(1, 2).contiguous()

    def preview_latents(self, conditioning: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the photo's latents, scaled; see `VideoModel`."""
        return self.beginning(conditioning)[:, 0]
