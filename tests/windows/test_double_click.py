"""launch.cmd as Windows' command interpreter runs it, with a program in PowerShell's place that wine lacks."""

import shutil
import subprocess
from pathlib import Path

import pytest
from fanslymotion.settings import ROOT

from .prefix import Prefix

COMPILER = "x86_64-w64-mingw32-gcc"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("my studio")
    shutil.copyfile(ROOT / "launch.cmd", folder / "launch.cmd")
    source = Path(__file__).parent / "parts" / "powershell.c"
    subprocess.run([COMPILER, "-O2", "-o", folder / "powershell.exe", source], check=True)
    return folder


def run(prefix: Prefix, folder: Path, code: int, *words: str) -> tuple[int, list[bytes]]:
    """The exit code and the lines of the window. A pause reads a key from the window; here that is the end of input."""
    done = subprocess.run(
        ["wine", "cmd", "/c", "launch.cmd", *words],
        cwd=folder,
        env=prefix.environ | {"FAKE_CODE": str(code), "PSModulePath": "C:\\of PowerShell 7"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
    )
    return done.returncode, done.stdout.splitlines()


def test_words_and_the_exit_code_are_handed_on(prefix: Prefix, folder: Path) -> None:
    for code in (0, 7):
        ended, lines = run(prefix, folder, code, "generate", "a photo.jpg", r"--out=C:\a b", "--negative-prompt", "")
        assert (ended, len(lines)) == (code, 1), "with words it comes from a script or a terminal: no pause"
        assert rb'launch.ps1" generate "a photo.jpg" "--out=C:\a b" --negative-prompt ""' in lines[0]


def test_windows_powershell_is_told_of_no_other_shells_modules(prefix: Prefix, folder: Path) -> None:
    assert run(prefix, folder, 0)[1][0].endswith(b" modules=")


def test_after_a_double_click_the_window_stays_open_when_the_start_failed(prefix: Prefix, folder: Path) -> None:
    assert len(run(prefix, folder, 0)[1]) == 1
    for code in (1, -1073741510):
        ended, lines = run(prefix, folder, code)
        assert (ended, len(lines)) == (code & 0xFF, 2)
        assert lines[-1].strip().endswith(b"..."), "press any key …, in the system's language"
