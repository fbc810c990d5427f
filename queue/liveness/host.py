"""Which running system this is: only on the same one do processes surely see each other's file locks.

Names do not tell: two machines may have one host name, and containers often have the same name and address.
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
"""Linux: a random number of this boot of this kernel. Images and clones have the same /etc/machine-id, but never it."""


def machine(boot_id: Path = BOOT_ID) -> str:
    """Two processes with the same one see each other's locks.

    When in doubt they get different ones: then the lease decides which of them lives, which takes longer but errs
    less. So a worker from before a reboot counts as another machine's, and so does one in another container.
    """
    if sys.platform == "win32":
        system = _windows_id()
    elif sys.platform == "darwin":
        system = _mac_id()
    else:
        system = _read(boot_id)
    return " ".join(filter(None, (HOST, system or f"{getnode():012x}", _process_space())))


def _process_space() -> str:
    """Differs between containers of one Linux system, which may not have the same files at the same place."""
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
