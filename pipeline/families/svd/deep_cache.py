"""Use deep features of the UNet for more than one step: DeepCache (arXiv 2312.00858) for the spatio-temporal UNet.

Between two neighbouring noise levels the deep layers give nearly the same. A cached step computes the layers of the
highest resolution alone, on what came from below in the last whole step: 31 % of a step's time on an H100
(bench/RESULTS.md). These are the layers of the authors' branch 0 for Stable Video Diffusion.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ..steps.cache import StepCache, shown

DEPTH = 2
"""Layers of the last up block that a cached step computes; the first of them takes the features from below."""


class DeepCache(StepCache):
    """The features of the UNet's deep layers. Branches of the guidance: `without` the photo, `given` it, or `both`.

    `both` are computed in one batch, in this order.
    """

    def _features(self, branch: str) -> torch.Tensor:
        """See `StepCache`. After a guided whole step, an unguided one takes the half with the photo."""
        if branch not in self._kept and branch == "given" and "both" in self._kept:
            self._kept = {"given": self._kept["both"].chunk(2)[1].clone()}
        if branch not in self._kept:
            raise RuntimeError(f"there are no features of {branch!r}: sampling must be resumed before a whole step")
        return self._kept[branch]

    @contextmanager
    def _using(self, network: Any, features: torch.Tensor) -> Iterator[None]:
        with _only_the_uppermost(network, features):
            yield

    @contextmanager
    def _keeping(self, network: Any, branch: str) -> Iterator[None]:
        skipped = network.config.block_out_channels[0]

        def keep(given: torch.Tensor) -> None:
            # The layer is given what comes from below and, behind it, what was skipped. In its layout: a compiled layer
            # would be compiled again for another.
            last = given.is_contiguous(memory_format=torch.channels_last) and not given.is_contiguous()
            layout = torch.channels_last if last else torch.contiguous_format
            self._kept[branch] = given[:, :-skipped].contiguous(memory_format=layout)

        up = network.up_blocks[-1]
        layers = list(up.resnets)
        taker = layers[-DEPTH]

        def call(*given: Any, **words: Any) -> Any:
            keep(given[0])
            return taker(*given, **words)

        # In the layer's place, not as a hook on it: a compiled layer is compiled with its hooks.
        layers[-DEPTH] = call
        with shown({up: {"resnets": layers}}):
            yield


@contextmanager
def _only_the_uppermost(unet: Any, features: torch.Tensor) -> Iterator[None]:
    """Have the UNet's own forward pass over all layers below the uppermost ones, and give `features` in their place."""
    down, up = unet.down_blocks[0], unet.up_blocks[-1]
    attributes: dict[Any, dict[str, Any]] = {
        unet: {"down_blocks": [down], "mid_block": lambda **_: features, "up_blocks": [up]},
        down: {"resnets": down.resnets[: DEPTH - 1], "downsamplers": None},
        up: {"resnets": up.resnets[-DEPTH:]},
    }
    for block, part in ((down, slice(DEPTH - 1)), (up, slice(-DEPTH, None))):
        if hasattr(block, "attentions"):
            attributes[block]["attentions"] = block.attentions[part]
    with shown(attributes):
        yield
