"""Let Ctrl+C end a program that is still starting at once and without a traceback: there is nothing to clean up yet."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ended_by_interrupt() -> Iterator[None]:
    """Leave Ctrl+C to the system in the body, which ends the process; afterwards it raises KeyboardInterrupt again.

    A program that was started to ignore it (`nohup`, a shell's `&`) goes on ignoring it.
    """
    handler = signal.getsignal(signal.SIGINT)
    if handler is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
