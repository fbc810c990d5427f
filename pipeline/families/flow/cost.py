"""Estimate bytes and seconds of a video transformer with a text encoder. Without torch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

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
from ..plan import LARGE, PIECE

INT8 = 1.03
"""Bytes of a parameter of the transformer in 8-bit numbers: what is no block, and the scales, are little."""

EXPANSION = 3000
"""Operations in whose time a quantised number is expanded. Computed: 40 bytes are moved for it, and an RTX 4090 does 80
operations in the time of a byte. On two cores 50 ns where a product of matrices reached 0.029 · 10¹² operations a
second: 1,500."""
EXPANDING = 20 * 2**23
"""Bytes beside an expanded layer, at most: so many numbers are expanded at once (`weights/files/packed.py`), with up
to 20 bytes each on the way."""


def in_pieces(now: MemoryPlan) -> bool:
    """Tell whether blocks are computed in chunks. Not with layer offload: each chunk would move every layer again."""
    return now.chunked and now.offload is not Offload.SEQUENTIAL


BESIDE_ENCODER = 1.0
"""Seconds until the photo is encoded beside the encoder itself: the first kernels, and the weights on their way."""

CACHED = 0.02
"""A pass that uses the blocks' residual again, as a share of a whole one. Computed: the most of it is Wan's time
embedding, which each token has, 7 · 3072² of 5 billion parameters."""


def guided_passes(now: MemoryPlan, levels: Sequence[float]) -> Sequence[float]:
    """Return the cost of each step as a share of a guided one: a step without guidance takes one pass of two.

    Args:
        now: The plan.
        levels: Noise level of each step.
    """
    effort, steps = now.work.effort, len(levels)
    above = effort.guidance_above if now.guided else 0.0
    whole = [1.0 if effort.whole(step, steps) else CACHED for step in range(steps)]
    return [share * (1.0 if level > above else 0.5) for share, level in zip(whole, levels, strict=True)]


@dataclass(frozen=True)
class TokenCost:
    """The `CostModel` of a family of video transformers.

    Attributes:
        patch: Latent pixels per token, along each side.
        widths: Activations of a block, 2-byte numbers per token, in multiples of the transformer's width.
        whole_widths: Those of them that are held for all tokens while blocks are computed in chunks.
        decoder: Activations of the VAE's decoder in bytes per pixel and frame decoded together, in 2-byte numbers, with
            `decoder_channels` at its last level; a narrower one takes its share, a fifth at least.
        encoder: The same for encoding the photo, one frame.
        decoder_channels: See `decoder`.
        decoder_operations: Of the decoder per pixel and frame, with these channels.
        encoder_operations: Of the encoder per pixel and frame, with the decoder's channels.
        together: Returns the number of frames that the decoder holds at once.
        computed: Returns the number of frames that it computes in all, including discarded ones.
        texts: Tokens that the text encoder reads, of all prompts together.
        texts_away: Tokens of the negative prompt, which is read only with guidance.
        text_share: Share of the text encoder on the device with block offload: two blocks and the embedding table.
        resident: Share of the transformer's weights on the device, by offload: two blocks and the other layers; two
            layers.
        kept: Returns the bytes of RAM for decoded frames that wait for others.
        passes: Returns the cost of each step of a window, as a share of a guided one; see `step_weights`.
        encoded: Returns the number of frames that are encoded of the photo.
        end: Additional latent frames of tokens in the last window of a video that ends with a known picture.
    """

    patch: int
    widths: float
    whole_widths: float
    decoder: float
    encoder: float
    decoder_channels: int
    decoder_operations: float
    encoder_operations: float
    together: Callable[[MemoryPlan], float]
    computed: Callable[[MemoryPlan], float]
    texts: int
    text_share: float
    resident: Mapping[Offload, float] = field(default_factory=dict)
    kept: Callable[[MemoryPlan], int] = lambda now: 0
    passes: Callable[[MemoryPlan], Sequence[float]] = lambda now: [1.0] * now.work.steps
    texts_away: int = 0
    encoded: Callable[[MemoryPlan], int] = lambda now: 1
    end: int = 0

    def forecast(self, now: MemoryPlan) -> Forecast:
        """Estimate the memory and time of a plan; see `Forecast`."""
        return build_forecast(now, self.peak, self.ram, self.seconds)

    def weights(self, now: MemoryPlan) -> dict[str, int]:
        """Return the bytes of each component's weights, by name. A large text encoder stays in 16-bit numbers."""
        size, model = number_bytes(now.dtype), now.model
        plain = (model.unet - model.packed_numbers) * size
        return {
            "text_encoder": model.text_encoder * (2 if model.text_encoder >= LARGE else size),
            "vae": model.vae * size,
            "transformer": int(model.unet * INT8) if model.int8 else model.packed_bytes + plain,
        }

    def tokens(self, now: MemoryPlan, end: bool = False) -> int:
        """Return the number of tokens of a window. end: the window ends with a known picture."""
        side = now.model.factor * self.patch
        return (windows(now).frames + self.end * end) * (now.width // side) * (now.height // side)

    def peak(self, now: MemoryPlan, stage: Stage) -> int:
        """Estimate the peak bytes of a stage on the computing device."""
        highest = self._highest(now, stage)
        if stage is Stage.DECODING:
            kept = self.kept(now) if now.device == "cpu" else 0
            return highest + tile_bytes(now, self.tile_side(now)) + beside_decoder(now) + kept
        return highest + (PROCESS if now.device == "cpu" else CONTEXT)

    def tile_side(self, now: MemoryPlan) -> int:
        """Return the side in pixels of the upscaler's largest tile that fits beside the decoder."""
        return largest_tile(now, self._highest(now, Stage.DECODING))

    def ram(self, now: MemoryPlan) -> int:
        """Estimate the bytes of RAM while a GPU computes: first the text encoder, then the rest."""
        parts, detail = self.weights(now), detail_bytes(now) + self.kept(now)
        text = parts.pop("text_encoder")
        if now.offload is Offload.NONE:
            return PROCESS + max(text, max(parts.values()) + detail)
        locked = int((PINNED - 1) * parts["transformer"]) if now.offload in self.resident else 0
        return PROCESS + max(text, sum(parts.values()) + locked + detail)

    def seconds(self, now: MemoryPlan) -> dict[Stage, float]:
        """Estimate the seconds of each stage, with the model not loaded and the prompt not encoded."""
        kind, speed = "cpu" if now.device == "cpu" else "cuda", operations_a_second(now)

        def step(end: bool) -> float:
            one = self.operations(now, end) / speed * SLOWER[now.offload]
            return max(one, LAUNCH) if kind == "cuda" else one

        pixels = self.computed(now) * now.width * now.height
        decode = self.decoder_operations * self._width(now) ** 2 * pixels / speed / DECODE_SPEED[kind]
        beside, alone = finish_seconds(now)
        text = 2 * now.model.text_encoder * (self.texts + self.texts_away * now.work.guided) / speed
        return {
            Stage.LOADING: STARTING[kind] + sum(self.weights(now).values()) / READING[kind] + text,
            Stage.CONDITIONING: BESIDE_ENCODER + self.encoding(now),
            Stage.SAMPLING: (step(False) * (windows(now).count - 1) + step(now.work.ends))
            * sum(self.step_weights(now)),
            **decoding_and_saving(now, decode, beside, alone, upscale_seconds(now, self.tile_side(now))),
        }

    def encoding(self, now: MemoryPlan) -> float:
        """Estimate the seconds in which the photo is encoded, with the frames that belong to it."""
        kind = "cpu" if now.device == "cpu" else "cuda"
        pixels = self.encoded(now) * now.width * now.height
        operations = self.encoder_operations * self._width(now) ** 2 * pixels
        return operations / operations_a_second(now) / DECODE_SPEED[kind]

    def step_weights(self, now: MemoryPlan) -> Sequence[float]:
        """Return the cost of each step, as a share of a full one."""
        return self.passes(now)

    def operations(self, now: MemoryPlan, end: bool = False) -> float:
        """Count the operations of a step: linear layers grow with the tokens, attention with their square.

        Quantised weights are expanded in each pass, and for each chunk of tokens.

        Args:
            now: The plan.
            end: The window ends with a known picture.
        """
        count, model = self.tokens(now, end), now.model
        times = -(-count * model.channels // PIECE) if in_pieces(now) else 1
        expansion = EXPANSION * model.packed_numbers * times
        return (2 * model.unet * count + 4 * model.attention * count**2 + expansion) * (2 if now.guided else 1)

    def _width(self, now: MemoryPlan) -> float:
        return now.model.vae_channels / self.decoder_channels

    def _activations(self, now: MemoryPlan, stage: Stage) -> float:
        pixels, number = now.width * now.height, number_bytes(now.dtype) / 2
        if stage is Stage.SAMPLING:
            model = now.model
            # One layer at a time in the numbers of its input.
            layer = 4 * model.channels**2 if model.int8 or model.packed_bytes else 0
            expanding = min(EXPANDING, 20 * layer) if model.packed_bytes else 0
            whole = self.tokens(now, now.work.ends) * model.channels
            held = whole * self.widths
            if in_pieces(now):
                held = min(held, whole * self.whole_widths + min(whole, PIECE) * self.widths)
            if now.work.effort.cached:  # the tokens before the blocks, and each branch's residual
                held += whole * (3 if now.guided else 2)
            return (held + layer) * 2 * number + expanding
        if stage is Stage.DECODING:
            return self.decoder * max(self._width(now), 0.2) * pixels * self.together(now) * number
        if stage is Stage.CONDITIONING:
            return self.encoder * max(self._width(now), 0.2) * pixels * number
        return 0.0

    def _highest(self, now: MemoryPlan, stage: Stage) -> int:
        """Estimate bytes of the weights on the device in this stage and of the activations beside them."""
        parts, working = self.weights(now), round(self._activations(now, stage) * SLACK)
        text = parts.pop("text_encoder")
        if stage is Stage.LOADING:
            if now.offload is Offload.NONE:
                return max(text, sum(parts.values()))
            return int(text * self.text_share)
        if now.offload is Offload.NONE:
            return sum(parts.values()) + working
        if stage is Stage.SAMPLING:
            # What is no block is not quantised, so that it is a larger share: it counts by itself.
            plain = parts["transformer"] - now.model.packed_bytes if now.model.packed_bytes else 0
            return int((parts["transformer"] - plain) * self.resident.get(now.offload, 1.0)) + plain + working
        return parts["vae"] + working
