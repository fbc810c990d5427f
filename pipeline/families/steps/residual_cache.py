"""Reuse a video transformer's residual in later steps, as MagCache does (arXiv 2506.09045).

The residual is what the transformer's blocks add to the tokens; it hardly changes between neighbouring noise levels. A
cached step computes only what precedes and follows the blocks, a hundredth of a step's operations.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

from .cache import StepCache, override_attributes
from .effort import Effort


class ResidualCache(StepCache):
    """The residuals of one window's last whole step, (1, tokens, width) for each branch."""

    def __init__(self, effort: Effort, steps: int, blocks: str) -> None:
        """Say which steps are cached.

        Args:
            effort: Which steps are whole.
            steps: Of the window.
            blocks: The transformer's attribute that holds its blocks.
        """
        super().__init__(effort, steps)
        self._blocks = blocks

    def _features(self, branch: str) -> torch.Tensor | None:
        """See `StepCache`. Nothing is kept if another transformer takes over: its first step is a whole one."""
        return self._kept.get(branch)

    @contextmanager
    def _using(self, network: Any, features: torch.Tensor) -> Iterator[None]:
        with override_attributes({network: {self._blocks: [partial(_added, features)]}}):
            yield

    @contextmanager
    def _keeping(self, network: Any, branch: str) -> Iterator[None]:
        before: list[torch.Tensor] = []

        def begin(hidden_states: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
            before.append(hidden_states)
            return hidden_states

        def end(hidden_states: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
            self._kept[branch] = hidden_states - before.pop()
            return hidden_states

        # Beside the blocks, not as hooks on them: a compiled block is compiled with its hooks.
        with override_attributes({network: {self._blocks: [begin, *getattr(network, self._blocks), end]}}):
            yield


def _added(residual: torch.Tensor, hidden_states: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
    return hidden_states + residual
