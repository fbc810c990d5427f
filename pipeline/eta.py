"""Estimate how far a job is and how long it still takes, from its own times and from what was forecast."""

import time
from collections.abc import Callable

from .hardware.measurements import Figure
from .progress import Stage

GUESSES = {
    Stage.LOADING: 6.0,
    Stage.CONDITIONING: 1.0,
    Stage.SAMPLING: 0.5,
    Stage.DECODING: 0.1,
    Stage.SAVING: 0.5,
}
"""Seconds per unit before anything was measured: good enough for a bar, not for a time left."""

NEWEST = 0.3
"""Weight of the newest unit in the running mean, so that the estimate follows a GPU that slows down."""


class JobClock:
    """Turns finished units into a share (0..1) and the seconds left. Waiting in the queue is not part of it.

    units: for each stage how many there are (denoising steps, frames; 1 where a stage is one thing).
    known: seconds per unit as forecast, by stage.
    peak: gives the bytes allocated at the highest point since it was last called, 0 where they are not counted.
    """

    def __init__(
        self,
        units: dict[Stage, float],
        known: dict[Stage, float] | None = None,
        now: Callable[[], float] = time.monotonic,
        peak: Callable[[], int] = lambda: 0,
    ) -> None:
        self.units = units
        self.known = dict(known or {})
        self.now = now
        self.seconds: dict[Stage, float] = {}
        """Computing time by stage."""
        self.rates: dict[Stage, float] = {}
        """Measured seconds per unit, in this job."""
        self.peaks: dict[Stage, int] = {}
        """Bytes allocated at each stage's highest point."""
        self._peak = peak
        self._covered: dict[Stage, float] = {}
        self._stage: Stage | None = None
        self._left = dict(units)
        self._began = self._mark = now()
        self._share = 0.0

    def enter(self, stage: Stage, done: float = 0.0) -> None:
        """Begin a stage of which `done` units exist already (a resumed job)."""
        self.leave()
        self._stage = stage
        self._began = self._mark = self.now()
        self._left[stage] = self.units[stage] - done
        self._covered[stage] = self._left[stage]
        self._peak()

    def done(self, units: float) -> None:
        """So many units of the current stage are finished, counted from its beginning."""
        stage = self._stage
        assert stage is not None
        fresh = units - (self.units[stage] - self._left[stage])
        if fresh <= 0:
            return
        now = self.now()
        rate = (now - self._mark) / fresh
        old = self.rates.get(stage)
        self.rates[stage] = rate if old is None else old + NEWEST * (rate - old)
        self._mark = now
        self._left[stage] -= fresh

    def leave(self) -> None:
        """End the current stage."""
        if self._stage is None:
            return
        spent = self.now() - self._began
        self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + spent
        self.peaks[self._stage] = self._peak()
        self._left[self._stage] = 0.0
        self._stage = None

    def skip(self, stage: Stage) -> None:
        """A stage whose result is there already."""
        self._left[stage] = 0.0

    def figures(self) -> dict[Stage, Figure]:
        """Return what the stages took that this attempt has ended and done at least half of itself."""
        return {
            stage: Figure(seconds=spent / self._covered[stage], peak=self.peaks[stage])
            for stage, spent in self.seconds.items()
            if spent > 0 and self._covered[stage] >= self.units[stage] / 2
        }

    @property
    def share(self) -> float:
        """Of the whole job, by time. Never falls."""
        whole = sum(self._rate(stage) * count for stage, count in self.units.items())
        left = self._remaining()
        if whole > 0:
            self._share = max(self._share, min(1.0, 1 - left / whole))
        return self._share

    @property
    def eta(self) -> float | None:
        """Seconds left, None while the pace of the current stage, or of the sampling that takes longest, is unknown."""
        needed = {self._stage, Stage.SAMPLING} if self._left[Stage.SAMPLING] > 0 else {self._stage}
        if any(stage and stage not in self.rates and stage not in self.known for stage in needed):
            return None
        return self._remaining()

    def _remaining(self) -> float:
        left = sum(self._rate(stage) * count for stage, count in self._left.items())
        if self._stage is not None and self._left[self._stage] > 0:
            # Within a unit: time that passed since the last one, but never more than most of a unit.
            rate = self._rate(self._stage)
            left -= min(self.now() - self._mark, 0.95 * rate * min(1.0, self._left[self._stage]))
        return max(0.0, left)

    def _rate(self, stage: Stage) -> float:
        return self.rates.get(stage, self.known.get(stage, GUESSES[stage]))
