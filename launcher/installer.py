"""Install packages into an environment: with uv, which takes a tenth of pip's time, or with pip where uv cannot."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePath
from types import MappingProxyType

from .machine import Machine
from .packages import discard, half_installed
from .report import SetupError, say

PINS = Path(__file__).with_name("uv.txt")
CACHE = ".uv-cache"
"""Where uv keeps on Windows what it has fetched, until all is installed: a set-up that was ended goes on with it."""

UV_NAMES = {
    "cert": "SSL_CERT_FILE",
    "constraint": "UV_CONSTRAINT",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "index-url": "UV_DEFAULT_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
}
"""Settings of pip, and the variables that tell uv the same.

An address may hold a password, which as a word would stand in the list of processes.
"""

NO_INDEX = "PIP_NO_INDEX"
"""uv has no variable for it, only the word `--no-index`."""
YES, NO = {"1", "on", "t", "true", "y", "yes"}, {"0", "f", "false", "n", "no", "off"}
NO_MATTER = {
    "break-system-packages", "cache-dir", "compile", "config-file", "default-timeout", "disable-pip-version-check",
    "format", "no-cache-dir", "no-color", "no-compile", "no-input", "no-python-version-warning", "no-warn-conflicts",
    "no-warn-script-location", "prefer-binary", "progress-bar", "quiet", "require-virtualenv", "resume-retries",
    "retries", "root-user-action", "timeout", "upgrade-strategy", "user", "verbose",
}  # fmt: skip
"""Settings of pip that change neither what is installed nor where from."""


class Installer:
    """Install packages as the machine's pip configuration says.

    Args:
        python: The environment's Python. It has pip.
        machine: That it is for.
        root: The folder that relative paths in requirements start from.
        site: The environment's folder of packages.
    """

    def __init__(self, python: Path, machine: Machine, root: Path, site: Path) -> None:
        self.python = python
        self.machine = machine
        self.root = root
        self.site = site

    def install(self, words: Sequence[str], why: str) -> None:
        """Install with uv; with pip when uv cannot, or leaves packages that are not whole.

        uv's files are links to those in its cache, so what damages one damages both, and uv installs it again as it is.

        Args:
            words: Requirements and options that pip and uv share (`-r FILE`, `--no-deps`, `--extra-index-url URL`).
            why: What it is that is installed, for the error.

        Raises:
            SetupError: Neither could, or files vanished meanwhile.
        """
        if self._uv is not None:
            done = self._run(*self._uv_command(), *words, more=self._uv)
            broken = half_installed(self.site)
            if done and not broken:
                return
            say("uv could not do it, or not all of it; trying with pip")
            discard(broken)
        self._pip("install", *words, why=why)
        if broken := half_installed(self.site):
            names = ", ".join(info.name.removesuffix(".dist-info") for info in broken)
            raise SetupError(
                f"files of {names} vanished during the install; is the disk full, or a virus scanner at it?"
            )

    def clean(self) -> None:
        """Delete uv's own cache here, once everything is installed."""
        cache = self.root / CACHE
        shutil.rmtree(extended(cache) if sys.platform == "win32" else cache, ignore_errors=True)

    def uninstall(self, name: str, why: str) -> None:
        """Remove a package. why: What it is, for the error. Raise SetupError when it stays."""
        self._pip("uninstall", "-y", name, why=why)

    @cached_property
    def _uv(self) -> dict[str, str] | None:
        """Install uv where its build fits the machine, and return what it is told; None when pip is to do the work."""
        listed = subprocess.run(
            self._pip_command("config", "list"),
            cwd=self.root,
            env=os.environ | {"PYTHONIOENCODING": "utf-8"},  # on Windows a pipe has the system's code page otherwise
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
        told = uv_environment(listed.stdout.splitlines()) if listed.returncode == 0 else None
        if told is None:
            return None
        version = uv_version(PINS.read_text(encoding="utf-8"))
        there = (self.site / f"uv-{version}.dist-info").is_dir()
        wanted = ["--quiet", "--only-binary", ":all:", f"uv=={version}"]
        if not there and not self._run(*self._pip_command("install", *wanted)):
            say("uv cannot be had here; pip installs the packages, which takes some minutes more")
            return None
        return told

    def _uv_command(self) -> list[str]:
        uv = [str(self.python), "-m", "uv", "pip", "install", "--python", str(self.python)]
        # As pip: the best version of all indexes counts, and the system's certificates.
        same = ["--index-strategy", "unsafe-best-match", "--system-certs", "--no-config"]
        # Files are compiled by the first start that needs them. Without leave to write, each start would compile anew.
        compiled = ["--compile-bytecode"] if os.environ.get("PYTHONDONTWRITEBYTECODE") else []
        no_index = ["--no-index"] if NO_INDEX in (self._uv or {}) else []
        # uv's files are links to its cache. Windows deletes none of a file's links while any program has it loaded.
        own = ["--cache-dir", str(self.root / CACHE)] if self.machine.windows else []
        return [*uv, *same, *compiled, *no_index, *own]

    def _pip_command(self, *words: str) -> list[str]:
        return [str(self.python), "-m", "pip", *words]

    def _pip(self, *words: str, why: str) -> None:
        if not self._run(*self._pip_command(*words)):
            hint = "end every running fanslymotion, whose files Windows keeps, and " if self.machine.windows else ""
            raise SetupError(
                f"pip could not finish with {why} (see above); {hint}start again to go on where it stopped"
            )

    def _run(self, *command: str, more: Mapping[str, str] = MappingProxyType({})) -> bool:
        # A `user = true` of pip's would make it refuse to install into any virtual environment.
        env = os.environ | {"PIP_USER": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **more}
        return subprocess.run(command, cwd=self.root, env=env, stdout=2).returncode == 0


def extended(path: PurePath) -> str:
    r"""Return an absolute path as Windows takes it in any length: `\\?\C:\…`, `\\?\UNC\server\share\…`.

    Where long paths are not enabled, Python finds no file whose path has more than 259 letters; uv's cache has some.
    """
    text = str(path)
    return f"\\\\?\\UNC{text[1:]}" if text.startswith("\\\\") else f"\\\\?\\{text}"


def uv_version(pins: str) -> str:
    """Return the version of uv whose builds uv.txt lists.

    It is not in requirements.txt: where no build of it fits the machine, pip does all of the work.
    """
    found = re.search(r"/uv-([0-9.]+)-", pins)
    assert found
    return found[1]


def uv_environment(lines: Iterable[str]) -> dict[str, str] | None:
    """Translate pip's configuration into uv's variables. uv does not read it by itself.

    Args:
        lines: Output of `pip config list`, a setting a line: `global.index-url='https://…'`, `:env:.timeout='60'`.
            The environment counts more than the section of one command, and that more than `global`.

    Returns:
        Variables by name; None when there is a setting that uv does not have or that is not understood.
    """
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in lines:
        place, _, value = line.partition("=")
        section, _, name = place.rpartition(".")
        if section in sections and name not in NO_MATTER:
            sections[section][name] = value
    found: dict[str, str] = {}
    for name, value in (sections["global"] | sections["install"] | sections[":env:"]).items():
        try:
            text = str(ast.literal_eval(value))
        except (SyntaxError, ValueError):
            return None
        if name == "no-index" and text.lower() in YES | NO:
            found |= {NO_INDEX: "1"} if text.lower() in YES else {}
            continue
        if name not in UV_NAMES:
            return None
        # uv wants commas between the places of wheels; a path of the certificate may hold spaces.
        found[UV_NAMES[name]] = text if name == "cert" else ("," if name == "find-links" else " ").join(text.split())
    return found
