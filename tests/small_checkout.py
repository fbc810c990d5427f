"""A small checkout: the launcher, and requirements that name one hand-made wheel instead of gigabytes."""

import shutil
import zipfile
from pathlib import Path

from fanslymotion.settings import ROOT

COMMAND = "import sys, demo; print(demo.__version__, sys.argv[1:])\n"


def wheel(folder: Path, version: str, files: int, absent: int = 0) -> str:
    """Write a wheel by hand: the package `fanslymotion` whose command prints its version and its words.

    Args:
        folder: Where it goes.
        version: The package's.
        files: Number of its modules.
        absent: Number of further modules that its RECORD names and that it does not have.

    Returns:
        Its name.
    """
    name = f"fanslymotion-{version}-py3-none-any.whl"
    info = f"fanslymotion-{version}.dist-info"
    texts = {
        # Of another length each: a compiled file counts as current by size and second, and two may come in one second.
        "demo.py": f"__version__ = {version!r}\n" + "#" * int(version.replace(".", "")),
        **{f"fanslymotion/part{n}.py": "x = 1\n" for n in range(files)},
        "fanslymotion/__main__.py": COMMAND,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: fanslymotion\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{file},,{len(text)}\n" for file, text in texts.items())
    record += "".join(f"fanslymotion/absent{n}.py,,7\n" for n in range(absent))
    with zipfile.ZipFile(folder / name, "w") as archive:
        for file, text in (texts | {f"{info}/RECORD": record}).items():
            archive.writestr(file, text)
    return name


def new_checkout(root: Path) -> Path:
    """Make a folder with the launcher and requirements that name one hand-made wheel."""
    (root / "tests").mkdir(parents=True)
    for name in ("launch.py", "launch.sh"):
        shutil.copy(ROOT / name, root / name)
    shutil.copytree(ROOT / "launcher", root / "launcher", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "pyproject.toml").write_text("", encoding="utf-8")
    (root / "tests" / "requirements.txt").write_text("", encoding="utf-8")
    require(root, "1.0")
    return root


def require(root: Path, version: str, files: int = 10, absent: int = 0) -> None:
    """Write that wheel into the checkout, and requirements that name it."""
    (root / "requirements.txt").write_text(f"./{wheel(root, version, files, absent)}\n", encoding="utf-8")
