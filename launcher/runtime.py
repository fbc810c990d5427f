"""Check the Microsoft Visual C++ runtime, which torch's wheels do not bring."""

import sys
from pathlib import PureWindowsPath
from typing import NamedTuple

from .report import SetupError

NAME = "msvcp140.dll"
OLDEST = (14, 40)
"""torch is built with Visual C++ 14.42, whose locks crash in a runtime before 14.40: pytorch/pytorch#169429."""
HOW = "winget install Microsoft.VCRedist.2015+.x64, or https://aka.ms/vs/17/release/vc_redist.x64.exe"


class Runtime(NamedTuple):
    """The runtime that this Python loads, and therefore torch.

    Attributes:
        path: Of the library.
        version: (major, minor); None when the file does not tell.
    """

    path: str
    version: tuple[int, int] | None


def check_runtime(found: Runtime | None) -> None:
    """Check that torch can be loaded with this runtime.

    Args:
        found: None when there is none.

    Raises:
        SetupError: It is missing or too old.
    """
    if found is None:
        raise SetupError(
            "the Microsoft Visual C++ runtime is missing, without which PyTorch does not load. Install it "
            f"({HOW}) and start again"
        )
    if found.version is None or found.version >= OLDEST:
        return
    version, needed = (".".join(map(str, numbers)) for numbers in (found.version, OLDEST))
    remedy = f"Install the newest one ({HOW}) and start again"
    if PureWindowsPath(found.path).parent.name.lower() != "system32":
        remedy = "It belongs to this Python; set FANSLYMOTION_PYTHON to the python.exe of one from python.org"
    raise SetupError(
        f"the Microsoft Visual C++ runtime {found.path} is version {version}, and PyTorch needs {needed} or newer. "
        f"{remedy}"
    )


def find_runtime() -> Runtime | None:
    """Load the runtime as torch will, and read its version; None when there is none. Only on Windows."""
    if sys.platform != "win32":
        raise NotImplementedError("the Visual C++ runtime is a part of Windows")
    import ctypes

    try:
        library = ctypes.WinDLL(NAME)
    except OSError:
        return None
    name = ctypes.create_unicode_buffer(32_768)
    ctypes.windll.kernel32.GetModuleFileNameW(ctypes.c_void_p(library._handle), name, len(name))
    return Runtime(name.value, _file_version(name.value))


def _file_version(path: str) -> tuple[int, int] | None:
    """Read the first two numbers of a file's version, as its properties show it. Only on Windows."""
    if sys.platform != "win32":
        return None
    import ctypes

    api = ctypes.windll.version
    size = api.GetFileVersionInfoSizeW(path, None)
    block = ctypes.create_string_buffer(max(1, size))
    fixed, length = ctypes.POINTER(ctypes.c_uint32)(), ctypes.c_uint32()
    if (
        size
        and api.GetFileVersionInfoW(path, 0, size, block)
        and api.VerQueryValueW(block, "\\", ctypes.byref(fixed), ctypes.byref(length))
        and length.value
    ):
        return fixed[2] >> 16, fixed[2] & 0xFFFF  # dwFileVersionMS of VS_FIXEDFILEINFO
    return None
