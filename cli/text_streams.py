"""Standard streams that print any name."""

import sys


def utf8_streams() -> None:
    """Print any photo's name anywhere: a redirected Windows stream would otherwise be cp1252 and fail on Cyrillic."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")
