"""Start the page: choose the address, keep a worker running, open the browser, stop everything on Ctrl+C."""

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
import traceback
import webbrowser
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from ..errors import BadInput, FanslymotionError, StartError
from ..fs import private_files
from ..garbage import no_collections
from ..messages import msg
from ..settings import Settings
from .auth.ended_sessions import EndedSessions
from .auth.logins import Logins, make_login, session_key
from .server.address import LOCALHOST, MOST_KNOCKING, is_local, listen, local_address, parse_root_path
from .server.connections import Limits, raise_handle_limit, sweep, with_limits
from .server.page_log import LOG_CONFIG

if TYPE_CHECKING:
    from .context import Studio

log = logging.getLogger(__name__)

ACCEPTED_AT_ONCE = 16
"""asyncio accepts as many in a row as its backlog says, before anything looks at them: not more than are in reserve."""
TICKS_A_SECOND = 10


def serve(
    settings: Settings,
    host: str = LOCALHOST,
    port: int | None = None,
    share: bool = False,
    auth: Mapping[str, str] | None = None,
    open_browser: bool = True,
    with_worker: bool = True,
    root_path: str = "",
    say: Callable[[str], None] = print,
) -> None:
    """Serve the page until Ctrl+C (SIGINT, SIGTERM, on Windows also Ctrl+Break).

    Args:
        settings: The data folder.
        host: Address to listen on.
        port: None = the first free one from 7860; a given one must be free.
        share: Also open a public link through Gradio's tunnel.
        auth: Passwords by user. A page that others can reach (share link, non-local address) gets a generated login if
            none is given.
        open_browser: Open the page when it is ready.
        with_worker: Keep a worker running beside the page.
        root_path: Path under which a reverse proxy serves the page; "" = none.
        say: Shows a line to the person who started it.

    Raises:
        BadInput: The address, port or root path cannot be used.
        StartError: The page cannot be built here.
    """
    root = parse_root_path(root_path)
    listener = listen(host, port, say)
    number = listener.getsockname()[1]
    passwords = dict(auth or {})
    made = not passwords and (share or not is_local(host))
    if made:
        passwords = make_login()
    address = local_address(host, number)
    raise_handle_limit()
    with ExitStack() as ending:
        ending.enter_context(listener)
        ending.enter_context(_signals_as_interrupts())
        ending.enter_context(private_files())
        logins = Logins(passwords, session_key(settings.home), EndedSessions(settings.home / "ended-sessions"))
        app, closing = _build(settings, logins, host, root)
        if with_worker:
            from ..queue.liveness.supervisors import Supervisors

            ending.enter_context(Supervisors(settings))
        # What a power cut or a kill has broken off goes on, as unfinished jobs do.
        threading.Thread(target=_resume_downloads, args=(settings,), name="downloads", daemon=True).start()
        server = Server(
            app, closing, lambda: _announce(address, host, number, share, passwords, made, open_browser, say)
        )
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
        say("Ending: the worker stops after its step; unfinished jobs go on at the next start.")


