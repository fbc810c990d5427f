"""Check the import contracts of pyproject.toml (`[tool.importlinter]`). Words go to lint-imports.

The linter passes over folders without `__init__.py`, and queue/ must have none (a standard module has its name). So it
reads a copy of the package in build/contracts, in which queue/ has one.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPY = ROOT / "build" / "contracts"
PROJECT = ROOT / "pyproject.toml"


def folders() -> list[str]:
    """Return the package's top folders, as the wheel has them."""
    packages = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    return sorted({package.split(".")[1] for package in packages if "." in package})


def main() -> int:
    """Copy the package, run the linter on the copy, and return its exit code."""
    shutil.rmtree(COPY, ignore_errors=True)
    package = COPY / "fanslymotion"
    for folder in folders():
        shutil.copytree(ROOT / folder, package / folder, ignore=shutil.ignore_patterns("__pycache__", "static"))
    for path in ROOT.glob("*.py"):
        shutil.copy(path, package)
    (package / "queue" / "__init__.py").touch()
    code = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    command = [sys.executable, "-P", "-c", code, str(PROJECT), "--no-cache", *sys.argv[1:]]
    # The copy goes before the editable install, and no folder of the checkout before the standard library.
    return subprocess.run(command, cwd=COPY, env={**os.environ, "PYTHONPATH": str(COPY)}).returncode


if __name__ == "__main__":
    sys.exit(main())
