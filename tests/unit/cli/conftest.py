"""The `fanslymotion` command with a data folder of the test's own: in this process, or in a real one."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fanslymotion.cli import main
from fanslymotion.settings import Settings


@dataclass(frozen=True)
class Said:
    """How a command ended and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Said]


def environ(settings: Settings) -> dict[str, str]:
    own = {"FANSLYMOTION_HOME": str(settings.home), "FANSLYMOTION_MODELS": str(settings.models), "COLUMNS": "200"}
    return {k: v for k, v in os.environ.items() if not k.startswith("FANSLYMOTION_")} | own


def command(*words: object) -> list[str]:
    return [sys.executable, "-P", "-m", "fanslymotion", *map(str, words)]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The empty folder that the command is started in."""
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


@pytest.fixture
def fm(settings: Settings, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `fanslymotion WORDS` in this process. What is no sentence and exit code, but an exception, fails the test."""
    for name, value in environ(settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(here)

    def run(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["fanslymotion", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main.main()
        return Said(ended.value.code or 0, *capsys.readouterr())  # type: ignore[arg-type]

    return run


@pytest.fixture
def start(settings: Settings, here: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `fanslymotion WORDS` as a process, stderr piped, with changes to its environment."""
    with ExitStack() as ending:

        def popen(*words: object, cwd: Path | str = here, stdout: int | None = None, **changes: str) -> Any:
            env = environ(settings) | changes
            process = subprocess.Popen(command(*words), cwd=cwd, env=env, stdout=stdout, stderr=-1, encoding="utf-8")
            ending.enter_context(process)
            ending.callback(process.kill)
            return process

        yield popen


@pytest.fixture
def fm_process(settings: Settings, here: Path) -> Command:
    """Run `fanslymotion WORDS` in a process of its own, with changes to its environment."""

    def run(*words: object, cwd: Path = here, **changes: str) -> Said:
        env = environ(settings) | changes
        done = subprocess.run(command(*words), cwd=cwd, env=env, capture_output=True, encoding="utf-8", timeout=240)
        return Said(done.returncode, done.stdout, done.stderr)

    return run
