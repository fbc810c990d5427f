"""Is the queue alive? A message of our own goes into its storage and comes back; no worker takes part in it."""

import time
from uuid import uuid4

from ..settings import Settings
from .broker import make_huey


def round_trip(settings: Settings) -> float:
    """Seconds. Raise the storage's own error when it does not work."""
    storage = make_huey(settings).storage
    key, value = f"probe-{uuid4().hex}", uuid4().bytes
    began = time.perf_counter()
    storage.put_data(key, value)
    if storage.pop_data(key) != value:
        raise OSError("what was written did not come back")
    return time.perf_counter() - began
