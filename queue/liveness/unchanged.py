"""Measure for how long values of other processes have not changed, on this process's own clock."""

from collections.abc import Mapping


class Unchanged:
    """Remember each value and when it was first seen. Another machine's clock does not count: it may be wrong."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[object, float]] = {}

    def look(self, values: Mapping[str, object], now: float) -> dict[str, float]:
        """Compare the present values with those of the last call.

        Args:
            values: by key. A key that is left out is forgotten.
            now: seconds of a clock that only grows.

        Returns:
            For how many seconds each value has been the same, by key; 0 for a new key or value.
        """
        known = self._seen
        self._seen = {}
        for key, value in values.items():
            before, since = known.get(key, (value, now))
            self._seen[key] = (value, since if before == value else now)
        return {key: now - since for key, (_, since) in self._seen.items()}
