"""Ways to compute the same UNet faster, each put on for a `with` block and taken off again."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from fanslymotion.pipeline.families.svd.feed_forward import set_pieces
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


@contextmanager
def attention_order(_: Any, backends: list[SDPBackend] = CUDNN) -> Iterator[None]:
    """Prefer cuDNN's attention to flash and the others, or what is given."""
    with sdpa_kernel(backends, set_priority=True):
        yield


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
    """Let cuDNN try its algorithms and keep the fastest: another run may keep another."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def chunked(numbers: int) -> Patch:
    """Feed-forward layers by pieces of so many numbers."""

    @contextmanager
    def patch(network: nn.Module) -> Iterator[None]:
        set_pieces(network, numbers)
        try:
            yield
        finally:
            set_pieces(network, None)

    return patch


@contextmanager
def together(network: nn.Module, patches: tuple[Patch, ...]) -> Iterator[None]:
    with ExitStack() as stack:
        for patch in patches:
            stack.enter_context(patch(network))
        yield
