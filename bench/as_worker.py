"""Benches compute as the worker does: in a process whose heap is kept between steps (pipeline/hardware/malloc.py)."""

import os
import sys

from fanslymotion.pipeline.hardware.malloc import keep_heap


def as_worker() -> None:
    """Start this program anew with the worker's heap, unless it already has it. Call it first in `main`."""
    missing = keep_heap()
    if missing:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | missing)
