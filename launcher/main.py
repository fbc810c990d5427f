"""Set up when that is needed, then become the `fanslymotion` command."""

import os
import signal
import subprocess
from collections.abc import MutableMapping, Sequence
from pathlib import Path

from .environment import Setup
from .machine import Machine
from .report import SetupError, prepare_streams, say

ROOT = Path(__file__).resolve().parent.parent
HARMLESS = ("PYTHONUTF8", "PYTHONIOENCODING", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
"""Python's variables that our processes keep. The others (PYTHONPATH, PYTHONHOME, …) belong to other programs."""


def main(words: Sequence[str]) -> int:
    """Set up when needed and hand over; with the word `setup`, only set up.

    Returns:
        Exit code: 0, 1 when the set-up failed, 2 for a word that `setup` does not know, 130 for Ctrl+C; on Windows
        also that of the command. Elsewhere the command takes this process's place.
    """
    prepare_streams()
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


def launch_words(words: Sequence[str]) -> list[str]:
    """Return what the `fanslymotion` command gets: no words = the page; options alone belong to the page too."""
    if not words or (words[0].startswith("-") and words[0] not in ("--help", "-h", "--version")):
        return ["ui", *words]
    return list(words)


def drop_python_variables(environ: MutableMapping[str, str]) -> None:
    """Delete the variables that would change the Python of `.venv` and of its child processes, in place."""
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
