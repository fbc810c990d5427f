"""What the launcher decides: pure functions, checked for every kind of machine on whichever this one is."""

import platform
import sys
import sysconfig
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from fanslymotion.launcher.environment import fingerprint
from fanslymotion.launcher.gpus import Gpu, parse_gpus
from fanslymotion.launcher.installer import extended, uv_environment
from fanslymotion.launcher.machine import LONGEST_ROOT, Machine, check_machine, check_path, synced_by
from fanslymotion.launcher.main import launch_words
from fanslymotion.launcher.packages import half_installed, site_packages, venv_python
from fanslymotion.launcher.report import SetupError
from fanslymotion.launcher.runtime import Runtime, _file_version, check_runtime, find_runtime
from fanslymotion.launcher.torch_build import choose_torch

LINUX = Machine("Linux", "x86_64", (3, 12))
WINDOWS = Machine("Windows", "amd64", (3, 12))
MAC = Machine("Darwin", "arm64", (3, 12))


def test_python_of_the_environment_on_both_kinds_of_paths():
    windows = PureWindowsPath(r"C:\Users\Мария\my studio\.venv")
    assert str(venv_python(windows, WINDOWS)) == r"C:\Users\Мария\my studio\.venv\Scripts\python.exe"
    assert str(site_packages(windows, WINDOWS, (3, 13))) == r"C:\Users\Мария\my studio\.venv\Lib\site-packages"
    posix = PurePosixPath("/home/maria/my studio/.venv")
    assert str(venv_python(posix, LINUX)) == "/home/maria/my studio/.venv/bin/python"
    assert str(site_packages(posix, MAC, (3, 11))) == "/home/maria/my studio/.venv/lib/python3.11/site-packages"


@pytest.mark.parametrize(
    ("machine", "gpus", "suffix"),
    [
        (WINDOWS, [Gpu(591, (8, 9))], "cu130"),  # RTX 40, current driver
        (WINDOWS, [Gpu(551, (8, 6))], "cu126"),  # RTX 30, driver from before CUDA 13
        (WINDOWS, [Gpu(582, (6, 1))], "cu126"),  # GTX 10: CUDA 13 has no code for it
        (WINDOWS, [Gpu(572, (12, 0))], "cu130"),  # RTX 50: CUDA 12.6 has no code for it
        (WINDOWS, [Gpu(472, (7, 5))], "cpu"),  # driver too old for either
        (WINDOWS, [Gpu(581, (6, 1)), Gpu(581, (8, 6))], "cu130"),  # the better GPU decides
        (WINDOWS, [Gpu(537, (0, 0))], "cu126"),  # nvidia-smi too old to know compute_cap
        (WINDOWS, [], ""),  # the package index has the CPU build there
        (LINUX, [], "cpu"),
        (LINUX, [Gpu(580, (9, 0))], "cu130"),
        (LINUX, [Gpu(535, (8, 0))], "cu126"),
        (MAC, [], ""),
        (Machine("Linux", "aarch64", (3, 12)), [Gpu(580, (9, 0))], ""),
    ],
)
def test_build_of_torch_fits_system_gpu_and_driver(machine, gpus, suffix):
    assert choose_torch(machine, gpus).suffix == suffix


def test_old_driver_is_told_what_to_do():
    assert "update the NVIDIA driver" in choose_torch(WINDOWS, [Gpu(572, (12, 0))]).why
    assert "update the NVIDIA driver" in choose_torch(LINUX, [Gpu(470, (8, 6))]).why


def test_own_wish_wins():
    assert choose_torch(WINDOWS, [Gpu(591, (8, 9))], asked="cu126").index.endswith("/whl/cu126")
    assert choose_torch(LINUX, [], asked="pypi").suffix == ""


def test_gpus_as_nvidia_smi_prints_them():
    assert parse_gpus("591.44, 8.9\n591.44, 6.1\n") == [Gpu(591, (8, 9)), Gpu(591, (6, 1))]
    assert parse_gpus("580.65.06, 9.0\r\n") == [Gpu(580, (9, 0))]
    assert parse_gpus("537.13, [N/A]\n") == [Gpu(537, (0, 0))]
    assert parse_gpus("472.12\n") == [Gpu(472, (0, 0))]
    assert parse_gpus("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n") == []
    assert parse_gpus("") == []


