"""List NVIDIA GPUs as `nvidia-smi` tells them: torch is not installed yet."""

import contextlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .machine import Machine
from .report import say


@dataclass(frozen=True)
class Gpu:
    """An NVIDIA GPU.

    Attributes:
        driver: Major version of its driver.
        capability: CUDA compute capability (major, minor); (0, 0) when an old nvidia-smi does not say.
    """

    driver: int
    capability: tuple[int, int]


def parse_gpus(text: str) -> list[Gpu]:
    """Parse `nvidia-smi --query-gpu=driver_version,compute_cap --format=csv,noheader`, or its first column alone."""
    gpus = []
    for line in text.splitlines():
        driver, _, capability = (part.strip() for part in line.partition(","))
        if match := re.fullmatch(r"(\d+)\.[\d.]+", driver):
            numbers = re.fullmatch(r"(\d+)\.(\d+)", capability)
            gpus.append(Gpu(int(match[1]), (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)))
    return gpus


def find_nvidia_smi(machine: Machine) -> str | None:
    """Find nvidia-smi, on the PATH or not: Windows keeps it off the PATH at times, WSL always.

    Returns:
        Its path; None when there is none, and so no NVIDIA driver.
    """
    places = {
        "Windows": [
            Path(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "nvidia-smi.exe"),
            Path(os.environ.get("PROGRAMFILES", r"C:\Program Files"), "NVIDIA Corporation", "NVSMI", "nvidia-smi.exe"),
        ],
        "Linux": [Path("/usr/lib/wsl/lib/nvidia-smi")],
    }
    found = (str(path) for path in places.get(machine.system, []) if path.is_file())
    return shutil.which("nvidia-smi") or next(found, None)


def read_gpus(nvidia_smi: str | None) -> list[Gpu]:
    """Ask nvidia-smi for the GPUs, for up to a minute; none when it fails, which is said.

    Args:
        nvidia_smi: Its path; None means no GPUs.
    """
    if nvidia_smi is None:
        return []
    for fields in ("driver_version,compute_cap", "driver_version"):  # old drivers do not know compute_cap
        command = [nvidia_smi, f"--query-gpu={fields}", "--format=csv,noheader"]
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            answer = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", timeout=60)
            if answer.returncode == 0 and (gpus := parse_gpus(answer.stdout)):
                return gpus
    say("nvidia-smi is there but reports no GPU: its driver may need a repair or a restart of the computer.")
    return []
