"""Say how far a job is between two reports: its bar moves on while one long unit of work is under way."""

from dataclasses import dataclass

SURE = 0.6
"""Share of the units in work up to which the bar moves at the forecast's pace. From there on it slows down."""
LATE, LATE_SECONDS = 1.5, 2.0
"""Units in work take so many times their forecast, and so many seconds more: then no time left is said."""


@dataclass(frozen=True)
class Course:
    """How a job goes on from one moment until the next is reported. Any thread may look at it.

    Attributes:
        at: the moment, on the clock's scale.
        share: of the job that was done then, 0..1.
        left: seconds that were left then, those of the units in work included as if they just began.
        unit: forecast seconds of the units in work; 0 = none are.
        spent: seconds that had gone into them.
        timed: a time left may be said.
    """

    at: float
    share: float
    left: float
    unit: float
    spent: float
    timed: bool

    def left_at(self, now: float) -> float:
        """Return the seconds left."""
        return max(0.0, self.left - self.unit * self._made(now))

    def share_at(self, now: float, ended: bool = False) -> float:
        """Return the share of the job that is done. It never falls, and it moves as long as units are in work.

        Args:
            now: the moment.
            ended: the units in work were finished at that moment: those that took their time count in full.
        """
        before = self.left_at(self.at)
        if before <= 0:
            return self.share
        after = self.left - self.unit * min(1.0, self._passed(now)) if ended else self.left_at(now)
        return max(self.share, 1 - (1 - self.share) * max(0.0, after) / before)

    def eta_at(self, now: float) -> float | None:
        """Return the seconds left, or None where they are not known."""
        late = self.unit > 0 and self.spent + now - self.at > LATE * self.unit + LATE_SECONDS
        return None if late or not self.timed else self.left_at(now)

    def _passed(self, now: float) -> float:
        """Return the time that went into the units in work as a share of their forecast."""
        return (self.spent + now - self.at) / self.unit if self.unit > 0 else 0.0

    def _made(self, now: float) -> float:
        """Return the share of the units in work that is taken for done, below 1."""
        passed = self._passed(now)
        if passed <= SURE:
            return passed
        return 1 - (1 - SURE) / (1 + (passed - SURE) / (1 - SURE))
