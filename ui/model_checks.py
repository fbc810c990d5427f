"""Check models' files byte by byte while the page is used: it takes as long as reading them from the disk."""

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..errors import Cancelled, FanslymotionError
from ..models.registry import check
from ..presets import load_presets
from ..settings import Settings


@dataclass(frozen=True)
class ModelCheck:
    """A check of one model's files.

    Attributes:
        status: `running`, `done`, `stopped` or `failed`.
        done: Bytes read.
        total: Bytes to read.
        damaged: Files, which the next download brings again.
        error: Why it failed.
    """

    status: str = "running"
    done: int = 0
    total: int = 0
    damaged: tuple[str, ...] = ()
    error: str = ""


class ModelChecks:
    """The last check of each model since the page was started."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._known: dict[str, ModelCheck] = {}
        self._stopped: set[str] = set()

    def to_json(self, name: str) -> dict[str, Any] | None:
        """Return the state of a model's check for JSON, or None."""
        found = self._known.get(name)
        return asdict(found) if found else None

    def start(self, name: str) -> None:
        """Start a check in a thread; nothing happens while one of this model runs."""
        with self._lock:
            if (known := self._known.get(name)) and known.status == "running":
                return
            self._known[name] = ModelCheck()
            self._stopped.discard(name)
        threading.Thread(target=self._run, args=(name,), name=f"check {name}", daemon=True).start()

    def stop(self, name: str) -> None:
        """Stop a running check."""
        self._stopped.add(name)

    def forget(self, name: str) -> None:
        """Stop and drop a model's check: its files are about to change."""
        self.stop(name)
        self._known.pop(name, None)

    def _run(self, name: str) -> None:
        def report(_file: str, done: int, total: int) -> None:
            if name in self._stopped:
                raise Cancelled
            self._change(name, lambda known: replace(known, done=done, total=total))

        try:
            damaged = tuple(check(name, load_presets(self._settings), self._settings, report))
            self._change(name, lambda known: replace(known, status="done", damaged=damaged))
        except Cancelled:
            self._change(name, lambda known: replace(known, status="stopped"))
        except (FanslymotionError, OSError) as e:
            error = str(e)
            self._change(name, lambda known: replace(known, status="failed", error=error))

    def _change(self, name: str, change: Callable[[ModelCheck], ModelCheck]) -> None:
        with self._lock:
            if name in self._known:
                self._known[name] = change(self._known[name])
