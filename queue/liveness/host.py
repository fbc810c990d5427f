"""Identify the running system: only processes on the same one can rely on each other's file locks.

Host names are not sufficient: two machines may share one, and containers often have the same name and address.
"""

import os
import re
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from uuid import getnode

HOST = socket.gethostname()

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Linux: a random number of this boot. Cloned images share /etc/machine-id, but never this number."""


def machine(boot_id: Path = BOOT_ID) -> str:
    """Return an identifier of this system. Two processes with the same one see each other's locks.

    In case of doubt identifiers differ: then the lease decides whether a worker lives, which takes longer but is
    safer. So a worker from before a reboot, or in another container, counts as another machine's.
    """
    if sys.platform == "win32":
        system = _windows_id()
    elif sys.platform == "darwin":
        system = _mac_id()
    else:
        system = _read(boot_id)
    return " ".join(filter(None, (HOST, system or f"{getnode():012x}", _process_space())))


def _process_space() -> str:
    """Return the PID namespace. It differs between containers, which may not share their files."""
    with suppress(OSError):
        return os.readlink("/proc/self/ns/pid")
    return ""


def _read(path: Path) -> str:
    with suppress(OSError, ValueError):
        return path.read_text(encoding="ascii").strip()
    return ""


def _windows_id() -> str:
    if sys.platform == "win32":
        import winreg

        with suppress(OSError), winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SOFTWARE\Microsoft\Cryptography") as key:
            return str(winreg.QueryValueEx(key, "MachineGuid")[0])
    return ""


def _mac_id() -> str:
    command = ["/usr/sbin/ioreg", "-rd1", "-c", "IOPlatformExpertDevice"]
    with suppress(OSError, subprocess.SubprocessError):
        said = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", timeout=10).stdout
        if found := re.search(r'"IOPlatformUUID" = "([^"]+)"', said):
            return found[1]
    return ""


MACHINE = machine()
