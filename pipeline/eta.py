"""Estimate how much of a job is done and how long the rest takes, from its own times and the forecast."""

import time
from collections.abc import Callable, Mapping, Set

from .hardware.measurements import Figure
from .progress import Extrapolation, Stage

GUESSES = {
    Stage.LOADING: 6.0,
    Stage.CONDITIONING: 1.0,
    Stage.SAMPLING: 0.5,
    Stage.DECODING: 0.1,
    Stage.SAVING: 0.5,
}
"""Seconds per unit before anything was forecast: good enough for a bar, not for a time left."""

NEWEST = 0.3
"""Weight of the newest units in the running mean, so that the estimate follows a GPU that slows down."""

LEAST = 1e-6
"""Units that are rounding, not work: a rate of so few would be meaningless."""
SMALL = 0.1
"""Share of the time left that may belong to stages which were never measured."""
SLOWEST, QUICKEST = 4.0, 0.7
"""How far a job's sampling corrects the forecast of its later stages."""


class JobClock:
    """Convert finished units into a share (0..1) and the seconds left. Time in the queue does not count.

    Args:
        units: Number of units of each stage: denoising steps, frames; 1 for a stage without parts.
        known: Forecast seconds per unit, by stage.
        now: Returns seconds.
        peak: Returns the peak of allocated bytes since its last call; 0 if they are not counted.
        measured: Stages whose forecast comes from measurements; None = all of `known`.
        shared: One device computes all stages: if sampling is slower than forecast, later stages are expected to be,
            too.
    """

    def __init__(
        self,
        units: dict[Stage, float],
        known: dict[Stage, float] | None = None,
        now: Callable[[], float] = time.monotonic,
        peak: Callable[[], int] = lambda: 0,
        measured: Set[Stage] | None = None,
        shared: bool = False,
    ) -> None:
        self.units = units
        self.known = dict(known or {})
        self.measured = frozenset(self.known) if measured is None else frozenset(measured)
        self.now = now
        self.seconds: dict[Stage, float] = {}
        """Computing time by stage."""
        self.rates: dict[Stage, float] = {}
        """Measured seconds per unit, in this job."""
        self.peaks: dict[Stage, int] = {}
        """Bytes allocated at each stage's highest point."""
        self._shared = shared
        self._peak = peak
        self._covered: dict[Stage, float] = {}
        self._vain: dict[Stage, float] = {}
        """Seconds of a stage before it was begun anew."""
        self._stage: Stage | None = None
        self._left = dict(units)
        self._together = 1.0
        """Units of the current stage that come together, those in work."""
        self._part = 0.0
        """How many of them are finished."""
        self._began = self._mark = now()
        self.extrapolation = self._plot(0.0)

    def enter(self, stage: Stage, done: float = 0.0, together: float = 1.0) -> None:
        """Begin a stage.

        Args:
            stage: The stage.
            done: Units of it that exist already, in a resumed job.
            together: Units that finish at the same time.
        """
        self.leave()
        share = self.share
        if done > 0:
            left = self._seconds_left()
            share = 1 - (1 - share) * (1 - self._rate(stage) * done / left) if left > 0 else share
        self._stage = stage
        self._began = self._mark = self.now()
        self._together, self._part = together, 0.0
        self._left[stage] = self.units[stage] - done
        self._covered[stage] = self._left[stage]
        self._peak()
        self.extrapolation = self._plot(share)

    def done(self, units: float, more: bool = False, together: float | None = None) -> None:
        """Set the number of finished units of the current stage.

        Args:
            units: Finished units, counted from the stage's beginning.
            more: Other units of the same group are still in progress.
            together: Units in the next group; None = as in this one.
        """
        stage = self._stage
        assert stage is not None
        fresh = units - (self.units[stage] - self._left[stage])
        if fresh <= (self._part if more else 0) + LEAST:
            return
        share = self.share
        if more:
            self._part = fresh
        else:
            now, share = self.now(), self.extrapolation.share_at(self.now(), ended=True)
            rate = (now - self._mark) / fresh
            old = self.rates.get(stage)
            self.rates[stage] = rate if old is None else old + NEWEST * (rate - old)
            self._mark, self._part, self._together = now, 0.0, fresh if together is None else together
            self._left[stage] = max(0.0, self._left[stage] - fresh)
        self.extrapolation = self._plot(share)

    def leave(self) -> None:
        """End the current stage."""
        if self._stage is None:
            return
        share = self.extrapolation.share_at(self.now(), ended=True)
        spent = self.now() - self._began
        self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + spent
        self.peaks[self._stage] = self._peak()
        self._left[self._stage] = 0.0
        self._stage = None
        self.extrapolation = self._plot(share)

    def start_over(self, known: Mapping[Stage, float]) -> None:
        """Begin stages anew: what they took so far is computing time, but measures nothing.

        Args:
            known: The stages, with the seconds per unit that are expected now.
        """
        self.leave()
        share = self.share
        for stage, seconds in known.items():
            self._vain[stage] = self.seconds.get(stage, 0.0)
            self.rates.pop(stage, None)
            self.known[stage] = seconds
            self._left[stage] = self.units[stage]
        self.extrapolation = self._plot(share)

    def skip(self, stage: Stage) -> None:
        """Skip a stage whose result exists already."""
        share = self.share
        self._left[stage] = 0.0
        self.extrapolation = self._plot(share)

    def figures(self) -> dict[Stage, Figure]:
        """Return the measurements of the ended stages of which this attempt did at least half."""
        counted = {stage: spent - self._vain.get(stage, 0.0) for stage, spent in self.seconds.items()}
        return {
            stage: Figure(seconds=spent / self._covered[stage], peak=self.peaks[stage])
            for stage, spent in counted.items()
            if spent > 0 and self._covered[stage] >= self.units[stage] / 2
        }

    @property
    def share(self) -> float:
        """Share of the job that is done, by time. Never falls: a correction only changes its speed."""
        return self.extrapolation.share_at(self.now())

    @property
    def eta(self) -> float | None:
        """Seconds left; None while the pace of a long stage is known from the formula only."""
        return self.extrapolation.eta_at(self.now())

    def _plot(self, share: float) -> Extrapolation:
        now, left, unit, spent = self.now(), self._seconds_left(), 0.0, 0.0
        if self._stage is not None and self._left[self._stage] > 0:
            rate = self._rate(self._stage)
            unit = rate * min(self._together, self._left[self._stage])
            spent = max(now - self._mark, rate * self._part)
        unknown = sum(
            self._rate(stage) * count
            for stage, count in self._left.items()
            if stage not in self.rates and stage not in self.measured
        )
        return Extrapolation(now, share if left > 0 else 1.0, left, unit, spent, unknown <= SMALL * left)

    def _seconds_left(self) -> float:
        return sum(self._rate(stage) * count for stage, count in self._left.items())

    def _rate(self, stage: Stage) -> float:
        if stage in self.rates:
            return self.rates[stage]
        return self.known.get(stage, GUESSES[stage]) * self._slowness(stage)

    def _slowness(self, stage: Stage) -> float:
        """Return the measured time of this job's sampling over its forecast, for the stages after it."""
        taken, expected = self.rates.get(Stage.SAMPLING), self.known.get(Stage.SAMPLING)
        if not self._shared or stage not in (Stage.DECODING, Stage.SAVING) or not taken or not expected:
            return 1.0
        return min(SLOWEST, max(QUICKEST, taken / expected))
