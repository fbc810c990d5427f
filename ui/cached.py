"""Cache slow results for a while: sizes of folders, findings of the doctor."""

import asyncio
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class CachedResult(Generic[T]):
    """Compute a result in a thread, once for all callers, and again when it is out of date.

    An older result is returned at once while the next one is computed.

    Args:
        compute: Slow function; called in a thread, never twice at a time.
        seconds: How long a result is fresh.
        now: Monotonic seconds.
    """

    def __init__(self, compute: Callable[[], T], seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._compute, self._seconds, self._now = compute, seconds, now
        self._task: asyncio.Task[T] | None = None
        self._at = float("-inf")
        self.last: T | None = None

    @property
    def old(self) -> bool:
        """Whether the result is out of date, or there is none yet."""
        return self._now() - self._at >= self._seconds

    async def get(self, fresh: bool = False) -> T:
        """Return the result.

        Args:
            fresh: Wait for a result that is computed from now on, or is being computed already.
        """
        if (fresh or self.old) and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._look())
        if self.last is not None and not fresh:
            return self.last
        assert self._task is not None
        return await asyncio.shield(self._task)

    async def _look(self) -> T:
        self.last = await asyncio.to_thread(self._compute)
        self._at = self._now()
        return self.last
