"""Test the message queue's storage without a worker."""

import time
from uuid import uuid4

from ..settings import Settings
from .broker import make_huey


def round_trip(settings: Settings) -> float:
    """Write a value to the storage and read it back.

    Returns:
        Seconds that it took.

    Raises:
        Exception: the storage's own error, or OSError if another value came back.
    """
    storage = make_huey(settings).storage
    key, value = f"probe-{uuid4().hex}", uuid4().bytes
    began = time.perf_counter()
    storage.put_data(key, value)
    if storage.pop_data(key) != value:
        raise OSError("what was written did not come back")
    return time.perf_counter() - began