@pytest.mark.parametrize(
    ("machine", "says"),
    [
        (Machine("Linux", "x86_64", (3, 10)), "Python 3.10"),
        (Machine("Linux", "x86_64", (3, 14)), "Python 3.14"),
        (Machine("Windows", "x86", (3, 12), bits=32), "32-bit"),
        (Machine("Windows", "arm64", (3, 12)), "Python for arm64.*Intel/AMD"),
        (Machine("Windows", "mingw_x86_64_ucrt", (3, 12)), "Python for mingw_x86_64_ucrt.*Intel/AMD"),
        (Machine("Darwin", "x86_64", (3, 12)), "Apple silicon"),
    ],
)
def test_machines_without_a_build_are_told_so(machine, says):
    with pytest.raises(SetupError, match=says):
        check_machine(machine)


SYSTEM = r"C:\WINDOWS\SYSTEM32\MSVCP140.dll"


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (None, "is missing.*winget install"),
        (Runtime(SYSTEM, (14, 39)), "version 14.39.*needs 14.40.*winget install"),
        (Runtime(SYSTEM, (14, 0)), "version 14.0,"),
        (Runtime(r"D:\anaconda3\msvcp140.dll", (14, 29)), r"D:\\anaconda3\\msvcp140.dll.*FANSLYMOTION_PYTHON"),
    ],
)
def test_a_runtime_without_which_torch_ends_is_told_before_the_download(found, says):
    """Games bring old ones. "WinError 1114" is all that torch says then: pytorch/pytorch#169429."""
    with pytest.raises(SetupError, match=says):
        check_runtime(found)


@pytest.mark.parametrize("version", [(14, 40), (14, 51), (15, 0), None])
def test_a_runtime_that_is_new_enough_or_does_not_tell_passes(version):
    check_runtime(Runtime(SYSTEM, version))


@pytest.mark.skipif(sys.platform != "win32", reason="asks Windows for it")
def test_the_runtime_of_this_windows_is_found():
    found = find_runtime()
    assert found is not None
    assert Path(found.path).name.lower() == "msvcp140.dll"
    library = Path(sys.base_prefix, f"python{sys.version_info[0]}{sys.version_info[1]}.dll")
    assert _file_version(str(library)) == sys.version_info[:2]
    assert _file_version(r"C:\no\such.dll") is None


def test_windows_takes_a_path_of_any_length():
    assert extended(PureWindowsPath(r"C:\my studio\.uv-cache")) == r"\\?\C:\my studio\.uv-cache"
    assert extended(PureWindowsPath(r"\\server\share\studio")) == r"\\?\UNC\server\share\studio"


def test_a_python_for_amd64_on_an_arm_computer_has_builds(monkeypatch):
    """From Python 3.12 on `platform.machine()` asks Windows' management service, which tells the processor."""
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    monkeypatch.setattr(platform, "machine", lambda: "ARM64")
    monkeypatch.setattr(sysconfig, "get_platform", lambda: "win-amd64")
    machine = Machine.this()
    assert (machine.windows, machine.arch) == (True, "amd64")
    check_machine(machine)
    monkeypatch.setattr(sysconfig, "get_platform", lambda: "win-arm64")
    with pytest.raises(SetupError, match="Intel/AMD"):
        check_machine(Machine.this())


@pytest.mark.parametrize("machine", [LINUX, WINDOWS, MAC])
def test_machines_with_a_build_pass(machine):
    check_machine(machine)


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ([], ["ui"]),
        (["--port", "8000"], ["ui", "--port", "8000"]),
        (["--help"], ["--help"]),
        (["--version"], ["--version"]),
        (["generate", "a photo.jpg", "--json"], ["generate", "a photo.jpg", "--json"]),
    ],
)
def test_words_go_to_the_command(words, command):
    assert launch_words(words) == command


def test_fingerprint_changes_with_what_matters(tmp_path):
    file = tmp_path / "requirements.txt"
    file.write_text("a==1\n", encoding="utf-8")

    def now(root=tmp_path, python=(3, 11), gpu=False, asked=""):
        return fingerprint(root, python, gpu, asked, [str(file)])

    first = now()
    assert first == now()
    assert len({first, now(python=(3, 12)), now(gpu=True), now(asked="cpu"), now(root=tmp_path / "moved")}) == 5
    file.write_text("a==2\n", encoding="utf-8")
    assert now() != first


def package(site: Path, name: str) -> Path:
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (site / f"{name}.py").write_text("x = 1\n", newline="", encoding="utf-8")
    (info / "METADATA").write_text("Name: x\n", encoding="utf-8")
    (info / "RECORD").write_text(
        f"{name}.py,sha256=abc,6\n{info.name}/RECORD,,\n__pycache__/{name}.pyc,,\n", encoding="utf-8"
    )
    return info


