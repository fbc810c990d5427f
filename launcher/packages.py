"""Find an environment's Python and packages, and the packages that are not whole."""

import csv
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePath

from .machine import Machine


def venv_python(venv: PurePath, machine: Machine) -> PurePath:
    """Return the path of an environment's Python."""
    return venv / "Scripts" / "python.exe" if machine.windows else venv / "bin" / "python"


def site_packages(venv: PurePath, machine: Machine, python: tuple[int, int]) -> PurePath:
    """Return the folder of an environment's packages. python: its (major, minor)."""
    if machine.windows:
        return venv / "Lib" / "site-packages"
    return venv / "lib" / f"python{python[0]}.{python[1]}" / "site-packages"


def half_installed(site: Path) -> list[Path]:
    """Find packages that an interrupted install left without all of their files, by their `.dist-info` folders.

    pip and uv take any package with METADATA for installed, so after a kill they would never mend it.
    """
    return [info for info in sorted(site.glob("*.dist-info")) if not _whole(site, info)]


def discard(leftovers: Iterable[Path]) -> None:
    """Delete these files and folders. A package without its `.dist-info` folder is installed again."""
    for path in leftovers:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _whole(site: Path, info: Path) -> bool:
    own = f"{info.name}/RECORD"  # its size is not that of the wheel: the installer adds lines
    try:
        with (site / own).open(encoding="utf-8", newline="") as record:
            for name, _, size in (row for row in csv.reader(record) if row):
                if name != own and not name.endswith(".pyc") and size and (site / name).stat().st_size != int(size):
                    return False
    except (OSError, ValueError):
        return False
    return True
