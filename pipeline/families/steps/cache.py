"""Reuse a network's features in later steps of a window: what the caches of all families have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch

from .effort import Effort


class StepCache(ABC):
    """The features of one window's last whole step. They are released after the last step that needs them."""

    def __init__(self, effort: Effort, steps: int) -> None:
        """Define which steps are cached.

        Args:
            effort: Which steps are whole.
            steps: Steps of the window.
        """
        self._effort, self._steps = effort, steps
        self._kept: dict[str, torch.Tensor] = {}
        self._step = -1

    def run(self, network: Any, step: int, branch: str, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Compute the network as a whole or from cached features.

        Args:
            network: A diffusers model, with or without offload hooks.
            step: 0-based.
            branch: Guidance branch; each has its own features.
            *args: The network's positional arguments.
            **kwargs: The network's keyword arguments.
        """
        features = None if self._effort.whole(step, self._steps) else self._features(branch)
        last = self._effort.whole(step + 1, self._steps)
        if features is not None:
            with self._using(network, features):
                found = network(*args, return_dict=False, **kwargs)[0]
            if last:
                self._kept.pop(branch, None)
            return found
        if step != self._step:
            self._kept.clear()  # of all branches, before the first of them is computed
            self._step = step
        if last:
            return network(*args, return_dict=False, **kwargs)[0]
        with self._keeping(network, branch):
            return network(*args, return_dict=False, **kwargs)[0]

    @abstractmethod
    def _features(self, branch: str) -> torch.Tensor | None:
        """Return the cached features of a branch; None = compute the step as a whole."""

    @abstractmethod
    def _using(self, network: Any, features: torch.Tensor) -> AbstractContextManager[None]:
        """Make the network's forward pass use the features instead of computing them."""

    @abstractmethod
    def _keeping(self, network: Any, branch: str) -> AbstractContextManager[None]:
        """Cache the features of the network's next forward pass."""


@contextmanager
def override_attributes(attributes: dict[Any, dict[str, Any]]) -> Iterator[None]:
    """Set attributes of modules during the block that hide their submodules of the same name.

    The submodules stay registered, and those that are called are called normally: offload hooks bring their weights.
    """
    try:
        for module, values in attributes.items():
            vars(module).update(values)
        yield
    finally:
        for module, values in attributes.items():
            for name in values:
                vars(module).pop(name, None)
