"""Compute v with LTX-Video's transformer as diffusers' LTXImageToVideoPipeline does (tests: ltx/test_parity.py)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from ..base import Window
from ..flow.denoiser import FlowDenoiser
from .chunks import STRIDE


class Prompt(NamedTuple):
    """A prompt as the transformer takes it.

    Attributes:
        embeds: (1, tokens, width), from the text encoder.
        mask: (1, tokens), 1 for a token of the text, 0 for padding.
    """

    embeds: torch.Tensor
    mask: torch.Tensor


@dataclass(frozen=True)
class Inputs:
    """Inputs of the transformer besides the noisy latents.

    Attributes:
        prompt: The prompt.
        negative: The negative prompt; None = no guidance.
        scale: Seconds per latent frame; pixels per latent pixel, vertically and horizontally.
        end: Scaled latents of the window's last picture, (1, channels, h, w); None = no last picture.
        spare: Latent frames of the window after that picture.
        behind: Frames after that picture in the latent frame before `spare`.
        causal: The first latent frame's position is that of one frame; else of eight frames, like the others.
    """

    prompt: Prompt
    negative: Prompt | None
    scale: tuple[float, float, float]
    end: torch.Tensor | None = None
    spare: int = 0
    behind: int = 0
    causal: bool = False


class LtxDenoiser(FlowDenoiser):
    """The `Denoiser` of one window."""

    blocks = "transformer_blocks"

    def __init__(self, transformer: Callable[[], Any], inputs: Inputs, window: Window) -> None:
        """Prepare one window.

        Args:
            transformer: Returns the transformer on its device; called at every pass.
            inputs: Its other inputs.
            window: The window to sample.
        """
        super().__init__(window)
        self._transformer = transformer
        self._inputs = inputs

    def velocity(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Compute v with guidance, float32; see `FlowDenoiser`."""
        inputs, (_, frames, channels, height, width) = self._inputs, x.shape
        # Same memory layout as the stock pipeline: channels outermost. Another one rounds differently in bf16.
        tokens = x.transpose(1, 2).contiguous().permute(0, 2, 3, 4, 1).flatten(1, 3)
        times = self.times(sigma, frames, height * width, x.device)
        positions: dict[str, Any] = {
            "num_frames": frames,
            "height": height,
            "width": width,
            "rope_interpolation_scale": inputs.scale,
        }
        if inputs.causal:
            positions = {"video_coords": coordinates(frames, height, width, inputs.scale, x.device)}
        if inputs.end is not None:
            # A known picture is added as clean tokens (noise level 0), at its position in time.
            tokens = torch.cat([inputs.end.to(tokens).permute(0, 2, 3, 1).flatten(1, 2), tokens], dim=1)
            times = torch.cat([torch.zeros_like(times[:, : height * width]), times], dim=1)
            position = STRIDE * (frames - 1 - inputs.spare) - inputs.behind  # of N·8 + 1 frames the last, less these
            positions = {"video_coords": coordinates(frames, height, width, inputs.scale, x.device, position)}
        tokens = tokens.to(inputs.prompt.embeds.dtype)

        def predict(branch: str, prompt: Prompt) -> torch.Tensor:
            text = {"encoder_hidden_states": prompt.embeds, "encoder_attention_mask": prompt.mask}
            return self.run(
                self._transformer(), sigma, branch, hidden_states=tokens, timestep=times, **text, **positions
            ).float()

        raw = predict("prompt", inputs.prompt)
        if inputs.negative is not None and self.is_guided(sigma):
            raw = self._guidance.combined(raw, predict("negative", inputs.negative), self._scale(x, raw.shape[1]))
        raw = raw[:, -frames * height * width :]
        return raw.reshape(1, frames, height, width, channels).permute(0, 1, 4, 2, 3).contiguous()

    def _scale(self, x: torch.Tensor, tokens: int) -> float | torch.Tensor:
        """Return the guidance scale: a number, or one per token; those of a last picture come first."""
        scale = self._guidance.number(x)
        if not isinstance(scale, torch.Tensor):
            return scale
        each = scale.flatten().repeat_interleave(x.shape[3] * x.shape[4])
        return torch.cat([each[-1:].expand(tokens - len(each)), each])[None, :, None]


def coordinates(
    frames: int,
    height: int,
    width: int,
    scale: tuple[float, float, float],
    device: torch.device,
    end: int | None = None,
) -> torch.Tensor:
    """Return each token's position in seconds and pixels, (1, 3, tokens): a last picture's first, then the window's.

    A latent frame's position is that of its first frame, as in LTXConditionPipeline. The first latent frame is one
    frame.

    Args:
        frames: Latent frames of the window.
        height: Latent pixels.
        width: Latent pixels.
        scale: See `Inputs`.
        device: Of the result.
        end: Frame number of a last picture; None = there is none.
    """
    seconds, down, across = scale
    shown = (torch.arange(frames, device=device) * STRIDE + 1 - STRIDE).clamp(min=0)
    rows, columns = (torch.arange(count, device=device) * side for count, side in ((height, down), (width, across)))
    stands = [shown] if end is None else [torch.tensor([end], device=device), shown]
    grids = [torch.stack(torch.meshgrid(times, rows, columns, indexing="ij")).flatten(1) for times in stands]
    found = torch.cat(grids, dim=1).unsqueeze(0).float()
    found[:, 0] *= seconds / STRIDE
    return found
