"""What some systems lack that run these tests: wine, which is Windows to a program, and Windows without links."""

import ctypes
import os
import sys
import tempfile

import pytest

UNDER_WINE = sys.platform == "win32" and hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")


def _why_no_links() -> str:
    if UNDER_WINE:
        return "wine: a symbolic link looks like the file that it points to"
    with tempfile.TemporaryDirectory() as folder:
        try:
            os.symlink(folder, os.path.join(folder, "link"))
        except OSError as e:  # Windows' developer mode is off
            return f"this account may not make symbolic links: {e}"
    return ""


WHY_NO_LINKS = _why_no_links() if sys.platform == "win32" else ""
needs_links = pytest.mark.skipif(WHY_NO_LINKS != "", reason=WHY_NO_LINKS)
