"""A wine prefix with Windows' Python (see wine_python.sh), and in it this checkout as a Windows user has it."""

import contextlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import psutil
from fanslymotion.settings import ROOT

BASE_PYTHON = r"C:\Python311\python.exe"
VENV_PYTHON = r".venv\Scripts\python.exe"
TEST_PACKAGES = (
    "hypothesis",
    "psycopg[binary]",
    "pytest",
    "pytest-timeout",
    "tree-sitter",
    "tree-sitter-powershell",
    "trustme",
)


@dataclass(frozen=True)
class Prefix:
    """base: the folder that wine_python.sh has filled."""

    base: Path

    @cached_property
    def environ(self) -> dict[str, str]:
        """For Windows programs. Nothing of the Linux Python's own may reach the one inside."""
        script = f'. "{self.base / "env.sh"}" 2>/dev/null; env -0'
        said = subprocess.run(["bash", "-c", script], capture_output=True, check=True).stdout
        pairs = (part.split("=", 1) for part in os.fsdecode(said).split("\0") if "=" in part)
        return {key: value for key, value in pairs if not key.startswith(("PYTHON", "VIRTUAL_ENV"))} | {
            "OMP_NUM_THREADS": "2"
        }

    @property
    def checkout(self) -> Path:
        """A name with Cyrillic letters and spaces, as Windows' user folders have them."""
        return self.base / "wine" / "drive_c" / "users" / "Иван Петров" / "видео студия"

    def copy_checkout(self) -> None:
        """Clone this repository with the line ends of Git for Windows; then add what is not committed yet."""
        if not (self.checkout / ".git").is_dir():
            self.checkout.parent.mkdir(parents=True, exist_ok=True)
            _git("clone", "-q", "-c", "core.autocrlf=true", str(ROOT), str(self.checkout))
        else:
            _git("-C", str(self.checkout), "fetch", "-q", str(ROOT), "HEAD")
            _git("-C", str(self.checkout), "reset", "-q", "--hard", "FETCH_HEAD")
            _git("-C", str(self.checkout), "clean", "-q", "-f", "-d")
        for name in _git("-C", str(ROOT), "ls-files", "-z", "-m", "-o", "--exclude-standard").split("\0"):
            if name and (ROOT / name).is_file():
                (self.checkout / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, self.checkout / name)

    def run(
        self, *words: str, seconds: float, folder: Path | None = None, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a Windows program to its end; its output and errors come together.

        Its standard handles are pipes: Python cannot use a Unix file that wine has inherited.

        Args:
            words: The program and its arguments.
            seconds: After these, every Python of the prefix is ended.
            folder: Where it runs; without one, in the checkout.
            environ: More variables.

        Raises:
            subprocess.TimeoutExpired: It did not end in time. `stdout` is what it had written, in bytes.
        """
        try:
            return subprocess.run(
                ["wine", *words],
                cwd=folder or self.checkout,
                env={**self.environ, **environ},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            self.end_programs()
            raise

    def launch(self, *words: str, seconds: float) -> subprocess.CompletedProcess[str]:
        return self.run(BASE_PYTHON, "launch.py", *words, seconds=seconds)

    def python(self, *words: str, seconds: float) -> subprocess.CompletedProcess[str]:
        """The Python of the environment that the launcher has made."""
        return self.run(VENV_PYTHON, *words, seconds=seconds)

    def programs(self) -> list[psutil.Process]:
        """Find every Windows Python of this prefix that still runs."""
        found = []
        for process in psutil.process_iter(["cmdline", "environ"]):
            words, environ = process.info["cmdline"] or [], process.info["environ"] or {}
            if environ.get("WINEPREFIX") == self.environ["WINEPREFIX"] and words and "python.exe" in words[0]:
                found.append(process)
        return found

    def end_programs(self) -> None:
        for process in self.programs():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], capture_output=True, encoding="utf-8", check=True).stdout
