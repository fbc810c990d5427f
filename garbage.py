"""Import without garbage collections: they look through all that is imported again and again, and find nothing.

A third of the CPU seconds in which a worker or the page starts (bench/RESULTS.md, "Starting").
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collections(freeze: bool = False) -> Iterator[None]:
    """Import in the body. Objects go as always where nothing refers to them any more; only cycles wait.

    freeze: leave all objects that there are at the end out of later collections. For a process that starts: what it
    has imported stays.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if freeze:
            gc.freeze()
        if enabled:
            gc.enable()
