"""Show a download on stderr: a bar in a terminal; elsewhere a line for each file, each pause and each tenth."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.text import Text

from ...console import draws_bars, err
from .state import DownloadState

LONGEST = 100
"""Letters beside the bar."""
LINE_EVERY = 0.1
"""Share of the download between two lines where no bar can be drawn."""

Show = Callable[[DownloadState], None]


@contextmanager
def shown_download() -> Iterator[Show]:
    """Return a function that shows a state."""
    console = err()
    if not draws_bars(console):
        yield _lines(lambda line: console.print(Text(line), soft_wrap=True))
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("asking", total=None)
        yield lambda state: bar.update(
            task, description=_said(state)[:LONGEST], completed=state.done, total=state.total or None
        )


def _lines(write: Callable[[str], None]) -> Show:
    """Return a function that writes a line where another one is to be said than before."""
    before: tuple[object, ...] = ()

    def show(state: DownloadState) -> None:
        nonlocal before
        now = (state.phase, state.file, state.message, int(state.fraction / LINE_EVERY))
        if now != before and not state.over:
            before = now
            write(f"{state.fraction:.0%} {_said(state)}")

    return show


def _said(state: DownloadState) -> str:
    return state.message or f"{state.phase} {state.file}".strip()
