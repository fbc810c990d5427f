"""Use features of a network for more than one step of a window: what the caches of all families have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch

from .effort import Effort


class StepCache(ABC):
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

    def run(self, network: Any, step: int, branch: str, *given: Any, **words: Any) -> torch.Tensor:
        """Compute the network, as a whole or on the features of the last whole step.

        Args:
            network: A model of diffusers, with or without offload hooks.
            step: 0-based.
            branch: Of the guidance; each has features of its own.
            *given: As the network takes it.
            **words: As the network takes it.
        """
        features = None if self._effort.whole(step, self._steps) else self._features(branch)
        last = self._effort.whole(step + 1, self._steps)
        if features is not None:
            with self._using(network, features):
                found = network(*given, return_dict=False, **words)[0]
            if last:
                self._kept.pop(branch, None)
            return found
        if step != self._step:
            self._kept.clear()  # of all branches, before the first of them is computed
            self._step = step
        if last:
            return network(*given, return_dict=False, **words)[0]
        with self._keeping(network, branch):
            return network(*given, return_dict=False, **words)[0]

    @abstractmethod
    def _features(self, branch: str) -> torch.Tensor | None:
        """Return what is kept for a branch; None = the step is to be computed as a whole."""

    @abstractmethod
    def _using(self, network: Any, features: torch.Tensor) -> AbstractContextManager[None]:
        """Have the network's own forward pass leave out what gave the features."""

    @abstractmethod
    def _keeping(self, network: Any, branch: str) -> AbstractContextManager[None]:
        """Keep the features of the network's next forward pass."""


@contextmanager
def override_attributes(attributes: dict[Any, dict[str, Any]]) -> Iterator[None]:
    """Give modules, within the body, attributes that hide their submodules of the same name.

    The submodules stay as they are, and those that are called are called as always: offload hooks bring their weights.
    """
    try:
        for module, values in attributes.items():
            vars(module).update(values)
        yield
    finally:
        for module, values in attributes.items():
            for name in values:
                vars(module).pop(name, None)
