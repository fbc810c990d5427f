"""Verify models' files byte by byte in the background: it takes as long as reading them from the disk."""

import logging
import threading
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..errors import Cancelled, FanslymotionError
from ..models.registry import check
from ..presets import load_presets
from ..settings import Settings
from .error_response import UNKNOWN, in_each_language

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelCheck:
    """The check of one model's files.

    Attributes:
        status: `running`, `done`, `stopped` or `failed`.
        done: Bytes read.
        total: Bytes to read.
        damaged: Damaged files, which the next download fetches again.
        error: Why it failed.
    """

    status: str = "running"
    done: int = 0
    total: int = 0
    damaged: tuple[str, ...] = ()
    error: str = ""


class ModelChecks:
    """The latest check of each model since the page was started."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._known: dict[str, ModelCheck] = {}
        self._stops: dict[str, threading.Event] = {}
        """Of each model's latest check: set to end it. An earlier one that is still ending has its own."""

    def to_json(self, name: str) -> dict[str, Any] | None:
        """Return the JSON of a model's check, or None. `error` by language."""
        found = self._known.get(name)
        return asdict(found) | {"error": in_each_language(found.error)} if found else None

    def start(self, name: str) -> None:
        """Start a check in a thread, unless one of this model runs that is not being stopped."""
        with self._lock:
            known, stop = self._known.get(name), self._stops.get(name)
            if known and known.status == "running" and stop and not stop.is_set():
                return
            self._known[name] = ModelCheck()
            stop = self._stops[name] = threading.Event()
        threading.Thread(target=self._run, args=(name, stop), name=f"check {name}", daemon=True).start()

    def stop(self, name: str) -> None:
        """Stop a running check."""
        with self._lock:
            if stop := self._stops.get(name):
                stop.set()

    def forget(self, name: str) -> None:
        """Stop and drop a model's check, because its files are about to change."""
        with self._lock:
            self._known.pop(name, None)
            if stop := self._stops.pop(name, None):
                stop.set()

    def _run(self, name: str, stop: threading.Event) -> None:
        def change(**values: Any) -> None:
            with self._lock:
                if self._stops.get(name) is stop:
                    self._known[name] = replace(self._known[name], **values)

        def report(_file: str, done: int, total: int) -> None:
            if stop.is_set():
                raise Cancelled
            change(done=done, total=total)

        try:
            damaged = tuple(check(name, load_presets(self._settings), self._settings, report))
            change(status="done", damaged=damaged)
        except Cancelled:
            change(status="stopped")
        except (FanslymotionError, OSError) as e:
            change(status="failed", error=e.message if isinstance(e, FanslymotionError) else str(e))
        except Exception:
            log.exception("the check of %s failed", name)
            change(status="failed", error=UNKNOWN)
