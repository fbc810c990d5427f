"""Hold two transformers that take turns: one of them at most is on the computing device."""

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ...hardware.malloc import free_memory
from ..placement import Placement
from ..weights.offload import HOOKED, Masters, hook

log = logging.getLogger(__name__)


class Experts:
    """Reads each transformer from the disk when its turn comes first: a resumed job reads the one that it needs.

    Attributes:
        both: The one whose turn is over stays in RAM. Otherwise it goes before the other one is read.
        in_pieces: Their blocks are computed in pieces.
    """

    def __init__(self, read: Callable[[str], nn.Module], placement: Placement) -> None:
        """Hold none yet.

        Args:
            read: Reads one, by its name.
            placement: Where and how they compute.
        """
        self.both, self.in_pieces = True, False
        self._read, self._placement = read, placement
        self._here: dict[str, nn.Module] = {}
        self._numbers: dict[str, list[Any]] = {}
        self._masters = Masters()
        self._on_device = ""

    @property
    def here(self) -> tuple[str, ...]:
        """Names of those in memory."""
        return tuple(self._here)

    def bring(self, name: str) -> nn.Module:
        """Return one where it computes, read if it is not in memory.

        Raises:
            ModelError: Its files are missing or damaged.
        """
        if name not in self._here:
            if not self.both:
                self.release()
            self.leave()
            self._take(name)
        component = self._here[name]
        if self._hooked or next(component.parameters()).device.type == self._placement.device.type:
            return component
        self.leave()
        self._masters.fetch(name, component, self._placement.device)
        self._on_device = name
        return component

    def leave(self) -> None:
        """Make room on the device for another component."""
        if self._on_device:
            self._masters.drop(self._on_device)
            self._on_device = ""
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def release(self) -> None:
        """Let go of all."""
        if self._here:
            self._masters, self._on_device = Masters(), ""
            self._here.clear()
            self._numbers.clear()
            free_memory()

    @property
    def whole(self) -> bool:
        """Whether each is on one device, in the numbers that it was read in; see `Components.whole`."""
        for name, component in self._here.items():
            tensors = list(component.parameters())
            if len({tensor.device.type for tensor in tensors}) > 1:
                return False
            if [tensor.dtype for tensor in tensors] != self._numbers[name]:
                return False
        return True

    @property
    def _hooked(self) -> bool:
        return self._placement.offload in HOOKED

    def _take(self, name: str) -> None:
        log.info("Reading %s from the disk", name)
        component = self._read(name)
        if self._hooked:
            hook(component, self._placement.device, self._placement.offload)
        self._here[name] = component
        self._numbers[name] = [tensor.dtype for tensor in component.parameters()]
