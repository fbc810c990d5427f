"""Keep a job's share of work done from falling when an attempt begins anew."""

from ...pipeline.progress import Stage

BEFORE_RESUMING = ("", Stage.LOADING, Stage.CONDITIONING)
"""Until these are over it is not known from where a checkpoint goes on."""


class RisingShare:
    """Turn the shares of attempts, each of which counts from 0, into one that never falls.

    It stands still until an attempt samples. If that goes on from further back than what was shown, the rest of the
    bar is spread over the rest of the work: the bar moves all the time and ends at 1.

    Args:
        shown: share of the job that an earlier attempt reached, 0..1.
    """

    def __init__(self, shown: float) -> None:
        self._shown = shown
        self._last = 0.0
        self._base: tuple[float, float] | None = None
        """(share of the attempt, what was shown), where the rest is spread over the rest."""

    def take(self, share: float, stage: str) -> float:
        """Return what is shown for an attempt's share, 0..1, in a stage (a `Stage`, or "" before the first)."""
        if share < self._last:  # another attempt within this one: with less memory, from the beginning
            self._base = None
        self._last = share
        if self._base is None and share < self._shown and stage not in BEFORE_RESUMING:
            self._base = share, self._shown
        if self._base is not None:
            begun, before = self._base
            share = before + (1 - before) * (share - begun) / (1 - begun)
        self._shown = max(self._shown, share)
        return self._shown
