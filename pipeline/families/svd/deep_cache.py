"""Use deep features of the UNet for more than one step: DeepCache (arXiv 2312.00858) for the spatio-temporal UNet.

Between two neighbouring noise levels the deep layers give nearly the same. A cached step computes the layers of the
highest resolution alone, on what came from below in the last whole step: 31 % of a step's time on an H100
(bench/RESULTS.md). These are the layers of the authors' branch 0 for Stable Video Diffusion.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ..effort import Effort

DEPTH = 2
"""Layers of the last up block that a cached step computes; the first of them takes the features from below."""


class DeepCache:
    """The features of one window's last whole step. They are let go of with the last step that needs them."""

    def __init__(self, effort: Effort, steps: int) -> None:
        """Say which steps are cached.

        Args:
            effort: Which steps are whole.
            steps: Of the window.
        """
        self._effort, self._steps = effort, steps
        self._kept: dict[str, torch.Tensor] = {}
        self._step = -1

    def run(self, unet: Any, step: int, branch: str, sample: torch.Tensor, timestep: Any, **words: Any) -> torch.Tensor:
        """Compute the UNet, as a whole or on the features of the last whole step.

        Args:
            unet: UNetSpatioTemporalConditionModel, with or without offload hooks.
            step: 0-based.
            branch: Of the guidance: `without` the photo, `given` it, or `both` in one batch, in this order.
            sample: As the UNet takes it.
            timestep: As the UNet takes it.
            **words: The UNet's other arguments.
        """
        if not self._effort.whole(step, self._steps):
            with _only_the_uppermost(unet, self._features(branch)):
                found = unet(sample, timestep, return_dict=False, **words)[0]
            if self._effort.whole(step + 1, self._steps):
                self._kept.pop(branch, None)
            return found
        if step != self._step:
            self._kept.clear()  # of both branches, before the first of them is computed
            self._step = step
        if self._effort.whole(step + 1, self._steps):
            return unet(sample, timestep, return_dict=False, **words)[0]
        with self._keeping(unet, branch):
            return unet(sample, timestep, return_dict=False, **words)[0]

    def _features(self, branch: str) -> torch.Tensor:
        """Of a guided step an unguided one takes the half with the photo."""
        if branch not in self._kept and branch == "given" and "both" in self._kept:
            self._kept = {"given": self._kept["both"].chunk(2)[1].clone()}
        if branch not in self._kept:
            raise RuntimeError(f"there are no features of {branch!r}: sampling must be resumed before a whole step")
        return self._kept[branch]

    @contextmanager
    def _keeping(self, unet: Any, branch: str) -> Iterator[None]:
        skipped = unet.config.block_out_channels[0]

        def keep(given: torch.Tensor) -> None:
            # The layer is given what comes from below and, behind it, what was skipped. In its layout: a compiled layer
            # would be compiled again for another.
            last = given.is_contiguous(memory_format=torch.channels_last) and not given.is_contiguous()
            layout = torch.channels_last if last else torch.contiguous_format
            self._kept[branch] = given[:, :-skipped].contiguous(memory_format=layout)

        up = unet.up_blocks[-1]
        layers = list(up.resnets)
        taker = layers[-DEPTH]

        def call(*given: Any, **words: Any) -> Any:
            keep(given[0])
            return taker(*given, **words)

        # In the layer's place, not as a hook on it: a compiled layer is compiled with its hooks.
        layers[-DEPTH] = call
        with _shown({up: {"resnets": layers}}):
            yield


@contextmanager
def _only_the_uppermost(unet: Any, features: torch.Tensor) -> Iterator[None]:
    """Have the UNet's own forward pass over all layers below the uppermost ones, and give `features` in their place.

    An attribute of a module goes before the submodule of that name. The modules themselves stay as they are, and are
    called as always: offload hooks bring their weights.
    """
    down, up = unet.down_blocks[0], unet.up_blocks[-1]
    shown = {
        unet: {"down_blocks": [down], "mid_block": lambda **_: features, "up_blocks": [up]},
        down: {"resnets": down.resnets[: DEPTH - 1], "downsamplers": None},
        up: {"resnets": up.resnets[-DEPTH:]},
    }
    for block, part in ((down, slice(DEPTH - 1)), (up, slice(-DEPTH, None))):
        if hasattr(block, "attentions"):
            shown[block]["attentions"] = block.attentions[part]
    with _shown(shown):
        yield


@contextmanager
def _shown(attributes: dict[Any, dict[str, Any]]) -> Iterator[None]:
    """Give modules attributes that go before their submodules."""
    try:
        for module, values in attributes.items():
            vars(module).update(values)
        yield
    finally:
        for module, values in attributes.items():
            for name in values:
                vars(module).pop(name, None)
