"""Forward chunking: the same numbers in less memory, and as much less as the plan counts on."""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from diffusers.models.attention import FeedForward
from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel
from fanslymotion.pipeline.families.svd.cost import CHUNKED, PIECES, UNET_BYTES
from fanslymotion.pipeline.families.svd.feed_forward import set_pieces
from fanslymotion.pipeline.families.svd.model import LoadedModel
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Alive(TorchDispatchMode):
    """Bytes of the tensors that live at once, of those made while it is on. highest: the most so far."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.highest = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        given = {
            leaf.untyped_storage()._cdata for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)
        }
        for leaf in tree_leaves(found):
            if isinstance(leaf, torch.Tensor):
                storage = leaf.untyped_storage()
                key = storage._cdata
                if key not in self._known and key not in given:
                    self._known.add(key)
                    self.now += storage.nbytes()
                    weakref.finalize(storage, self._gone, key, storage.nbytes())
        self.highest = max(self.highest, self.now)
        return found

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


class FusedAttention(TorchFunctionMode):
    """Attention that holds no matrix of scores, as the kernels for graphics cards have it: only its sizes matter."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.nn.functional.scaled_dot_product_attention:
            return torch.empty_like(args[0])
        return func(*args, **(kwargs or {}))


def unet_pass(unet: Any, frames: int, height: int, width: int, batch: int = 1) -> torch.Tensor:
    """One pass over random latents of that size."""
    first = next(unet.parameters())
    noise = torch.Generator().manual_seed(3)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=noise).to(first.device, first.dtype)

    with torch.no_grad():
        return unet(
            draw(batch, frames, unet.config.in_channels, height, width),
            torch.tensor(0.7, device=first.device),
            encoder_hidden_states=draw(batch, 1, unet.config.cross_attention_dim),
            added_time_ids=draw(batch, 3),
            return_dict=False,
        )[0]


@contextmanager
def chunked(loaded: LoadedModel, numbers: int) -> Iterator[None]:
    loaded.chunk_forward(numbers)
    try:
        yield
    finally:
        loaded.chunk_forward(None)


@pytest.mark.parametrize("numbers", [1, 1000, 4000, 10**9])
def test_pieces_give_what_the_whole_gives(loaded: LoadedModel, numbers: int) -> None:
    whole = unet_pass(loaded.unet, 3, 4, 8, batch=2)
    with chunked(loaded, numbers):
        pieces = unet_pass(loaded.unet, 3, 4, 8, batch=2)
    assert (pieces - whole).abs().max() <= 1e-5
    assert torch.equal(unet_pass(loaded.unet, 3, 4, 8, batch=2), whole)


def test_pieces_are_few_equal_and_no_larger_than_asked_for() -> None:
    layer = FeedForward(8, dim_out=6, activation_fn="geglu")
    sizes: list[int] = []
    layer.net[0].register_forward_pre_hook(lambda module, args: sizes.append(args[0].numel()))
    set_pieces(layer, 8 * 30)
    tokens = torch.randn(4, 25, 8)
    with torch.no_grad():
        found = layer(tokens)
        assert found.shape == (4, 25, 6)
        assert sizes == [8 * 25] * 4
        set_pieces(layer, None)
        assert torch.allclose(found, layer(tokens), atol=1e-6)


def full_size() -> Any:
    """SVD-XT's UNet without its weights."""
    attention: Any = "CrossAttn{}BlockSpatioTemporal"
    with torch.device("meta"):
        return (
            UNetSpatioTemporalConditionModel(
                down_block_types=(attention.format("Down"),) * 3 + ("DownBlockSpatioTemporal",),
                up_block_types=("UpBlockSpatioTemporal",) + (attention.format("Up"),) * 3,
                num_attention_heads=(5, 10, 20, 20),
                num_frames=25,
            )
            .half()
            .to("meta")
        )


@pytest.mark.soak
def test_memory_falls_as_the_plan_says() -> None:
    """Counted on the full-size architecture, which computes nothing here: bytes a pixel, frame and branch."""
    unet, frames, height, width = full_size(), 25, 72, 128
    pixels = frames * height * width * 64
    found = []
    for numbers in (None, -(-frames * height * width * 320 // PIECES)):
        set_pieces(unet, numbers)
        with FusedAttention(), Alive() as alive:
            unet_pass(unet, frames, height, width)
        found.append(alive.highest / pixels)
    assert found[0] == pytest.approx(UNET_BYTES, rel=0.06)
    assert found[1] == pytest.approx(UNET_BYTES * CHUNKED, rel=0.06)
