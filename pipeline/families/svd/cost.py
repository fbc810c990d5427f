"""Estimate bytes and seconds of each stage for the memory plan. Without torch.

Computed for the full-size architecture and measured on a CPU (`bench/memory.py`); scaled by the number of parameters
and channels for smaller models.
"""

from ...hardware.units import CONTEXT, PROCESS
from ...progress import Stage
from ..base import Forecast, MemoryPlan, Offload
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
from ..forecast import build_forecast, windows
from .decoding.chunks import decoded_frames
from .noise.levels import ays_sigmas, karras_sigmas

UNET_BYTES = 280
"""Activations of the UNet in 2-byte numbers: bytes per sampled pixel, frame and guidance branch, full-size model."""
PIECES = 4
"""Forward chunking: pieces of the widest feed-forward layers (`feed_forward.py`); other layers are the highest then."""
CHUNKED = 165 / 280
"""What forward chunking leaves of them: measured on an H100 (4.54 of 7.83 GiB with guidance, 2.30 without), and counted
on the architecture (tests/unit/pipeline/families/svd/test_feed_forward.py)."""
CHUNKED_TIME = 1.03
"""What it costs in time: a copy of each piece's result, estimated from the bytes it moves."""
DECODE_BYTES = 2050
"""Activations of the VAE's decoder in 2-byte numbers: bytes per pixel and frame decoded together, full-size model."""
ENCODE_BYTES = 3200
"""The same for encoding the photo, one frame in 4-byte numbers (the fp16 VAE overflows while it encodes). Measured on
an H100: 1.73 GiB at 1024×576."""
UNET_FLOP = 0.184
"""Operations of a UNet pass per latent pixel and frame, as a multiple of its parameters. Attention comes on top."""
ENCODE_FLOP = 0.045
"""Operations of encoding the photo per pixel, as a multiple of the VAE's parameters. Counted at 1024×576."""
CLIP_TOKENS = 257
"""Of the photo as the image encoder reads it: two operations of each with each of its parameters."""
DECODE_FLOP = 0.118
"""Operations of a decode per pixel and frame, as a multiple of the VAE's parameters."""
SMALL_DECODER = {"bfloat16": 0.4, "float32": 0.75}
"""What `vae.suit_cpu` leaves of a small temporal decoder's time on a CPU, by its numbers (that of `mini`)."""
PATCH_FLOP = 0.06
"""Operations of the patch decoder per pixel and frame, as a multiple of its parameters: counted on `mini`'s."""
PATCH_SPEED = 4.0
"""How much nearer to a device's peak it comes than a small temporal decoder: 0.02 s a frame on two cores that take
0.30 s for a pass of `mini`."""
PATCH_BYTES = 120
"""Its activations in 4-byte numbers: bytes per pixel and frame decoded together, measured on a CPU at 1024×576."""
CACHED, CACHED_SMALL = 0.31, 0.33
"""What a cached step (deep_cache.py) takes of a whole one: 0.185 of 0.590 s on an H100; `mini` on two cores."""
BESIDE_ENCODERS = 1.0
"""Seconds beside the encoders themselves until the photo is encoded: first kernels, and weights on their way."""
WARM_UP = 0.6
"""Seconds of the decoding stage on a GPU beyond its frames: first kernels, copies, checks. Of six jobs on an H100."""
TWO_PASSES = 1.1
"""Guidance in two passes over one pass of twice the size, on a GPU (0.719 and 0.651 s a step)."""
SHORTCUTS = {"cpu": 0.95, "cuda": 0.907}
"""What `shortcuts.py` leaves of a full-size model's step: 0.590 of 0.651 s on an H100; counted for a CPU."""
SHORTCUTS_SMALL = 0.87
"""The same for `mini` on two cores, measured: 0.167 of 0.193 s a pass."""
_RESIDENT = {Offload.GROUP: 0.22, Offload.SEQUENTIAL: 0.02}
"""Share of the UNet's weights on the device where the activations are highest: what an H100 had allocated (2.90 and
2.27 GiB) less the activations (2.30)."""
_WIDEST = 0.58
"""Share of them with group offload at the block with the most weights and the one fetched beside it; the activations
are a quarter there (counted on the architecture)."""


def forecast(now: MemoryPlan) -> Forecast:
    """Estimate the memory and time of a plan; see `Forecast`."""
    return build_forecast(now, peak, ram, seconds)


def weights(now: MemoryPlan) -> dict[str, int]:
    """Return the bytes of each component's weights, by its name."""
    size, model = number_bytes(now.dtype), now.model
    return {"unet": model.unet * size, "vae": model.vae * size, "image_encoder": model.image_encoder * size}


