"""Ask LTX-Video's transformer for v, as diffusers' LTXImageToVideoPipeline does (…/families/ltx/test_parity.py)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from ..base import Window
from ..flow.denoiser import FlowDenoiser
from .chunks import STRIDE


class Text(NamedTuple):
    """A prompt as the transformer reads it.

    Attributes:
        words: (1, tokens, width), of the text encoder.
        mask: (1, tokens), 1 for a token of the text, 0 for padding.
    """

    words: torch.Tensor
    mask: torch.Tensor


@dataclass(frozen=True)
class Inputs:
    """What the transformer gets beside the noisy latents.

    Attributes:
        text: The prompt.
        negative: The negative prompt; None = there is no guidance.
        scale: Seconds to a latent frame, and pixels to a latent pixel along both sides.
        end: (1, channels, h, w), scaled latents of the picture that the window ends with; None = it is not known.
        spare: Latent frames of the window behind that end.
        behind: Frames of the latent frame before these that lie behind it, too.
        causal: The first latent frame is told to be one frame alone; otherwise it is eight, like the others.
    """

    text: Text
    negative: Text | None
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
            transformer: Gives the transformer where it computes; called at every pass.
            inputs: What it gets beside the noisy latents.
            window: That is sampled.
        """
        super().__init__(window)
        self._transformer = transformer
        self._inputs = inputs

    def velocity(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Return v with guidance, float32; see `FlowDenoiser`."""
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
        if inputs.causal:
            places = {"video_coords": coordinates(frames, height, width, inputs.scale, x.device)}
        if inputs.end is not None:
            # Known pictures within a video are tokens of their own, at their place in time, without noise.
            tokens = torch.cat([inputs.end.to(tokens).permute(0, 2, 3, 1).flatten(1, 2), tokens], dim=1)
            times = torch.cat([torch.zeros_like(times[:, : height * width]), times], dim=1)
            stands = STRIDE * (frames - 1 - inputs.spare) - inputs.behind  # without these: of N·8 + 1 frames the last
            places = {"video_coords": coordinates(frames, height, width, inputs.scale, x.device, stands)}
        tokens = tokens.to(inputs.text.words.dtype)

        def given(branch: str, text: Text) -> torch.Tensor:
            words = {"encoder_hidden_states": text.words, "encoder_attention_mask": text.mask}
            taken = {"hidden_states": tokens, "timestep": times, **words, **places}
            return self.run(self._transformer(), sigma, branch, **taken).float()

        raw = given("words", inputs.text)
        if inputs.negative is not None and self.is_guided(sigma):
            raw = self._guidance.combined(raw, given("negative", inputs.negative), self._scale(x, raw.shape[1]))
        raw = raw[:, -frames * height * width :]
        return raw.reshape(1, frames, height, width, channels).permute(0, 1, 4, 2, 3).contiguous()

    def _scale(self, x: torch.Tensor, tokens: int) -> float | torch.Tensor:
        """Return the guidance's scale: a number, or one for each token; those of a picture at the end come first."""
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
    """Return the place of each token in seconds and pixels, (1, 3, tokens): a picture at the end, then the window.

    A latent frame stands where its first frame does, as in LTXConditionPipeline: the first one is one frame alone.

    Args:
        frames: Latent frames of the window.
        height: In latent pixels.
        width: The same.
        scale: Seconds to a latent frame, and pixels to a latent pixel along both sides.
        device: Of the result.
        end: The frame at which a picture of its own stands; None = there is none.
    """
    seconds, down, across = scale
    shown = (torch.arange(frames, device=device) * STRIDE + 1 - STRIDE).clamp(min=0)
    rows, columns = (torch.arange(count, device=device) * side for count, side in ((height, down), (width, across)))
    stands = [shown] if end is None else [torch.tensor([end], device=device), shown]
    grids = [torch.stack(torch.meshgrid(times, rows, columns, indexing="ij")).flatten(1) for times in stands]
    found = torch.cat(grids, dim=1).unsqueeze(0).float()
    found[:, 0] *= seconds / STRIDE
    return found
