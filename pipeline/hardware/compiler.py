"""Tell whether torch can compile models for this machine's GPU, and where it stores compiled kernels. Without torch.

torch's compiler ("inductor") writes its kernels in Triton, which builds a small C module for each of them.
"""

import importlib.util
import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from .gpus import Gpus

LEAST_CAPABILITY = 7.0
"""Compute capability of the oldest NVIDIA cards that Triton supports."""


class Lack(StrEnum):
    """What is missing for compiling."""

    CARD = "card"
    TRITON = "triton"
    C_COMPILER = "c_compiler"
    PYTHON_HEADERS = "python_headers"


def lacking(
    gpus: Gpus, environ: Mapping[str, str] = os.environ, system: str = sys.platform, headers: Path | None = None
) -> Lack | None:
    """Return the first thing that is missing for compiling models; None if nothing is.

    Args:
        gpus: This machine's GPUs, one of which torch can use.
        environ: `CC` and `PATH` name the C compiler, as for Triton.
        system: As `sys.platform`. Triton for Windows brings its own compiler and headers.
        headers: Folder of `Python.h`; None = this Python's.
    """
    if gpus.kind == "nvidia" and 0 < gpus.capability < LEAST_CAPABILITY:
        return Lack.CARD
    if not _has_triton():
        return Lack.TRITON
    if system == "win32":
        return None
    names = [environ["CC"]] if environ.get("CC") else ["gcc", "clang"]
    if not any(shutil.which(name, path=environ.get("PATH")) for name in names):
        return Lack.C_COMPILER
    headers = headers or Path(sysconfig.get_path("include"))
    return None if (headers / "Python.h").is_file() else Lack.PYTHON_HEADERS


def _has_triton() -> bool:
    try:
        return importlib.util.find_spec("triton") is not None
    except (ImportError, ValueError):  # of a module that something else has put there
        return False


def compiler_folders(folder: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return environment variables that set where compiled kernels are stored. The user's own values win.

    By default torch stores them in the system's temporary folder, which may be emptied.
    """
    places = {"TORCHINDUCTOR_CACHE_DIR": folder / "inductor", "TRITON_CACHE_DIR": folder / "triton"}
    return {name: str(place) for name, place in places.items() if not environ.get(name)}