class Server(uvicorn.Server):
    """uvicorn with limits on connections. It reports its start, and ends open streams before it stops.

    Args:
        app: The page.
        closing: Called before the shutdown: ends open streams, which uvicorn would wait for.
        opened: Called in a thread when connections are accepted.
        limits: On connections; None = the default ones.
    """

    def __init__(
        self,
        app: Callable[..., object],
        closing: Callable[[], None],
        opened: Callable[[], None],
        limits: Limits | None = None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop=event_loop(),
                http=with_limits(limits or Limits()),
                ws="none",
                backlog=ACCEPTED_AT_ONCE,
                log_config=LOG_CONFIG,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,  # uvicorn would believe any X-Forwarded-For that comes from this machine
                timeout_graceful_shutdown=3,
                timeout_keep_alive=30,
            )
        )
        self._closing = closing
        self._opened = opened

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, enlarge the system's backlog of connections, and report that the page is open."""
        await super().startup(sockets=sockets)
        if self.started:
            for listener in sockets or ():
                listener.listen(MOST_KNOCKING)
            # A thread: the tunnel and the browser take their time, and the page must answer meanwhile.
            threading.Thread(target=self._opened, name="opened", daemon=True).start()

    async def on_tick(self, counter: int) -> bool:
        """Close connections that exceed their limits, once per second; uvicorn calls this ten times per second."""
        if counter % TICKS_A_SECOND == 0:
            sweep(self.server_state.connections, asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End open streams, then stop."""
        self._closing()
        await super().shutdown(sockets=sockets)


def event_loop(system: str = sys.platform) -> str:
    """Return uvicorn's name of the event loop to use.

    Windows' default loop closes the listening socket for good when a client resets its connection before it is accepted
    (python/cpython#93821). The selector loop watches few sockets; `connections.most_open` respects that.
    """
    return "asyncio:SelectorEventLoop" if system == "win32" else "auto"


def build(settings: Settings, logins: Logins, host: str, root_path: str = "") -> "Studio":
    """Build the page. Arguments as of `Studio`.

    Raises:
        StartError: A package does not fit, or a library refuses this machine; the traceback is in `start.log`.
        FanslymotionError: The data folder, a preset or the store cannot be used.
    """
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported
    # Its place for files would be one folder for all accounts of the machine (/tmp/gradio); it is made at every start.
    # Another program's variable of that name is not heeded either: its folder may be somebody else's.
    os.environ["GRADIO_TEMP_DIR"] = str(settings.home / "gradio")
    try:
        with no_collections(freeze=True):
            from .app import build_app

        return build_app(settings, logins, host, root_path)
    except FanslymotionError:
        raise
    except Exception as e:  # a package that does not fit, a library that refuses this machine: say it, keep the trace
        trace = keep_trace(settings.logs_dir, e)
        where = f"; the details are in {trace}" if trace else ""
        raise StartError(
            msg(
                "FM-PY-003: the page cannot be built ({kind}: {error}){where}. Repair the installation with the "
                "launcher's setup; `doctor` says what else is wrong",
                kind=type(e).__name__,
                error=e,
                where=where,
            )
        ) from e


def _build(
    settings: Settings, logins: Logins, host: str, root_path: str
) -> tuple[Callable[..., object], Callable[[], None]]:
    studio = build(settings, logins, host, root_path)
    from ..queue.store.import_orphans import examine_and_import

    threading.Thread(target=examine_and_import, args=(studio.jobs.store,), name="adopt", daemon=True).start()
    return studio.front, studio.close


def keep_trace(folder: Path, error: BaseException) -> Path | None:
    """Write the error's traceback to `start.log`, for a report. Return its path; None if it cannot be written."""
    path = folder / "start.log"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except OSError:
        return None
    return path


def _resume_downloads(settings: Settings) -> None:
    from ..models.download.background import Downloads

    try:
        for name in Downloads(settings).resume():
            log.info("The download of %s goes on", name)
    except (FanslymotionError, OSError) as e:  # the page is not worth less for it
        log.warning("Unfinished downloads do not go on: %s", e)


def _announce(
    address: str,
    host: str,
    port: int,
    share: bool,
    passwords: Mapping[str, str],
    made: bool,
    open_browser: bool,
    say: Callable[[str], None],
) -> None:
    say(f"fanslymotion is ready: {address}   (Ctrl+C ends it)")
    if not is_local(host):
        say(f"Other computers reach it at this machine's own address, port {port}.")
    if share:
        try:
            say(f"Shared for up to a week: {open_tunnel(host, port)}")
        except FanslymotionError as e:
            say(str(e))
    if made:
        ((user, password),) = passwords.items()
        say(f"Login: {user}   Password: {password}")
    if open_browser:
        webbrowser.open(address)


def open_tunnel(host: str, port: int) -> str:
    """Open Gradio's tunnel and return the share link, an https address.

    Raises:
        BadInput: The tunnel cannot be opened. The text has the remedy; the local page is not affected.
    """
    import secrets

    from gradio import networking

    name = LOCALHOST if host in ("0.0.0.0", "::") else host
    try:
        link = networking.setup_tunnel(name, port, secrets.token_urlsafe(32), None, None)
    except Exception as e:  # the tunnel's parts raise whatever their libraries raise; nothing of it may end the page
        log.info("no share link: %r", e)
        raise BadInput(
            msg(
                "No share link could be made ({error}). Check the internet connection, and whether an antivirus "
                "program blocks Gradio's tunnel (frpc); the page works on this machine all the same.",
                error=e,
            )
        ) from e
    return "https://" + link.split("://", 1)[-1]


class _signals_as_interrupts:
    """Handle SIGTERM and Ctrl+Break like Ctrl+C.

    uvicorn raises the signals that it caught again after its shutdown. With the default handler SIGTERM would then kill
    the process before the worker has been told to stop.
    """

    NAMES = ("SIGTERM", "SIGBREAK")

    def __enter__(self) -> None:
        self._before: dict[int, object] = {}
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (getattr(signal, name) for name in self.NAMES if hasattr(signal, name)):
            self._before[number] = signal.signal(number, _interrupt)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
