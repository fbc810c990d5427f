"""Estimate bytes and seconds of each stage for the memory plan. Without torch.

Bytes and operations were measured on an H200 with random weights of the 2B model's size (bench/RESULTS.md).
"""

from ...hardware.units import CONTEXT, PROCESS
from ...progress import Stage
from ..base import MemoryPlan, Offload
from ..costs.finishing import (
    SLACK,
    beside_decoder,
    decoding_and_saving,
    detail_bytes,
    finish_seconds,
    largest_tile,
    tile_bytes,
    upscale_seconds,
)
from ..costs.speed import (
    DECODE_SPEED,
    LAUNCH,
    PINNED,
    READING,
    SLOWER,
    STARTING,
    number_bytes,
    operations_a_second,
)
from ..forecast import Forecast, put_together, windows
from ..plan import LARGE
from .chunks import LEAST, STRIDE, decoded, frames, latents

TOKEN_WIDTHS = 38
"""Activations of a transformer's block in 2-byte numbers, per token, in multiples of its width: each token's own time
embedding, hidden states and attention, rotation in 4-byte numbers, the feed-forward layer. Measured: 29 in use, 34 with
what the allocator keeps."""
DECODE_BYTES = 150
"""Activations of the VAE's decoder in 2-byte numbers: bytes per pixel and frame decoded together, 128 channels at the
last level. Measured for 33 and 161 frames: 106 and 100 in use, 144 and 147 with what the allocator keeps."""
ENCODE_BYTES = 500
"""The same for encoding the photo, one frame. Measured: 340 with what the allocator keeps."""
DECODE_OPERATIONS = 1.25e6
"""Operations of the decoder per pixel and frame, counted over its convolutions."""
TEXT_TOKENS = 256
TEXT_SHARE = 0.12
"""Of the text encoder on the device while it comes block by block: two of its 24, and the table of words."""
_RESIDENT = {Offload.GROUP: 0.12, Offload.SEQUENTIAL: 0.03}
"""Share of the transformer's weights on the device: two of 28 blocks and what is no block; two layers."""


def forecast(now: MemoryPlan) -> Forecast:
    """Estimate the memory and time of a plan; see `Forecast`."""
    return put_together(now, peak, ram, seconds)


def weights(now: MemoryPlan) -> dict[str, int]:
    """Return the bytes of each component's weights, by its name. A large text encoder stays in 16-bit numbers."""
    size, model = number_bytes(now.dtype), now.model
    return {
        "text_encoder": model.text_encoder * (2 if model.text_encoder >= LARGE else size),
        "vae": model.vae * size,
        "transformer": model.unet * size,
    }


def tokens(now: MemoryPlan) -> int:
    """Return the tokens of a window."""
    return windows(now).frames * (now.width // now.model.factor) * (now.height // now.model.factor)


def peak(now: MemoryPlan, stage: Stage) -> int:
    """Estimate the bytes on the computing device at the stage's highest point."""
    highest = _highest(now, stage)
    if stage is Stage.DECODING:
        return highest + tile_bytes(now, tile_side(now)) + beside_decoder(now)
    return highest + (PROCESS if now.device == "cpu" else CONTEXT)


def tile_side(now: MemoryPlan) -> int:
    """Return the side in pixels of the upscaler's largest tile for which the decoder leaves room."""
    return largest_tile(now, _highest(now, Stage.DECODING))


def ram(now: MemoryPlan) -> int:
    """Estimate the bytes of RAM that the job takes while a GPU computes: the text encoder and the rest in turn."""
    parts, detail = weights(now), detail_bytes(now)
    text = parts.pop("text_encoder")
    if now.offload is Offload.NONE:
        return PROCESS + max(text, max(parts.values()) + detail)
    locked = int((PINNED - 1) * parts["transformer"]) if now.offload in _RESIDENT else 0
    return PROCESS + max(text, sum(parts.values()) + locked + detail)


def _activations(now: MemoryPlan, stage: Stage) -> float:
    pixels, number = now.width * now.height, number_bytes(now.dtype) / 2
    if stage is Stage.SAMPLING:
        return tokens(now) * TOKEN_WIDTHS * now.model.channels * 2 * number
    vae = now.model.vae_channels / 128
    if stage is Stage.DECODING:
        return DECODE_BYTES * max(vae, 0.2) * pixels * frames(max(LEAST, latents(now.decode_chunk))) * number
    if stage is Stage.CONDITIONING:
        return ENCODE_BYTES * max(vae, 0.2) * pixels * number
    return 0.0


def _highest(now: MemoryPlan, stage: Stage) -> int:
    """Weights on the device in this stage and the activations beside them."""
    parts, working = weights(now), int(_activations(now, stage) * SLACK)
    text = parts.pop("text_encoder")
    if stage is Stage.LOADING:
        if now.offload is Offload.NONE:
            return max(text, sum(parts.values()))
        return int(text * TEXT_SHARE)
    if now.offload is Offload.NONE:
        return sum(parts.values()) + working
    if stage is Stage.SAMPLING:
        return int(parts["transformer"] * _RESIDENT.get(now.offload, 1.0)) + working
    return parts["vae"] + working


def seconds(now: MemoryPlan) -> dict[Stage, float]:
    """Estimate the seconds of each stage, with the model not loaded yet and the prompt not encoded."""
    kind, speed, work = "cpu" if now.device == "cpu" else "cuda", operations_a_second(now), now.work
    one = operations(now) / speed * SLOWER[now.offload]
    if kind == "cuda":
        one = max(one, LAUNCH)
    pixels = decoded(latents(work.frames), latents(now.decode_chunk)) * STRIDE * now.width * now.height
    decode = DECODE_OPERATIONS * (now.model.vae_channels / 128) ** 2 * pixels / speed / DECODE_SPEED[kind]
    beside, alone = finish_seconds(now)
    text = 2 * now.model.text_encoder * TEXT_TOKENS / speed
    return {
        Stage.LOADING: STARTING[kind] + sum(weights(now).values()) / READING[kind] + text,
        Stage.CONDITIONING: 1.0,
        Stage.SAMPLING: one * windows(now).count * work.steps,
        **decoding_and_saving(now, decode, beside, alone, upscale_seconds(now, tile_side(now))),
    }


def step_weights(now: MemoryPlan) -> list[float]:
    """Return what each step takes, as a share of one in full: a distilled model leaves nothing out."""
    return [1.0] * now.work.steps


def operations(now: MemoryPlan) -> float:
    """Count the operations of one pass: linear layers grow with the tokens, attention with their square."""
    count = tokens(now)
    return 2 * now.model.unet * count + 4 * now.model.attended * count**2
