"""Run tasks in one thread, in an order that is fair to logins."""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


class FairOrder:
    """Run one task at a time. Owners alternate, so that one task does not wait for another owner's twenty.

    Args:
        name: Name of the thread.
    """

    def __init__(self, name: str) -> None:
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._waiting: OrderedDict[str, deque[Callable[[], object]]] = OrderedDict()
        """By owner; the owner at the front is the next."""

    def add(self, owner: str, work: Callable[[], object]) -> None:
        """Queue a task behind the owner's other tasks. It must not raise."""
        with self._lock:
            self._waiting.setdefault(owner, deque()).append(work)
        self._pool.submit(self._do_next)  # as often as there is work

    def close(self) -> None:
        """Drop the waiting tasks, so that the program can end. A running one continues."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _do_next(self) -> None:
        with self._lock:
            owner, works = next(iter(self._waiting.items()))
            work = works.popleft()
            if works:
                self._waiting.move_to_end(owner)
            else:
                del self._waiting[owner]
        work()
