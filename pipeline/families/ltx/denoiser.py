"""Ask LTX-Video's transformer for v, as diffusers' LTXImageToVideoPipeline does (…/families/ltx/test_parity.py)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ..base import NoiseSchedule
from ..flow.denoiser import FlowDenoiser
from .chunks import STRIDE


@dataclass(frozen=True)
class Inputs:
    """What the transformer gets beside the noisy latents.

    Attributes:
        words: (1, tokens, width), of the text encoder.
        mask: (1, tokens), 1 for a token of the text, 0 for padding.
        scale: Seconds to a latent frame, and pixels to a latent pixel along both sides.
        end: (1, channels, h, w), scaled latents of the picture that the window ends with; None = it is not known.
        spare: Latent frames of the window behind that end.
    """

    words: torch.Tensor
    mask: torch.Tensor
    scale: tuple[float, float, float]
    end: torch.Tensor | None = None
    spare: int = 0


class LtxDenoiser(FlowDenoiser):
    """The `Denoiser` of one window."""

    def __init__(self, transformer: Callable[[], Any], schedule: NoiseSchedule, inputs: Inputs, pinned: int) -> None:
        """Prepare one window.

        Args:
            transformer: Gives the transformer where it computes; called at every pass.
            schedule: See `FlowDenoiser`.
            inputs: What it gets beside the noisy latents.
            pinned: See `FlowDenoiser`.
        """
        super().__init__(schedule, pinned)
        self._transformer = transformer
        self._inputs = inputs

    def velocity(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Return v, float32; see `FlowDenoiser`."""
        inputs, (_, frames, channels, height, width) = self._inputs, x.shape
        # Channels outermost in memory, as the stock pipeline has them: another layout is rounded otherwise in bf16.
        tokens = x.transpose(1, 2).contiguous().permute(0, 2, 3, 4, 1).flatten(1, 3)
        times = self.times(sigma, frames, height * width, x.device)
        places: dict[str, Any] = {
            "num_frames": frames,
            "height": height,
            "width": width,
            "rope_interpolation_scale": inputs.scale,
        }
        if inputs.end is not None:
            # Known pictures within a video are tokens of their own, at their place in time, without noise.
            tokens = torch.cat([inputs.end.to(tokens).permute(0, 2, 3, 1).flatten(1, 2), tokens], dim=1)
            times = torch.cat([torch.zeros_like(times[:, : height * width]), times], dim=1)
            places = {"video_coords": coordinates(frames, height, width, inputs.scale, x.device, inputs.spare)}
        raw = self._transformer()(
            hidden_states=tokens.to(inputs.words.dtype),
            encoder_hidden_states=inputs.words,
            timestep=times,
            encoder_attention_mask=inputs.mask,
            return_dict=False,
            **places,
        )[0].float()
        raw = raw[:, -frames * height * width :]
        return raw.reshape(1, frames, height, width, channels).permute(0, 1, 4, 2, 3).contiguous()


def coordinates(
    frames: int, height: int, width: int, scale: tuple[float, float, float], device: torch.device, spare: int = 0
) -> torch.Tensor:
    """Return the place of each token in seconds and pixels, (1, 3, tokens): a picture at the end, then the window.

    A latent frame stands where its first frame does, as in LTXConditionPipeline: the first one is one frame alone.

    Args:
        frames: Latent frames of the window.
        height: In latent pixels.
        width: The same.
        scale: Seconds to a latent frame, and pixels to a latent pixel along both sides.
        device: Of the result.
        spare: See `Inputs`.
    """
    seconds, down, across = scale
    stands = torch.arange(frames, device=device) * STRIDE
    shown = (stands + 1 - STRIDE).clamp(min=0)
    rows, columns = (torch.arange(count, device=device) * side for count, side in ((height, down), (width, across)))
    end = stands[frames - 1 - spare, None]  # of N·8 + 1 frames the last
    grids = [torch.stack(torch.meshgrid(times, rows, columns, indexing="ij")).flatten(1) for times in (end, shown)]
    found = torch.cat(grids, dim=1).unsqueeze(0).float()
    found[:, 0] *= seconds / STRIDE
    return found
