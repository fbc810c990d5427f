"""Offload weights to RAM until they are needed: parts of the denoiser, or whole components."""

import logging
from typing import Any

import torch
from torch import nn

from ...hardware.oom import is_oom
from ..base import Offload

log = logging.getLogger(__name__)

CPU = torch.device("cpu")
HOOKED = (Offload.GROUP, Offload.SEQUENTIAL)
"""Those in which hooks bring the denoiser's weights while it computes; the other components are moved whole."""

_PARTS: dict[Offload, dict[str, Any]] = {
    Offload.GROUP: {"offload_type": "block_level", "num_blocks_per_group": 1},
    Offload.SEQUENTIAL: {"offload_type": "leaf_level"},
}


def hook(denoiser: Any, device: torch.device, offload: Offload, streams: bool = True) -> None:
    """Put diffusers' offload hooks on: `device` gets the weights of a block or layer while the one before it computes.

    On CUDA a second stream brings them from page-locked memory, and they are dropped there instead of copied back:
    4.7 → 1.5 s a step by blocks, 13.7 → 1.8 s by layers, much of it other things (bench/RESULTS.md, H100).
    Without CUDA, and with `streams` off, there are none.
    """
    from diffusers.hooks.group_offloading import apply_group_offloading

    streams = streams and device.type == "cuda" and lock_pages(denoiser)
    # Without `record_stream`: then each part waits until the one before it has computed. That is the only brake on the
    # copies, which on a slow card would else pile up all the weights.
    apply_group_offloading(denoiser, device, CPU, use_stream=streams, **_PARTS[offload])


def lock_pages(component: Any) -> bool:
    """Move the weights to page-locked memory, one after the other. Return whether the system had it for all of them.

    diffusers would do it by itself for whole groups, with both copies in RAM meanwhile.
    """
    try:
        for tensor in (*component.parameters(), *component.buffers()):
            tensor.data = tensor.data.pin_memory()
    except RuntimeError as e:
        if not is_oom(e):
            raise
        log.warning("The system has no page-locked memory for the model (%s): weights are brought more slowly.", e)
        return False
    return True


Slot = tuple[dict[str, Any], str, torch.Tensor]
"""A module's parameters or buffers, the name of one, and its values in RAM."""


class Masters:
    """Keeps the weights of components in RAM while a copy of them is on the device. One for each loaded model."""

    def __init__(self) -> None:
        self._kept: dict[str, list[Slot]] = {}

    def fetch(self, name: str, component: nn.Module, device: torch.device) -> None:
        """Copy the component `name` to the device. When memory runs out on the way, it is in RAM as before."""
        self._kept[name] = [
            (owner, key, value.detach())
            for module in component.modules()
            for owner in (module._parameters, module._buffers)
            for key, value in owner.items()
            if value is not None
        ]
        try:
            component.to(device)
        except BaseException:
            self.drop(name)
            raise

    def drop(self, name: str) -> None:
        """Let go of the copy on the device: weights never change, so nothing is copied back."""
        for owner, key, value in self._kept.pop(name, ()):
            is_parameter = isinstance(owner[key], nn.Parameter)
            owner[key] = nn.Parameter(value, requires_grad=False) if is_parameter else value
