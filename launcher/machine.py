"""Describe the machine that the environment is for, and say why one cannot be made."""

import platform
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath, PureWindowsPath

from .report import SetupError

OLDEST, TOO_NEW = (3, 11), (3, 14)
LONGEST_ROOT = 61
"""Letters of the checkout's path on a Windows that keeps to 259 in all: torch's names take up to 173 (`+cu130`)."""


@dataclass(frozen=True)
class Machine:
    """A system, its processor and the Python that runs the launcher. Tests pass any; `this` is the one we are on.

    Attributes:
        system: `Windows`, `Linux` or `Darwin`, as `platform.system()` says.
        arch: `x86_64`, `arm64`, …, as `platform.machine()` says, in lower case. On Windows that of Python, not of the
            processor: `amd64`, `arm64`, or another name for a Python that no wheel is for (`mingw_x86_64_ucrt`).
        python: (major, minor).
        bits: 32 or 64, of Python, not of the system.
    """

    system: str
    arch: str
    python: tuple[int, int]
    bits: int = 64

    @classmethod
    def this(cls) -> "Machine":
        """Describe the machine that runs this."""
        bits = 64 if sys.maxsize > 2**32 else 32
        if sys.platform == "win32":
            # From Python 3.12 on platform.machine() says ARM64 in a Python for AMD64 that an ARM computer runs.
            return cls("Windows", sysconfig.get_platform().removeprefix("win-"), sys.version_info[:2], bits)
        return cls(platform.system(), platform.machine().lower(), sys.version_info[:2], bits)

    @property
    def windows(self) -> bool:
        """Whether paths, locks and processes work as on Windows."""
        return self.system == "Windows"


def check_machine(machine: Machine) -> None:
    """Check that PyTorch has builds for the machine.

    Raises:
        SetupError: Python is too old, too new or of 32 bits, or the processor is not supported.
    """
    if not OLDEST <= machine.python < TOO_NEW:
        raise SetupError(
            f"this is Python {machine.python[0]}.{machine.python[1]}; fanslymotion needs 3.11, 3.12 or 3.13"
        )
    if machine.bits != 64:
        raise SetupError("this is a 32-bit Python; install the 64-bit one from https://www.python.org/downloads/")
    if machine.system == "Darwin" and machine.arch == "x86_64":
        raise SetupError("PyTorch no longer comes for Intel Macs; fanslymotion needs a Mac with Apple silicon")
    if machine.windows and machine.arch != "amd64":
        raise SetupError(
            f"this is a Python for {machine.arch}; the packages come only for python.org's 64-bit Intel/AMD Python, "
            "which runs on ARM, too. Install that one, and set FANSLYMOTION_PYTHON to its python.exe"
        )


def check_path(root: PurePath, machine: Machine, long_paths: bool) -> None:
    """Check that Windows will take the paths of all installed files.

    Args:
        root: The checkout's folder.
        machine: Only Windows has the limit.
        long_paths: Whether Windows was told to lift it, see `long_paths_enabled`.

    Raises:
        SetupError: `root` has more than `LONGEST_ROOT` letters.
    """
    length = len(str(root))
    if machine.windows and not long_paths and length > LONGEST_ROOT:
        raise SetupError(
            f"the folder's name is too long for Windows: {root} has {length} letters, {LONGEST_ROOT} fit. "
            r"Move the folder, for example to C:\fanslymotion, and start again"
        )


def synced_by(root: PurePath, machine: Machine, environ: Mapping[str, str]) -> str:
    """Return the OneDrive folder that `root` lies in; "" when it lies in none."""
    if machine.windows:
        for name in ("OneDrive", "OneDriveConsumer", "OneDriveCommercial"):
            folder = environ.get(name, "")
            if folder and PureWindowsPath(str(root)).is_relative_to(PureWindowsPath(folder)):
                return folder
    return ""


def long_paths_enabled() -> bool:
    """Ask the registry whether Windows takes paths beyond 259 letters; True on other systems."""
    if sys.platform != "win32":
        return True
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem") as key:
            return winreg.QueryValueEx(key, "LongPathsEnabled")[0] == 1
    except OSError:
        return False
