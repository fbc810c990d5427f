"""Hold the components of a loaded model, and bring each to where it computes."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch

from ..base import ModelFolder, Offload
from ..placement import Placement
from .compiling import CompiledBlocks
from .offload import CPU, HOOKED, Masters, hook


@dataclass
class Components:
    """What all `VideoModel`s share. A subclass is a dataclass with a field for each of `names`.

    Attributes:
        names: Of the components with weights.
        denoiser_name: The one of them that offload hooks may move block by block or layer by layer.
        model: The folder they were read from.
        fingerprint: Of the folder's files.
        placement: Where and how they compute.
        compiled: Their blocks as they were compiled; None while they compute as they were loaded.
    """

    names: ClassVar[tuple[str, ...]]
    denoiser_name: ClassVar[str]

    model: ModelFolder
    fingerprint: str
    placement: Placement
    compiled: CompiledBlocks | None = field(default=None, init=False, repr=False)
    _masters: Masters = field(default_factory=Masters, init=False, repr=False)

    def __post_init__(self) -> None:
        self._loaded_as = _numbers(self._tensors())

    @property
    def device(self) -> torch.device:
        """Where they compute."""
        return self.placement.device

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights and activations."""
        return self.placement.dtype

    def bring(self, part: str) -> Any:
        """Move a component to where it computes and return it. With offload, the others make room for it first.

        Args:
            part: One of `names`.
        """
        if self.placement.offload is not Offload.NONE:
            for name in self.names:
                if name != part:
                    self._move(name, CPU)
            self._move(part, self.device)
        return getattr(self, part)

    def _move(self, part: str, device: torch.device) -> None:
        if part == self.denoiser_name and self.placement.offload in HOOKED:
            return  # its hooks move it
        component = getattr(self, part)
        if component.device.type == device.type:
            return
        if device.type == "cpu":
            self._masters.drop(part)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        else:
            self._masters.fetch(part, component, device)

    @property
    def whole(self) -> bool:
        """Whether each component is on one device as a whole, in the numbers that it was loaded in.

        `.to()` moves and casts tensor by tensor: memory that runs out on the way leaves the rest where it was.
        """
        found = self._tensors()  # once: to walk through a model takes longer than all the rest
        on_one_device = all(len({tensor.device.type for tensor in tensors}) == 1 for tensors in found)
        return on_one_device and _numbers(found) == self._loaded_as

    def _tensors(self) -> list[list[torch.Tensor]]:
        return [list(getattr(self, name).parameters()) for name in self.names]


def _numbers(components: list[list[torch.Tensor]]) -> list[torch.dtype]:
    return [tensor.dtype for tensors in components for tensor in tensors]


def placed(component: Any, placement: Placement, denoiser: bool = False) -> Any:
    """Put a component on the device, or where it waits: `Components.bring` fetches it from there.

    Args:
        component: As it was read.
        placement: Where and how it computes.
        denoiser: It may be offloaded by blocks or layers.
    """
    if placement.offload is Offload.NONE:
        return component.to(placement.device)
    if denoiser and placement.offload in HOOKED:
        hook(component, placement.device, placement.offload)
    return component
