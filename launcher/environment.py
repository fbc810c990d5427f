"""Make, fill, check and repair `.venv`."""

import hashlib
import http.client
import json
import os
import platform
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .gpus import find_nvidia_smi, read_gpus
from .installer import Installer
from .lock import only_one
from .machine import (
    OLDEST,
    TOO_NEW,
    Machine,
    check_machine,
    check_path,
    long_paths_enabled,
    synced_by,
)
from .packages import discard, half_installed, site_packages, venv_python
from .report import SetupError, say
from .runtime import check_runtime, find_runtime
from .torch_build import TorchBuild, choose_torch

ROOM_GB = {"cuda": 9, "cpu": 3}  # measured: .venv is 2.2 GB with the CPU build of torch; CUDA libraries add about 5
RENAME_TRIES = 50  # five seconds
NO_PYTHON = 103  # exit code of a Windows environment's python.exe whose base was removed ("No Python at …")


class Setup:
    """Make, fill, check and repair `.venv` in the checkout. Its stamp is written last, when all is well.

    Args:
        root: The checkout's folder.
        machine: The machine that it is for.
    """

    def __init__(self, root: Path, machine: Machine) -> None:
        self.root = root
        self.machine = machine
        self.venv = root / ".venv"
        self.python = Path(venv_python(self.venv, machine))
        self.stamp = self.venv / "fanslymotion.json"
        wish = os.environ.get("FANSLYMOTION_TORCH", "").strip() or self._read_stamp().get("asked", "")
        self.asked = "" if wish == "auto" else wish
        """A wish is remembered: a start without it must not bring back the build that does not fit."""
        self.nvidia_smi = find_nvidia_smi(machine)

    def ensure(self, dev: bool = False, repair: bool = False, asked: bool = False) -> None:
        """Leave a whole `.venv` behind. Two starts at once do it one after the other.

        Args:
            dev: Also install what the tests need.
            repair: Make `.venv` anew, whatever it holds.
            asked: The set-up is what is wanted, and not only a start: every package is looked at, and the build of
                torch is chosen anew, for another driver or card may be there. A start does neither: it is to be
                quick, and a driver that is broken for a day must not cost 3 GB.

        Raises:
            SetupError: It cannot be done; the text says why and what to do.
        """
        if not repair and self.ready(dev, asked):
            return
        check_machine(self.machine)
        check_path(self.root, self.machine, long_paths_enabled())
        if sys.platform == "win32":
            check_runtime(find_runtime())
        if folder := synced_by(self.root, self.machine, os.environ):
            say(
                f"{self.root} lies in {folder}, which OneDrive copies to the cloud: 30,000 files of packages, and a "
                r"database that it may lock. Better move the folder, for example to C:\fanslymotion"
            )
        with only_one(self.root / ".venv.lock"):
            if repair or not self.ready(dev, asked):
                if repair or not self._fits():
                    self._make()
                self._install(dev or bool(self._read_stamp().get("dev")))

    def ready(self, dev: bool, asked: bool = False) -> bool:
        """Return whether `.venv` is as the last set-up left it, and that set-up was for what is there now.

        Args:
            dev: Whether it must have what the tests need.
            asked: Also look at every package's files and at the build of torch, see `ensure`.
        """
        stamp, python = self._read_stamp(), self._running_python()
        if python is None or stamp.get("base") != self._fingerprint(python):
            return False
        if asked and (stamp.get("torch") != self._torch().suffix or not self._untouched(python, stamp)):
            return False
        return not dev or stamp.get("dev") == self._dev_fingerprint()

    def _untouched(self, python: tuple[int, int], stamp: Mapping[str, Any]) -> bool:
        """Return whether every package of the set-up is still there, in that version and with all of its files."""
        site = self._site(python)
        left = [site / name for name in stamp.get("packages", [])]
        return bool(left) and all(info.is_dir() for info in left) and not half_installed(site)

    def _torch(self) -> TorchBuild:
        return choose_torch(self.machine, read_gpus(self.nvidia_smi), self.asked)

    def _site(self, python: tuple[int, int]) -> Path:
        return Path(site_packages(self.venv, self.machine, python))

    def _moved(self) -> bool:
        """Return whether the folder was moved: the environment's scripts name the old place then."""
        return self._read_stamp().get("root") not in (None, str(self.root))

    def _fits(self) -> bool:
        """Return whether `.venv` can be filled as it is. Making it anew costs gigabytes: not on a mere suspicion."""
        python = self._running_python()
        return python is not None and OLDEST <= python < TOO_NEW and not self._moved()

    def _make(self) -> None:
        if self.venv.exists():
            say(f"making {self.venv} anew" + (": the checkout was moved" if self._moved() else ""))
            try:
                shutil.rmtree(self.venv)
            except OSError as e:
                raise SetupError(f"{self.venv} cannot be removed ({e}); end every running fanslymotion first") from e
        say(f"making {self.venv} with Python {platform.python_version()}")
        # With .venv activated, sys.executable lay in what has just been removed.
        base = getattr(sys, "_base_executable", sys.executable)
        made = subprocess.run([base, "-m", "venv", str(self.venv)], stdout=2)
        if made.returncode != 0:
            hint = "on Debian and Ubuntu: sudo apt install python3-venv; " if self.machine.system == "Linux" else ""
            raise SetupError(f"{self.venv} could not be made (see above); {hint}is the disk full or read-only?")

    def _install(self, dev: bool) -> None:
        python = self._running_python()
        if python is None:
            raise SetupError(f"{self.python} does not run; delete {self.venv} and start again")
        before = self._read_stamp()
        self.stamp.unlink(missing_ok=True)  # from here on until the end, a kill must not look like success
        site = self._site(python)
        if leftovers := {*half_installed(site), *site.glob("~*")}:  # ~: where pip keeps what it replaces
            say("packages that are not whole are installed again")
            discard(leftovers)
        if not any(site.glob("pip-*.dist-info")):
            subprocess.run([str(self.python), "-m", "ensurepip"], stdout=2)
        build = self._torch()
        say(f"PyTorch: {build.why}")
        if not before:
            self._check_room("cuda" if build.suffix.startswith("cu") else "cpu")
        installer = Installer(self.python, self.machine, self.root, site)
        self._install_torch(installer, build, before.get("torch"))
        say("installing the packages of requirements.txt")
        files = ["requirements.txt", "tests/requirements.txt"] if dev else ["requirements.txt"]
        # What a ROCm build of torch needs is in PyTorch's own index only.
        more = ["--extra-index-url", build.index] if build.suffix.startswith("rocm") else []
        installer.install([*(word for name in files for word in ("-r", name)), *more], why="the packages")
        self._write_stamp(python, build, dev)
        installer.clean()
        say("ready")

    def _install_torch(self, installer: Installer, build: TorchBuild, before: str | None) -> None:
        """Install the chosen build first; the requirements' plain `torch==X` then counts as met by `X+cu130`."""
        if before is not None and before != build.suffix and not build.suffix:
            installer.uninstall("torch", why="the earlier build of PyTorch")
        if not build.suffix:
            return
        if build.optional and not answers(f"{build.index}/torch/"):
            say(f"{build.index} cannot be reached; taking the build of the package index")
            return
        lines = (self.root / "requirements.txt").read_text(encoding="utf-8").splitlines()
        pin = next(line for line in lines if line.startswith("torch=="))
        installer.install(
            ["--no-deps", f"{pin}+{build.suffix}", "--extra-index-url", build.index],
            why=f"{pin}+{build.suffix} from {build.index}; FANSLYMOTION_TORCH=pypi takes the package index's build",
        )  # fmt: skip

    def _check_room(self, kind: str) -> None:
        free = shutil.disk_usage(self.root).free / 1e9
        if free < ROOM_GB[kind]:
            say(f"only {free:.1f} GB are free on this disk; a first install takes about {ROOM_GB[kind]} GB")

    def _running_python(self) -> tuple[int, int] | None:
        """Return the version of `.venv`'s Python; None when it or its base is gone, or it is no environment's.

        Raise SetupError if it is silent.

        That may pass: no memory for a process, a virus scanner, a disk that wakes up.
        """
        if not self.python.exists():  # a link to nowhere, too
            return None
        code = "import sys; print(*sys.version_info[:2], sys.prefix != sys.base_prefix)"
        try:
            answer = subprocess.run(
                [str(self.python), "-I", "-c", code],
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=60,
            )
            if self.machine.windows and answer.returncode == NO_PYTHON:
                return None
            major, minor, separate = answer.stdout.split()
            # Without its pyvenv.cfg it is the Python that it was made with, and packages would go there.
            return (int(major), int(minor)) if separate == "True" else None
        except (OSError, ValueError, subprocess.TimeoutExpired) as e:
            raise SetupError(
                f"{self.python} does not answer ({e}); try again, and if that does not help: setup --repair"
            ) from e

    def _fingerprint(self, python: tuple[int, int]) -> str:
        files = ("requirements.txt", "pyproject.toml")
        return fingerprint(self.root, python, self.nvidia_smi is not None, self.asked, files)

    def _dev_fingerprint(self) -> str:
        return hashlib.sha256((self.root / "tests" / "requirements.txt").read_bytes()).hexdigest()

    def _read_stamp(self) -> dict[str, Any]:
        try:
            found = json.loads(self.stamp.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write_stamp(self, python: tuple[int, int], build: TorchBuild, dev: bool) -> None:
        stamp = {
            "asked": self.asked,
            "base": self._fingerprint(python),
            "dev": self._dev_fingerprint() if dev else "",
            "packages": sorted(info.name for info in self._site(python).glob("*.dist-info")),
            "root": str(self.root),
            "torch": build.suffix,
        }
        part = self.stamp.with_suffix(".part")
        part.write_text(json.dumps(stamp), encoding="utf-8")
        for left in reversed(range(RENAME_TRIES)):
            try:
                part.replace(self.stamp)
                return
            except PermissionError:  # Windows renames no file that a virus scanner or the indexer reads
                if not self.machine.windows or not left:
                    raise
            time.sleep(0.1)


def fingerprint(root: Path, python: tuple[int, int], gpu_tool: bool, asked: str, files: Sequence[str]) -> str:
    """Hash what must lead to a new set-up when it changes.

    Args:
        root: The checkout's folder.
        python: The environment's (major, minor).
        gpu_tool: Whether nvidia-smi is there.
        asked: FANSLYMOTION_TORCH.
        files: Names in `root` whose bytes count.
    """
    digest = hashlib.sha256(json.dumps([str(root), python, gpu_tool, asked]).encode())
    for name in files:
        digest.update((root / name).read_bytes())
    return digest.hexdigest()


def answers(url: str) -> bool:
    """Return whether a GET of this address succeeds within 8 seconds."""
    try:
        with urllib.request.urlopen(url, timeout=8) as answer:
            return answer.status == 200
    except (OSError, ValueError, http.client.HTTPException):  # the last one where no HTTP is spoken
        return False
