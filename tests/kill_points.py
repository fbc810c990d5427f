"""SIGKILL at each single file-system call of some code, in a process of its own: what is found by the next start?"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

CALLS = frozenset(
    ("open", "os.rename", "os.link", "os.mkdir", "os.rmdir", "os.remove", "os.truncate", "sqlite3.connect")
)


AT_WORK = frozenset(("adopt", "garbage"))
"""Names of threads that use a job list beside its owner. A lock that one holds at a fork stays locked in the child."""


def fork() -> int:
    """Fork when no thread of AT_WORK runs. Return the child's id, 0 in the child."""
    for thread in threading.enumerate():
        if thread.name in AT_WORK:
            thread.join(60)
    return os.fork()


def killed_at(number: int, folder: Path, run: Callable[[], object]) -> bool:
    """Run it in a fork that is killed just before its call of this number (from 1) on something in the folder.

    False when there were fewer calls, so that it came to its end.
    """
    child = fork()
    if child:
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL
            return True
        assert os.WEXITSTATUS(status) == 0, "it failed by itself"
        return False
    left, beginning = number, os.fspath(folder)

    def watch(event: str, arguments: tuple) -> None:
        nonlocal left
        if event in CALLS and any(str(argument).startswith(beginning) for argument in arguments[:2]):
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    code = 1
    try:
        sys.addaudithook(watch)
        run()
        code = 0
    finally:
        os._exit(code)


def each_point(
    folder: Callable[[int], Path], run: Callable[[Path], object], every: int = 1, most: int = 500
) -> Iterator[Path]:
    """Yield the folder that each kill left, and last the one of the run that came to its end. Makes a new one each.

    Args:
        folder: Makes the folder of a call's number.
        run: Works in a folder, and is killed.
        every: 2 stands for every second call, and so on.
        most: Calls.
    """
    for number in range(1, most, every):
        place = folder(number)
        killed = killed_at(number, place, lambda place=place: run(place))
        yield place
        if not killed:
            return
    raise AssertionError(f"more than {most} calls")
