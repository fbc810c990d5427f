"""Choose and bind the address that the page is served at."""

import errno
import ipaddress
import re
import socket
import sys
from collections.abc import Callable

from ...errors import BadInput
from ...messages import msg

FIRST_PORT = 7860
PORTS_TRIED = 100
LOCALHOST = "127.0.0.1"
ROOT_PATH_HELP = "the path at which a reverse proxy shows the page, such as /motion"
MOST_KNOCKING = 2048
"""Connections that the system keeps for us until they are accepted."""


ROOT_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")
"""Characters that no proxy, browser or server writes in another way."""


def parse_root_path(word: str) -> str:
    """Return the path under which a reverse proxy serves the page, as "/motion"; "" for none.

    Raises:
        BadInput: It does not begin with a slash, or contains characters that need quoting.
    """
    path = word.strip().rstrip("/")
    if not ROOT_PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
        raise BadInput(
            msg(
                "the root path is {word!r}; give the path alone, with a slash first and of plain letters, digits, "
                "dots and dashes, such as /motion",
                word=word[:80],
            )
        )
    return path


def listen(host: str, port: int | None, say: Callable[[str], None]) -> socket.socket:
    """Bind the page's socket now, so that no other program can take the port before the server starts.

    Args:
        host: Name or address of this machine.
        port: None = the first free one from `FIRST_PORT`.
        say: Told if that is not `FIRST_PORT` itself.

    Returns:
        A listening, non-blocking socket.

    Raises:
        BadInput: The address cannot be used, or no port is free.
    """
    wanted = [port] if port is not None else range(FIRST_PORT, FIRST_PORT + PORTS_TRIED)
    for number in wanted:
        try:
            listener = _bind(host, number)
        except OSError as e:
            if e.errno in (errno.EADDRINUSE, getattr(errno, "WSAEADDRINUSE", -1)) or _windows_says_taken(e):
                continue
            raise BadInput(
                msg(
                    "the page cannot be served at {host}, port {number}: {error}; leave --host out, or name an "
                    "address of this machine",
                    host=host[:80],
                    number=number,
                    error=e.strerror or e,
                )
            ) from e
        except (ValueError, TypeError) as e:  # no name at all: a NUL, half a character, a label of 64 letters
            raise BadInput(
                msg("the host is {host!r}, which is no name or address; leave --host out, or name one", host=host[:80])
            ) from e
        if port is None and number != FIRST_PORT:
            say(f"Port {FIRST_PORT} is taken by another program; this page is on port {number}.")
        return listener
    if port is not None:
        raise BadInput(msg("port {port} is taken by another program; leave --port out, or name a free one", port=port))
    raise BadInput(
        msg(
            "no port from {first} to {last} is free; name one with --port",
            first=FIRST_PORT,
            last=FIRST_PORT + PORTS_TRIED - 1,
        )
    )


def _bind(host: str, port: int) -> socket.socket:
    name = host.strip("[]")
    family = socket.AF_INET6 if ":" in name else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            # There SO_REUSEADDR would let two programs share a port, and requests would go to either.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((name, port))
        listener.listen(MOST_KNOCKING)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def _windows_says_taken(error: OSError) -> bool:
    """Tell whether the error means a taken port: with SO_EXCLUSIVEADDRUSE Windows may say "access denied"."""
    return sys.platform == "win32" and error.errno == errno.EACCES


def is_local(host: str) -> bool:
    """Tell whether only programs on this machine can reach the address."""
    name = host.strip("[]")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def local_address(host: str, port: int) -> str:
    """Return the page's address as a browser on this machine opens it."""
    name = host.strip("[]")
    if name in ("0.0.0.0", "::"):
        name = LOCALHOST
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
