"""Install packages into an environment: with uv, which takes a tenth of pip's time, or with pip where uv cannot."""

import ast
import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from .report import SetupError, say

PINS = Path(__file__).with_name("uv.txt")

ONE_VALUE = {"cert": "--cert", "index-url": "--default-index"}
SEVERAL_VALUES = {
    "constraint": "--constraints",
    "extra-index-url": "--extra-index-url",
    "find-links": "--find-links",
    "trusted-host": "--allow-insecure-host",
}
NO_MATTER = {
    "break-system-packages", "cache-dir", "compile", "default-timeout", "disable-pip-version-check", "format",
    "no-cache-dir", "no-color", "no-compile", "no-input", "no-python-version-warning", "no-warn-conflicts",
    "no-warn-script-location", "prefer-binary", "progress-bar", "quiet", "require-virtualenv", "resume-retries",
    "retries", "root-user-action", "timeout", "upgrade-strategy", "user", "verbose",
}  # fmt: skip
"""Settings of pip that change neither what is installed nor where from."""


class Installer:
    """Install packages as the machine's pip configuration says.

    Args:
        python: The environment's Python. It has pip.
        root: The folder that relative paths in requirements start from.
        site: The environment's folder of packages.
    """

    def __init__(self, python: Path, root: Path, site: Path) -> None:
        self.python = python
        self.root = root
        self.site = site
        self._uv: list[str] | None = None

    def install(self, words: Sequence[str], why: str) -> None:
        """Install with uv; with pip when uv cannot.

        Args:
            words: Requirements and options that pip and uv share (`-r FILE`, `--no-deps`, `--extra-index-url URL`).
            why: What it is that is installed, for the error.

        Raises:
            SetupError: Neither could.
        """
        if self._uv is None:
            self._uv = self._find_uv()
        if self._uv:
            if self._run(*self._uv, *words):
                return
            say("uv could not do it (see above); trying with pip")
        self._pip("install", *words, why=why)

    def uninstall(self, name: str, why: str) -> None:
        """Remove a package. why: What it is, for the error. Raise SetupError when it stays."""
        self._pip("uninstall", "-y", name, why=why)

    def _find_uv(self) -> list[str]:
        """Return the command that installs with uv, empty when pip is to do it."""
        listed = subprocess.run(
            [str(self.python), "-m", "pip", "config", "list"],
            cwd=self.root, capture_output=True, encoding="utf-8", errors="replace",
        )  # fmt: skip
        options = uv_options(listed.stdout.splitlines()) if listed.returncode == 0 else None
        if options is None:
            return []
        version = uv_version(PINS.read_text(encoding="utf-8"))
        there = (self.site / f"uv-{version}.dist-info").is_dir()
        wanted = ["--quiet", "--only-binary", ":all:", f"uv=={version}"]
        if not there and not self._run(*self._pip_command("install", *wanted)):
            say("uv cannot be had here; pip installs the packages, which takes some minutes more")
            return []
        # As pip: the best version of all indexes counts, and the system's certificates.
        same = ["--index-strategy", "unsafe-best-match", "--system-certs", "--no-config"]
        # Files are compiled by the first start that needs them. Without leave to write, each start would compile anew.
        compiled = ["--compile-bytecode"] if os.environ.get("PYTHONDONTWRITEBYTECODE") else []
        uv = [str(self.python), "-m", "uv", "pip", "install", "--python", str(self.python)]
        return [*uv, *same, *compiled, *options]

    def _pip_command(self, *words: str) -> list[str]:
        return [str(self.python), "-m", "pip", *words]

    def _pip(self, *words: str, why: str) -> None:
        if not self._run(*self._pip_command(*words)):
            raise SetupError(f"pip could not finish with {why} (see above); start again to go on where it stopped")

    def _run(self, *command: str) -> bool:
        # A `user = true` of pip's would make it refuse to install into any virtual environment.
        env = os.environ | {"PIP_USER": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        return subprocess.run(command, cwd=self.root, env=env, stdout=2).returncode == 0


def uv_version(pins: str) -> str:
    """Return the version of uv whose builds uv.txt lists.

    It is not in requirements.txt: where no build of it fits the machine, pip does all of the work.
    """
    found = re.search(r"/uv-([0-9.]+)-", pins)
    assert found
    return found[1]


def uv_options(lines: Iterable[str]) -> list[str] | None:
    """Translate pip's configuration into uv's options. uv does not read it by itself.

    Args:
        lines: Output of `pip config list`, a setting a line: `global.index-url='https://…'`, `:env:.timeout='60'`.
            The environment counts more than the section of one command, and that more than `global`.

    Returns:
        uv's options; None when there is a setting that uv does not have or that is not understood.
    """
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in lines:
        place, _, value = line.partition("=")
        section, _, name = place.rpartition(".")
        if section in sections and name not in NO_MATTER:
            sections[section][name] = value
    options: list[str] = []
    for name, value in (sections["global"] | sections["install"] | sections[":env:"]).items():
        try:
            text = str(ast.literal_eval(value))
        except (SyntaxError, ValueError):
            return None
        if name in ONE_VALUE:
            options += [ONE_VALUE[name], text]
        elif name in SEVERAL_VALUES:
            options += [word for one in text.split() for word in (SEVERAL_VALUES[name], one)]
        else:
            return None
    return options
