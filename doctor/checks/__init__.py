"""Run the checks that the command and the page share. Each finding has a result, and a code if it is not ok."""

from collections.abc import Callable, Iterator

from ...errors import StoreError
from ...messages import codes
from ...settings import Settings
from ..examination import Examination
from ..finding import BROKEN, OK, UNKNOWN, WARN, Check, Finding, fault, worst
from .hardware import check_disk, check_gpu, check_memory
from .installation import check_packages, check_page, check_proxies, check_python
from .last_failure import check_last_failure
from .models import check_loading, check_models
from .queue import check_queue, check_running_jobs, check_store, check_worker
from .video import check_ffmpeg

__all__ = ["BROKEN", "CHECKS", "OK", "UNKNOWN", "WARN", "Check", "Doctor", "Finding", "worst"]

CHECKS: tuple[tuple[str, Callable[[Examination], Iterator[Finding]]], ...] = (
    ("python", check_python),
    ("packages", check_packages),
    ("proxies", check_proxies),
    ("page", check_page),
    ("store", check_store),
    ("queue", check_queue),
    ("worker", check_worker),
    ("disk", check_disk),
    ("memory", check_memory),
    ("gpu", check_gpu),
    ("watch", check_running_jobs),
    ("models", check_models),
    ("ffmpeg", check_ffmpeg),
    ("log", check_last_failure),
    ("load", check_loading),
)
"""Key and function of every check, in the order in which they run and are shown."""


class Doctor:
    """Run every check. None of them raises, whatever is broken.

    Args:
        settings: of the data folder to check.
        load: also load a model, in its own process.
        page: also build the page, in its own process.
    """

    def __init__(self, settings: Settings, load: bool = False, page: bool = False) -> None:
        self.examination = Examination(settings, load, page)

    def run(self) -> list[Finding]:
        """Run all checks and return what they found."""
        return [finding for key, check in CHECKS for finding in self._one(key, check)]

    def find(self, key: str) -> list[Finding]:
        """Run one check. Raise KeyError for an unknown key."""
        return self._one(key, dict(CHECKS)[key])

    def _one(self, key: str, check: Callable[[Examination], Iterator[Finding]]) -> list[Finding]:
        try:
            return list(check(self.examination))
        except StoreError:
            return []  # the check `store` has reported it
        except Exception as e:  # a check must never end the others
            return [fault(key, BROKEN, codes.UNFORESEEN, error=f"{type(e).__name__}: {e}")]