def piece(now: MemoryPlan) -> int | None:
    """Return how many numbers a feed-forward layer takes at once: a share of the widest tensor; None if not chunked."""
    if not now.chunked:
        return None
    latent = now.width * now.height // now.model.factor**2
    return -(-latent * now.window * _branches(now) * now.model.channels // PIECES)


def _branches(now: MemoryPlan) -> int:
    return 2 if now.guided and not now.two_pass else 1


def peak(now: MemoryPlan, stage: Stage) -> int:
    """Estimate the peak bytes of a stage on the computing device."""
    highest = _highest(now, stage, int(_activations(now, stage) * SLACK))
    if stage is Stage.DECODING:  # the upscaler is on a thread of its own, beside the decoder
        return highest + tile_bytes(now, tile_side(now)) + beside_decoder(now)
    return highest + (PROCESS if now.device == "cpu" else CONTEXT)


def tile_side(now: MemoryPlan) -> int:
    """Return the side in pixels of the upscaler's largest tile that fits beside the decoder.

    The smallest of `SIDES` if none fits.
    """
    return largest_tile(now, _highest(now, Stage.DECODING, int(_activations(now, Stage.DECODING) * SLACK)))


def ram(now: MemoryPlan) -> int:
    """Estimate the bytes of RAM while a GPU computes."""
    parts, detail = weights(now), detail_bytes(now)
    if now.offload is Offload.NONE:
        return PROCESS + max(parts.values()) + detail
    locked = (PINNED - 1) * parts["unet"] if now.offload in _RESIDENT else 0
    return PROCESS + sum(parts.values()) + int(locked) + detail


def _activations(now: MemoryPlan, stage: Stage) -> float:
    pixels = now.width * now.height
    if stage is Stage.SAMPLING:
        per_pixel = UNET_BYTES * now.model.channels / 320 * 64 / now.model.factor**2 * (CHUNKED if now.chunked else 1)
        return per_pixel * pixels * now.window * _branches(now) * number_bytes(now.dtype) / 2 + feature_bytes(now)
    vae = now.model.vae_channels / 128
    if stage is Stage.DECODING:
        if now.model.patch_decoder:
            return PATCH_BYTES * pixels * now.decode_chunk * number_bytes(now.decoder_dtype) / 4
        return DECODE_BYTES * vae * pixels * now.decode_chunk * number_bytes(now.decoder_dtype) / 2
    if stage is Stage.CONDITIONING:
        return ENCODE_BYTES * vae * pixels
    return 0.0


def feature_bytes(now: MemoryPlan) -> int:
    """Return the bytes of the features cached from one step to the next (deep_cache.py), of both branches."""
    if not now.work.effort.cached:
        return 0
    latent = now.width * now.height // now.model.factor**2
    return latent * now.window * (2 if now.guided else 1) * now.model.channels * number_bytes(now.dtype)


def _highest(now: MemoryPlan, stage: Stage, working: int) -> int:
    """Estimate the bytes of weights on the device and activations in this stage."""
    parts = weights(now)
    if stage is Stage.CONDITIONING and now.dtype == "float16":
        parts["vae"] *= 2  # raised to fp32 to encode
    if now.offload is Offload.NONE:
        return sum(parts.values()) + working
    if stage is Stage.LOADING:
        return 0
    if stage is Stage.CONDITIONING:
        return max(parts["image_encoder"], parts["vae"] + working)
    if stage is not Stage.SAMPLING:
        return parts["vae"] + working
    found = int(parts["unet"] * _RESIDENT.get(now.offload, 1.0)) + working
    return max(found, int(parts["unet"] * _WIDEST) + working // 4) if now.offload is Offload.GROUP else found


def seconds(now: MemoryPlan) -> dict[Stage, float]:
    """Estimate the seconds of each stage, with the model not loaded.

    An H100's measurements are within a quarter (bench/RESULTS.md).
    """
    model = now.model
    kind = "cpu" if now.device == "cpu" else "cuda"
    speed = operations_a_second(now)
    sampled = windows(now)
    passes = sampled.count * sum(step_weights(now)) * (2 if now.guided else 1)
    one = unet_operations(now) / speed * SLOWER[now.offload] * (CHUNKED_TIME if now.chunked else 1.0)
    one *= SHORTCUTS[kind] if model.large else SHORTCUTS_SMALL
    if kind == "cuda":
        one = max(one * (TWO_PASSES if now.guided and now.two_pass else 1.0), LAUNCH)
    frames = decoded_frames(min(sampled.sampled, now.work.decoded), now.decode_chunk)
    of_pixel = PATCH_FLOP * model.patch_decoder / PATCH_SPEED or DECODE_FLOP * model.vae
    decode = of_pixel * now.width * now.height * frames / speed / DECODE_SPEED[kind]
    if kind == "cpu" and not model.large and not model.patch_decoder:
        decode *= SMALL_DECODER[now.decoder_dtype]
    if kind == "cuda" and model.large:
        decode += WARM_UP
    beside, alone = finish_seconds(now)
    return {
        Stage.LOADING: STARTING[kind] + sum(weights(now).values()) / READING[kind],
        Stage.CONDITIONING: BESIDE_ENCODERS + _encoding(now) / speed / DECODE_SPEED[kind],
        Stage.SAMPLING: one * passes,
        **decoding_and_saving(now, decode, beside, alone, upscale_seconds(now, tile_side(now))),
    }


def _encoding(now: MemoryPlan) -> float:
    """Count the operations of encoding the photo: by the image encoder, and by the VAE in 4-byte numbers on a GPU."""
    vae = (now.model.vae - now.model.patch_decoder) * ENCODE_FLOP * now.width * now.height
    return 2 * CLIP_TOKENS * now.model.image_encoder + vae * (2 if now.dtype == "float16" else 1)


def step_weights(now: MemoryPlan) -> list[float]:
    """Return the cost of each step of a window, as a share of a full step, with guidance if the plan has it."""
    work, cached = now.work, CACHED if now.model.large else CACHED_SMALL
    levels = (ays_sigmas if work.schedule == "ays" else karras_sigmas)(work.steps)
    guided = [1.0 if not now.guided or sigma > work.effort.guidance_above else 0.5 for sigma in levels]
    return [weight * (1.0 if work.effort.whole(step, work.steps) else cached) for step, weight in enumerate(guided)]


def unet_operations(now: MemoryPlan) -> float:
    """Count the operations of one UNet pass over one branch of the guidance.

    Convolutions and linear layers grow with the tokens, attention within frames with their square.

    Attention takes 4·N²·C in a block, N tokens of C channels: 19 % of all at 1024×576, 14 % at 848×480.
    """
    tokens = now.width * now.height / now.model.factor**2
    return (UNET_FLOP * now.model.unet * tokens + 4 * now.model.attention * tokens**2) * now.window