def test_packages_that_an_interrupted_install_left_are_found(tmp_path):
    package(tmp_path, "whole")
    no_record = package(tmp_path, "no_record")
    (no_record / "RECORD").unlink()
    gone = package(tmp_path, "gone")
    (tmp_path / "gone.py").unlink()
    cut = package(tmp_path, "cut")
    (tmp_path / "cut.py").write_text("x", encoding="utf-8")
    garbled = package(tmp_path, "garbled")
    (garbled / "RECORD").write_bytes(b"\xff\xfe\x00")
    assert half_installed(tmp_path) == sorted([no_record, gone, cut, garbled])


def test_a_path_that_windows_cannot_hold_is_said_before_anything_is_fetched():
    unpacked = PureWindowsPath(r"C:\Users\Александр Петров\Downloads\fanslymotion-main\fanslymotion-main")
    with pytest.raises(SetupError, match=rf"71 letters, {LONGEST_ROOT} fit"):
        check_path(unpacked, WINDOWS, long_paths=False)
    check_path(unpacked, WINDOWS, long_paths=True)
    check_path(PureWindowsPath("C:/" + "x" * (LONGEST_ROOT - 3)), WINDOWS, long_paths=False)
    check_path(PurePosixPath("/" + "x" * 200), LINUX, long_paths=False)


def test_the_longest_path_is_still_the_longest():
    """Of the files that pip lays down here, which are torch's on every system."""
    spec = find_spec("torch")
    assert spec is not None
    assert spec.origin is not None
    site = Path(spec.origin).parents[1]
    records = [info / "RECORD" for info in site.glob("*.dist-info")]
    names = [line.split(",")[0] for record in records for line in record.read_text(encoding="utf-8").splitlines()]
    longest = max(len(name) for name in names if not name.startswith(("..", "/")))
    longest += len("+cu130") - len("+cpu" if "+cpu" in version("torch") else "")
    in_site = len(r"\.venv\Lib\site-packages") + 1
    assert LONGEST_ROOT + in_site + longest <= 259


@pytest.mark.parametrize(
    ("root", "synced"),
    [
        (r"C:\Users\Anna\OneDrive\Desktop\studio", True),
        (r"c:\users\anna\onedrive - firm\studio", True),
        (r"C:\Users\Anna\OneDriver\studio", False),
        (r"C:\fanslymotion", False),
    ],
)
def test_a_folder_that_onedrive_synchronises(root, synced):
    environ = {"OneDrive": r"C:\Users\Anna\OneDrive", "OneDriveCommercial": r"C:\Users\Anna\OneDrive - Firm"}
    assert bool(synced_by(PureWindowsPath(root), WINDOWS, environ)) is synced
    assert synced_by(PureWindowsPath(root), LINUX, environ) == ""
    assert synced_by(PureWindowsPath(root), WINDOWS, {}) == ""


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ([], {}),
        (["global.index-url='https://mirror/simple'"], {"UV_DEFAULT_INDEX": "https://mirror/simple"}),
        (
            ["global.extra-index-url='\\nhttps://one\\nhttps://two'", "install.trusted-host='one'"],
            {"UV_INDEX": "https://one https://two", "UV_INSECURE_HOST": "one"},
        ),
        (["global.find-links='/a /b'", "global.constraint='/c'"], {"UV_FIND_LINKS": "/a,/b", "UV_CONSTRAINT": "/c"}),
        ([":env:.cert='/a b.pem'", "global.cert='/b.pem'", "install.cert='/c.pem'"], {"SSL_CERT_FILE": "/a b.pem"}),
        (["global.timeout='60'", ":env:.no-input='1'", ":env:.config-file='nul'", "global.user='true'"], {}),
        (["download.pre='true'", "freeze.all='true'"], {}),  # of other commands
        (
            [":env:.no-index='1'", "global.find-links='C:\\\\колёса'"],
            {"UV_FIND_LINKS": "C:\\колёса", "PIP_NO_INDEX": "1"},
        ),
        (["global.no-index='false'"], {}),
        (["global.no-index='perhaps'"], None),
        (["global.pre='true'"], None),
        (["install.require-hashes='true'"], None),
        (["global.index-url=https://not.quoted"], None),
    ],
)
def test_pips_configuration_in_uvs_words(settings, told):
    assert uv_environment(settings) == told
