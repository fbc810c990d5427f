"""Ways to compute the same UNet faster, each put on for a `with` block and taken off again."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

Patch = Callable[[Any], Any]
"""Called with the UNet (or another network), returns a context manager."""

CUDNN = [
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.MATH,
]


class OneToken(nn.Module):
    """Cross-attention over a single token: its softmax is 1, so the result does not depend on the query."""

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.to_v, self.to_out = attention.to_v, attention.to_out[0]

    def forward(self, hidden_states: torch.Tensor, encoder_hidden_states: Any = None, **_: Any) -> torch.Tensor:
        """(batch, 1, width); the caller adds it to every position."""
        return self.to_out(self.to_v(encoder_hidden_states))


@contextmanager
def folded(network: nn.Module) -> Iterator[None]:
    """Cross-attention over the one CLIP token as the constant that it is."""
    blocks: list[Any] = [m for m in network.modules() if getattr(m, "attn2", None) is not None]
    old = [(block, block.attn2, block.norm2) for block in blocks]
    try:
        for block in blocks:
            block.attn2, block.norm2 = OneToken(block.attn2), nn.Identity()
        yield
    finally:
        for block, attention, norm in old:
            block.attn2, block.norm2 = attention, norm


class PlainAttention:
    """diffusers' AttnProcessor2_0 for what this UNet asks of it, without the division by 1.0."""

    def __call__(
        self, attn: Any, hidden_states: Any, encoder_hidden_states: Any = None, attention_mask: Any = None, **_: Any
    ) -> torch.Tensor:
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states

        def heads(x: torch.Tensor) -> torch.Tensor:
            return x.unflatten(-1, (attn.heads, -1)).transpose(1, 2)

        query, key, value = heads(attn.to_q(hidden_states)), heads(attn.to_k(context)), heads(attn.to_v(context))
        attended = F.scaled_dot_product_attention(query, key, value)
        return attn.to_out[0](attended.transpose(1, 2).flatten(2))


@contextmanager
def lean(network: nn.Module) -> Iterator[None]:
    """One lerp where diffusers blends with two products and a sum, and no division by 1.0 after attention."""
    mixers: list[Any] = [m for m in network.modules() if type(m).__name__ == "AlphaBlender"]
    attentions: list[Any] = [
        m
        for m in network.modules()
        if type(m).__name__ == "Attention" and m.group_norm is None and m.rescale_output_factor == 1.0
    ]
    old = [(attention, attention.processor) for attention in attentions]
    try:
        for mixer in mixers:
            mixer.forward = _lerp(mixer)
        for attention in attentions:
            attention.processor = PlainAttention()
        yield
    finally:
        for mixer in mixers:
            mixer.__dict__.pop("forward", None)
        for attention, processor in old:
            attention.processor = processor


def _lerp(mixer: Any) -> Callable[..., torch.Tensor]:
    spatial = float(torch.sigmoid(mixer.mix_factor.detach().float().cpu())[0])
    temporal = spatial if mixer.switch_spatial_to_temporal_mix else 1.0 - spatial

    def forward(x_spatial: torch.Tensor, x_temporal: torch.Tensor, image_only_indicator: Any = None) -> torch.Tensor:
        return torch.lerp(x_spatial, x_temporal, temporal)

    return forward


@contextmanager
def attention_order(_: Any, backends: list[SDPBackend] = CUDNN) -> Iterator[None]:
    """cuDNN's attention before flash and the others, or what is given."""
    with sdpa_kernel(backends, set_priority=True):
        yield


class CudnnFirst:
    """An attention's processor, with cuDNN's kernel before the others."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __call__(
        self, attn: Any, hidden_states: Any, encoder_hidden_states: Any = None, attention_mask: Any = None, **more: Any
    ) -> torch.Tensor:
        with sdpa_kernel(CUDNN, set_priority=True):
            return self._inner(attn, hidden_states, encoder_hidden_states, attention_mask, **more)


@contextmanager
def spatial_cudnn(network: nn.Module) -> Iterator[None]:
    """cuDNN's attention within frames only: over time there are more sequences than some kernels take."""
    attentions: list[Any] = [m.attn1 for m in network.modules() if type(m).__name__ == "BasicTransformerBlock"]
    old = [(attention, attention.processor) for attention in attentions]
    try:
        for attention, processor in old:
            attention.processor = CudnnFirst(processor)
        yield
    finally:
        for attention, processor in old:
            attention.processor = processor


@contextmanager
def channels_last(network: nn.Module) -> Iterator[None]:
    """Convolution weights with the channels last in memory; activations follow."""
    _lay_out(network, torch.channels_last, torch.channels_last_3d)
    try:
        yield
    finally:
        _lay_out(network, torch.contiguous_format, torch.contiguous_format)


def _lay_out(network: nn.Module, flat: torch.memory_format, deep: torch.memory_format) -> None:
    for value in network.parameters():
        if value.ndim in (4, 5):
            value.data = value.data.contiguous(memory_format=flat if value.ndim == 4 else deep)


@contextmanager
def fp16_sums(_: Any) -> Iterator[None]:
    """Matrix products that add up in 16 bits: twice the rate on GeForce, other numbers."""
    matmul = torch.backends.cuda.matmul
    before = matmul.allow_fp16_accumulation
    matmul.allow_fp16_accumulation = True
    try:
        yield
    finally:
        matmul.allow_fp16_accumulation = before


@contextmanager
def cudnn_search(_: Any) -> Iterator[None]:
    """cuDNN tries its algorithms and keeps the fastest: another run may keep another."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def chunked(size: int) -> Patch:
    """Feed-forward layers `size` frames at a time."""

    @contextmanager
    def patch(network: nn.Module) -> Iterator[None]:
        set_chunk(network, size)
        try:
            yield
        finally:
            set_chunk(network, None)

    return patch


def set_chunk(network: nn.Module, size: int | None) -> None:
    modules: list[Any] = [m for m in network.modules() if hasattr(m, "set_chunk_feed_forward")]
    for module in modules:
        module.set_chunk_feed_forward(chunk_size=size, dim=0)


def chunk_size(frames: int) -> int:
    """The largest divisor of the window up to 5."""
    return max(size for size in range(1, 6) if frames % size == 0)


@contextmanager
def together(network: nn.Module, patches: tuple[Patch, ...]) -> Iterator[None]:
    with ExitStack() as stack:
        for patch in patches:
            stack.enter_context(patch(network))
        yield


def exact(device: torch.device, dtype: torch.dtype, frames: int) -> tuple[Patch, ...]:
    """All that give the same picture within rounding, as far as this device can."""
    usable = (attention_order,) if cudnn_takes(device, dtype, (2 * 9216, 5, frames, 64)) else (spatial_cudnn,)
    if not cudnn_takes(device, dtype, (2 * frames, 5, 9216 if device.type == "cuda" else 64, 64)):
        usable = ()
    return (folded, lean, *usable)


def cudnn_takes(device: torch.device, dtype: torch.dtype, shape: tuple[int, ...]) -> bool:
    """Whether attention of that shape (batch, heads, tokens, width) works with cuDNN first, and agrees with others."""
    if device.type != "cuda":
        shape = (2, *shape[1:])
    query, key, value = (torch.randn(shape, device=device).to(dtype) for _ in range(3))
    try:
        with sdpa_kernel(CUDNN, set_priority=True):
            found = F.scaled_dot_product_attention(query, key, value)
        return bool((found - F.scaled_dot_product_attention(query, key, value)).abs().max() < 0.02)
    except RuntimeError:  # "no valid execution plans", or a limit of the kernel's grid
        return False
