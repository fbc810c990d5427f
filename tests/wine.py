"""Whether this Python runs under wine, which lacks a few things that Windows has: tests of those are skipped there."""

import ctypes
import sys

UNDER_WINE = sys.platform == "win32" and hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")
