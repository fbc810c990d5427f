"""Standard streams that print any name."""

import sys


def utf8_streams() -> None:
    """Switch stdout and stderr to UTF-8: a redirected Windows stream would be cp1252 and fail on Cyrillic names."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")
