"""Set fanslymotion up and start it. Standard library only: it runs before anything is installed.

launch.sh and launch.ps1 find a Python and hand over to this file:

    launch.py                        set up when needed, start the page and a worker, open the browser
    launch.py WORDS                  set up when needed, then `fanslymotion WORDS`
    launch.py setup [--dev] [--repair]
                                     only set up: looks at every package and mends what is missing; --dev adds what
                                     the tests need, --repair makes .venv anew
"""

import contextlib
import csv
import hashlib
import io
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath, PureWindowsPath
from typing import Any

ROOT = Path(__file__).resolve().parent
OLDEST, TOO_NEW = (3, 11), (3, 14)
TORCH_WHEELS = "https://download.pytorch.org/whl/"
CUDA_13_DRIVER, CUDA_12_DRIVER = 580, 525  # oldest NVIDIA drivers; docs.nvidia.com/deploy/cuda-compatibility
ROOM_GB = {"cuda": 9, "cpu": 3}  # measured: .venv is 2.2 GB with the CPU build of torch; CUDA libraries add about 5
NO_PYTHON = 103  # exit code of a Windows environment's python.exe whose base was removed ("No Python at …")


LONGEST_ROOT = 61
"""Letters of the checkout's path on a Windows that keeps to 259 in all: torch's names take up to 173 (`+cu130`)."""
RUNTIME = "https://aka.ms/vs/17/release/vc_redist.x64.exe"
HARMLESS = ("PYTHONUTF8", "PYTHONIOENCODING", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
"""Python's variables that our processes keep. The others (PYTHONPATH, PYTHONHOME, …) belong to other programs."""


class SetupError(Exception):
    """Set-up cannot go on; the text says why and what to do."""


# Pure decisions: they take the machine as an argument, so that one test machine checks all of them.


@dataclass(frozen=True)
class Machine:
    """system as `platform.system()` says; arch in lower case; python: (major, minor); bits: 32 or 64."""

    system: str
    arch: str
    python: tuple[int, int]
    bits: int = 64

    @classmethod
    def this(cls) -> "Machine":
        bits = 64 if sys.maxsize > 2**32 else 32
        return cls(platform.system(), platform.machine().lower(), sys.version_info[:2], bits)

    @property
    def windows(self) -> bool:
        return self.system == "Windows"


@dataclass(frozen=True)
class Gpu:
    """driver: its major version. capability: CUDA compute capability, (0, 0) when an old nvidia-smi does not say."""

    driver: int
    capability: tuple[int, int]


@dataclass(frozen=True)
class TorchBuild:
    """suffix: `cpu`, `cu130`, … = that build from PyTorch's own index; "" = the package index's build. why: for people.

    optional: when PyTorch's index cannot be reached, the package index's build does as well (it is only larger).
    """

    suffix: str
    why: str
    optional: bool = False

    @property
    def index(self) -> str:
        return TORCH_WHEELS + self.suffix


def check_machine(machine: Machine) -> None:
    """Raise SetupError where PyTorch has no builds."""
    if not OLDEST <= machine.python < TOO_NEW:
        raise SetupError(
            f"this is Python {machine.python[0]}.{machine.python[1]}; fanslymotion needs 3.11, 3.12 or 3.13"
        )
    if machine.bits != 64:
        raise SetupError("this is a 32-bit Python; install the 64-bit one from https://www.python.org/downloads/")
    if machine.system == "Darwin" and machine.arch == "x86_64":
        raise SetupError("PyTorch no longer comes for Intel Macs; fanslymotion needs a Mac with Apple silicon")
    if machine.windows and machine.arch == "arm64":
        raise SetupError(
            "PyTorch comes for 64-bit Intel/AMD Python on Windows only; install that one (it runs on ARM as well)"
        )


def check_path(root: PurePath, machine: Machine, long_paths: bool) -> None:
    """Raise SetupError where Windows will refuse files of the installed packages. long_paths: it has no such limit."""
    length = len(str(root))
    if machine.windows and not long_paths and length > LONGEST_ROOT:
        raise SetupError(
            f"the folder's name is too long for Windows: {root} has {length} letters, {LONGEST_ROOT} fit. "
            r"Move the folder, for example to C:\fanslymotion, and start again"
        )


def synced_by(root: PurePath, machine: Machine, environ: Mapping[str, str]) -> str:
    """The OneDrive folder that `root` lies in, "" when it lies in none."""
    if machine.windows:
        for name in ("OneDrive", "OneDriveConsumer", "OneDriveCommercial"):
            folder = environ.get(name, "")
            if folder and PureWindowsPath(str(root)).is_relative_to(PureWindowsPath(folder)):
                return folder
    return ""


def long_paths_enabled() -> bool:
    """Whether this Windows takes paths beyond 259 letters (its registry says so); True on other systems."""
    if sys.platform != "win32":
        return True
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem") as key:
            return winreg.QueryValueEx(key, "LongPathsEnabled")[0] == 1
    except OSError:
        return False


def has_runtime() -> bool:
    """Whether the Microsoft Visual C++ runtime, which torch's wheels do not bring, can be loaded."""
    if sys.platform != "win32":
        return True
    import ctypes

    try:
        ctypes.WinDLL("msvcp140.dll")
    except OSError:
        return False
    return True


def venv_python(venv: PurePath, machine: Machine) -> PurePath:
    return venv / "Scripts" / "python.exe" if machine.windows else venv / "bin" / "python"


def site_packages(venv: PurePath, machine: Machine, python: tuple[int, int]) -> PurePath:
    if machine.windows:
        return venv / "Lib" / "site-packages"
    return venv / "lib" / f"python{python[0]}.{python[1]}" / "site-packages"


def parse_gpus(text: str) -> list[Gpu]:
    """Read `nvidia-smi --query-gpu=driver_version,compute_cap --format=csv,noheader` (or its first column alone)."""
    gpus = []
    for line in text.splitlines():
        driver, _, capability = (part.strip() for part in line.partition(","))
        if match := re.fullmatch(r"(\d+)\.[\d.]+", driver):
            numbers = re.fullmatch(r"(\d+)\.(\d+)", capability)
            gpus.append(Gpu(int(match[1]), (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)))
    return gpus


def choose_torch(machine: Machine, gpus: Sequence[Gpu], asked: str = "") -> TorchBuild:
    """The build of torch for this machine. asked: FANSLYMOTION_TORCH (`cpu`, `cu126`, `cu130`, `pypi`, …).

    torch 2.13 comes for CUDA 13.0 (Turing and newer) and 12.6 (Maxwell to Hopper): pytorch/pytorch RELEASE.md.
    """
    if asked:
        return TorchBuild("" if asked == "pypi" else asked, f"FANSLYMOTION_TORCH={asked}")
    if machine.system == "Darwin":
        return TorchBuild("", "the build for Apple silicon")
    if machine.arch not in ("x86_64", "amd64"):
        return TorchBuild("", f"the build for {machine.arch}")
    if not gpus:  # on Windows the package index has the CPU build, on Linux 3 GB of CUDA libraries for nobody
        linux = machine.system == "Linux"
        return TorchBuild("cpu" if linux else "", "the CPU build: no NVIDIA GPU was found", optional=linux)
    gpu = max(gpus, key=lambda g: g.capability)
    name = f"NVIDIA GPU of compute capability {gpu.capability[0]}.{gpu.capability[1]}, driver {gpu.driver}"
    if gpu.capability >= (7, 5) and gpu.driver >= CUDA_13_DRIVER:
        return TorchBuild("cu130", f"CUDA 13.0 for the {name}")
    if gpu.capability >= (10, 0):
        update = f"update the NVIDIA driver to {CUDA_13_DRIVER} or newer, or the GPU will not be used"
        return TorchBuild("cu130", f"CUDA 13.0 for the {name}; {update}")
    if gpu.driver >= CUDA_12_DRIVER:
        return TorchBuild("cu126", f"CUDA 12.6 for the {name}")
    update = f"update the NVIDIA driver to {CUDA_12_DRIVER} or newer and run the set-up again to use the GPU"
    return TorchBuild("cpu", f"the CPU build: the {name} is too old; {update}", optional=True)


def launch_words(words: Sequence[str]) -> list[str]:
    """What the `fanslymotion` command gets: no words = the page; options alone belong to the page too."""
    if not words or (words[0].startswith("-") and words[0] not in ("--help", "-h", "--version")):
        return ["ui", *words]
    return list(words)


def fingerprint(root: Path, python: tuple[int, int], gpu_tool: bool, asked: str, files: Sequence[str]) -> str:
    """Changes when the set-up must run again: other requirements, another place, Python, GPU or wish."""
    digest = hashlib.sha256(json.dumps([str(root), python, gpu_tool, asked]).encode())
    for name in files:
        digest.update((root / name).read_bytes())
    return digest.hexdigest()


def half_installed(site: Path) -> list[Path]:
    """The `.dist-info` folders of packages that an interrupted install left without all of their files.

    pip writes RECORD last and takes any package with METADATA for installed, so after a kill it would never mend it.
    """
    return [info for info in sorted(site.glob("*.dist-info")) if not _whole(site, info)]


def _whole(site: Path, info: Path) -> bool:
    try:
        with (info / "RECORD").open(encoding="utf-8", newline="") as record:
            for name, _, size in (row for row in csv.reader(record) if row):
                if not name.endswith(".pyc") and size and (site / name).stat().st_size != int(size):
                    return False
    except (OSError, ValueError):
        return False
    return True


# The machine itself


def find_nvidia_smi(machine: Machine) -> str | None:
    """Windows keeps it off the PATH at times, WSL always."""
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


def say(text: str) -> None:
    """To stderr: stdout belongs to the command that is started afterwards (`generate --json`)."""
    print(f"fanslymotion: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold a lock that the system frees when this process ends in any way; say so while waiting for another."""
    with path.open("a+b") as file:
        waiting = False
        while not _try_lock(file.fileno()):
            if not waiting:
                say("another start is setting up; waiting for it …")
                waiting = True
            time.sleep(0.2)
        yield  # closing the file frees the lock


def _try_lock(fd: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(fd, 0, os.SEEK_SET)
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


class Setup:
    """`.venv` in the checkout: made, filled, checked, repaired. Its stamp is written last, when all is well."""

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
        """Leave a whole `.venv` behind, or raise SetupError. Two starts at once do it one after the other.

        asked: somebody wants the set-up, and not only a start: every package is looked at, and the build of torch is
        chosen anew, for another driver or card may be there. A start does neither: it is to be quick, and a driver
        that is broken for a day must not cost 3 GB.
        """
        if not repair and self.ready(dev, asked):
            return
        check_machine(self.machine)
        check_path(self.root, self.machine, long_paths_enabled())
        if not has_runtime():
            raise SetupError(
                "the Microsoft Visual C++ runtime is missing, without which PyTorch does not load. Install it "
                f"(winget install Microsoft.VCRedist.2015+.x64, or {RUNTIME}) and start again"
            )
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
        stamp, python = self._read_stamp(), self._running_python()
        if python is None or stamp.get("base") != self._fingerprint(python):
            return False
        if asked and (stamp.get("torch") != self._torch().suffix or not self._untouched(python, stamp)):
            return False
        return not dev or stamp.get("dev") == self._dev_fingerprint()

    def _untouched(self, python: tuple[int, int], stamp: Mapping[str, Any]) -> bool:
        """Whether every package that the set-up left is still there, in that version and with all of its files."""
        site = self._site(python)
        left = [site / name for name in stamp.get("packages", [])]
        return bool(left) and all(info.is_dir() for info in left) and not half_installed(site)

    def _torch(self) -> TorchBuild:
        return choose_torch(self.machine, read_gpus(self.nvidia_smi), self.asked)

    def _site(self, python: tuple[int, int]) -> Path:
        return Path(site_packages(self.venv, self.machine, python))

    def _moved(self) -> bool:
        """The environment's scripts name the old place then."""
        return self._read_stamp().get("root") not in (None, str(self.root))

    def _fits(self) -> bool:
        """Whether `.venv` can be filled as it is. What is thrown away costs gigabytes: never on a mere suspicion."""
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
        self._discard({*half_installed(site), *site.glob("~*")})  # ~: where pip keeps what it replaces
        if not any(site.glob("pip-*.dist-info")):
            subprocess.run([str(self.python), "-m", "ensurepip"], stdout=2)
        build = self._torch()
        say(f"PyTorch: {build.why}")
        if not before:
            self._check_room("cuda" if build.suffix.startswith("cu") else "cpu")
        self._install_torch(build, before.get("torch"))
        say("installing the packages of requirements.txt")
        files = ["requirements.txt", "tests/requirements.txt"] if dev else ["requirements.txt"]
        # What a ROCm build of torch needs is in PyTorch's own index only.
        more = ["--extra-index-url", build.index] if build.suffix.startswith("rocm") else []
        self._pip("install", *(word for name in files for word in ("-r", name)), *more, why="the packages")
        if broken := half_installed(site):
            names = ", ".join(info.name.removesuffix(".dist-info") for info in broken)
            raise SetupError(
                f"files of {names} vanished during the install; is the disk full, or a virus scanner at it?"
            )
        self._write_stamp(python, build, dev)
        say("ready")

    def _install_torch(self, build: TorchBuild, before: str | None) -> None:
        """Install the chosen build first; the requirements' plain `torch==X` then counts as met by `X+cu130`."""
        if before is not None and before != build.suffix and not build.suffix:
            self._pip("uninstall", "-y", "torch", why="the earlier build of PyTorch")
        if not build.suffix:
            return
        if build.optional and not answers(f"{build.index}/torch/"):
            say(f"{build.index} cannot be reached; taking the build of the package index")
            return
        lines = (self.root / "requirements.txt").read_text(encoding="utf-8").splitlines()
        pin = next(line for line in lines if line.startswith("torch=="))
        self._pip(
            "install", "--no-deps", f"{pin}+{build.suffix}", "--extra-index-url", build.index,
            why=f"{pin}+{build.suffix} from {build.index}; FANSLYMOTION_TORCH=pypi takes the package index's build",
        )  # fmt: skip

    def _pip(self, *words: str, why: str) -> None:
        """The machine's own pip configuration counts. pip runs in the checkout, where `-e .` points."""
        # A `user = true` there would make pip refuse to install into any virtual environment.
        env = os.environ | {"PIP_USER": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        if subprocess.run([str(self.python), "-m", "pip", *words], cwd=self.root, env=env, stdout=2).returncode != 0:
            raise SetupError(f"pip could not finish with {why} (see above); start again to go on where it stopped")

    def _check_room(self, kind: str) -> None:
        free = shutil.disk_usage(self.root).free / 1e9
        if free < ROOM_GB[kind]:
            say(f"only {free:.1f} GB are free on this disk; a first install takes about {ROOM_GB[kind]} GB")

    def _discard(self, leftovers: set[Path]) -> None:
        if leftovers:
            say("packages that are not whole are installed again")
        for path in leftovers:
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _running_python(self) -> tuple[int, int] | None:
        """Version of `.venv`'s Python, None when it or its base is gone. Raise SetupError when it does not answer.

        That may pass: no memory for a process, a virus scanner, a disk that wakes up.
        """
        if not self.python.exists():  # a link to nowhere, too
            return None
        code = "import sys; print(*sys.version_info[:2])"
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
            major, minor = answer.stdout.split()
            return int(major), int(minor)
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
            return dict(json.loads(self.stamp.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}

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
        part.replace(self.stamp)


def answers(url: str) -> bool:
    """Whether a GET of this address succeeds within a few seconds."""
    with contextlib.suppress(OSError, ValueError), urllib.request.urlopen(url, timeout=8) as answer:
        return answer.status == 200
    return False


def utf8_errors() -> None:
    """Write UTF-8 into pipes and files, as the command does afterwards; a Windows console has its own way."""
    if not sys.stderr.isatty() and isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")


def drop_python_variables(environ: MutableMapping[str, str]) -> None:
    """Take out what would change the Python of `.venv` and of its child processes."""
    for name in [name for name in environ if name.upper().startswith("PYTHON") and name.upper() not in HARMLESS]:
        del environ[name]


def hand_over(command: list[str], machine: Machine) -> int:
    """Become the command. Windows has no true exec: wait there, and leave Ctrl+C to the child, which gets it too."""
    if not machine.windows:
        os.execv(command[0], command)
    for name in ("SIGINT", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: None)
    return subprocess.Popen(command).wait()


def main(words: Sequence[str]) -> int:
    utf8_errors()
    drop_python_variables(os.environ)
    machine = Machine.this()
    setup = Setup(ROOT, machine)
    try:
        if words and words[0] == "setup":
            if unknown := set(words[1:]) - {"--dev", "--repair"}:
                say(f"setup does not know {sorted(unknown)[0]!r}; it takes --dev and --repair")
                return 2
            setup.ensure(dev="--dev" in words, repair="--repair" in words, asked=True)
            say(f"set up in {setup.venv}; every package is there and whole")
            return 0
        setup.ensure()
    except SetupError as e:
        say(str(e))
        return 1
    except OSError as e:
        say(f"set-up failed: {e}; {ROOT} must be writable for the first start")
        return 1
    except KeyboardInterrupt:
        say("set-up was interrupted; the next start goes on with it")
        return 130
    # -P: the folder the user stands in must not be searched for modules (a random.py lies in many of them).
    return hand_over([str(setup.python), "-P", "-m", "fanslymotion", *launch_words(words)], machine)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
