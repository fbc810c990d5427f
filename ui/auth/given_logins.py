"""Collect the page's logins from the command line, a file, the environment, or a prompt.

Every account of the machine can read command lines in the list of processes.
"""

import getpass
import os
import sys
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path

from ...errors import BadInput
from ...messages import msg
from .logins import parse_logins

VARIABLE = "FANSLYMOTION_AUTH"
AUTH_HELP = "ask for this login, may be repeated; without :PASSWORD it is asked for, with it others see it (ps)"
FILE_HELP = "ask for the logins in this file, one user:password a line"


def given_logins(
    words: Sequence[str],
    file: Path | None = None,
    environ: MutableMapping[str, str] = os.environ,
    ask: Callable[[str], str] | None = None,
) -> dict[str, str]:
    """Collect the logins of `--auth`, then `--auth-file`, then FANSLYMOTION_AUTH (lines as in the file).

    The variable is removed from `environ`, so that workers do not inherit it.

    Args:
        words: Values of `--auth`.
        file: Value of `--auth-file`.
        environ: The environment.
        ask: Prompts for a password and returns it.

    Returns:
        Passwords by user.

    Raises:
        BadInput: A login is invalid, given twice, cannot be read, or cannot be prompted for.
    """
    asked = [word if ":" in word else f"{word}:{(ask or _ask)(word)}" for word in words]
    given = [*asked, *_lines_of_file(file), *_lines(environ.pop(VARIABLE, ""))]
    logins = parse_logins(given)
    if len(logins) < len(given):
        names = [word.partition(":")[0].strip() for word in given]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadInput(msg("the login {twice!r} is given more than once; leave one of them out", twice=twice))
    return logins


def _is_terminal() -> bool:
    """Tell whether a person can answer a prompt. On Windows `isatty` is also true of the null device."""
    if not sys.stdin.isatty():
        return False
    if sys.platform == "win32":
        import ctypes
        import msvcrt

        handle, mode = ctypes.c_void_p(msvcrt.get_osfhandle(sys.stdin.fileno())), ctypes.c_ulong()
        return bool(ctypes.windll.kernel32.GetConsoleMode(handle, ctypes.byref(mode)))
    return True


def _ask(user: str) -> str:
    if not _is_terminal():
        raise BadInput(
            msg(
                "--auth {user} has no password, and there is no terminal to ask for it; use --auth-file FILE", user=user
            )
        )
    return getpass.getpass(f"Password for {user}: ")


def _lines_of_file(file: Path | None) -> list[str]:
    if file is None:
        return []
    try:
        lines = _lines(file.expanduser().read_text(encoding="utf-8-sig"))
    except (OSError, RuntimeError, ValueError) as e:
        reason = getattr(e, "strerror", None) or e
        raise BadInput(msg("--auth-file {file!r} cannot be read: {reason}", file=str(file)[:200], reason=reason)) from e
    if not lines:
        raise BadInput(msg("--auth-file {file!r} holds no login; write one user:password a line", file=str(file)[:200]))
    return lines


def _lines(text: str) -> list[str]:
    """Return the lines without empty ones and comments (#)."""
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
