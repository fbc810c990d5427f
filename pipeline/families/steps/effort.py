"""Define which steps of a sampling run are computed only in part. Without torch."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ....presets import Reuse
from .reuse import whole_steps

WHOLE_AT_THE_ENDS = 2
"""Steps at either end of a window that compute the whole network, where the picture forms and where it is finished."""


@dataclass(frozen=True)
class Effort:
    """How much of each step is computed. Decided by noise level and step number alone, so that a resumed job agrees.

    Attributes:
        guidance_above: Guidance is on while the noise level σ is above this; 0 = at every step.
        full_every: The whole network is computed at every n-th step; steps between reuse features of the last whole
            one. 1 = at every step.
        reuse: Decides instead of `full_every` which steps reuse features; None = it does not.
    """

    guidance_above: float = 0.0
    full_every: int = 1
    reuse: Reuse | None = None

    @property
    def cached(self) -> bool:
        """Whether steps reuse features."""
        return self.full_every > 1 or self.reuse is not None

    def whole(self, step: int, steps: int) -> bool:
        """Tell whether a step computes the whole network.

        Args:
            step: 0-based.
            steps: Steps of the window.
        """
        if step < WHOLE_AT_THE_ENDS or step >= steps - WHOLE_AT_THE_ENDS:
            return True
        return step % self.full_every == 0 if self.reuse is None else whole_steps(self.reuse, steps)[step]

    def telling_steps(self, sigmas: Sequence[float]) -> list[int]:
        """Return steps of a window that together, in this order, include every kind of computation of its steps.

        A step that reuses features is preceded by the whole step that computes them.

        Args:
            sigmas: Noise level of each step.
        """
        found: list[int] = []
        seen: set[tuple[bool, bool]] = set()
        for step, sigma in enumerate(sigmas):
            whole = self.whole(step, len(sigmas))
            kind = (whole, sigma > self.guidance_above)
            if kind in seen:
                continue
            seen.add(kind)
            giver = step if whole else max(before for before in range(step) if self.whole(before, len(sigmas)))
            found += [one for one in dict.fromkeys((giver, step)) if found[-1:] != [one]]
        return found

    def resumable(self, done: int, steps: int) -> bool:
        """Tell whether the steps after the first `done` ones need no features of those before."""
        return done >= steps or self.whole(done, steps)

    def record(self) -> dict[str, Any]:
        """Return it for JSON, without unset newer fields."""
        found = asdict(self)
        if self.reuse is None:
            del found["reuse"]  # as in the records of versions that knew no such rule
        return found


EVERYTHING = Effort()
"""Nothing is left out."""
