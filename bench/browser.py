"""Which Chromium or Chrome the tests, benches and screenshots drive."""

import os
import shutil

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""The shell first: the same engine without the windows around it, a fifth faster."""


def find_browser() -> str | None:
    """The one that FANSLYMOTION_CHROMIUM names, else the system's; None lets Playwright find its own."""
    return os.environ.get("FANSLYMOTION_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
