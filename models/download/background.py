"""Run each download in its own process, and keep its state in a file that pages and commands read.

Downloads are not in the jobs' database: they belong to the machine's disk, and must neither wait for a busy worker nor
end with it. One file per model is enough, because only the process that holds the lock replaces it. The process
outlives the page that started it. After a reboot `resume` starts it again.
"""

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from ...errors import BadInput, Cancelled, FanslymotionError
from ...fs import overwrite, read_patiently, retry_in_use, users_umask, write_json, write_whole
from ...messages import codes, msg
from ...presets import HubPreset, Presets, load_presets
from ...process_start import start_time
from ...settings import Settings
from .download_error import DownloadError, disk_error
from .http import Patience
from .model import DownloadProgress, download, folder_of
from .state import DownloadState, from_json, to_json

log = logging.getLogger(__name__)

LOCK_WAIT = 3.0
"""Seconds that a new process waits for the lock of an ending one."""
START_WAIT = 20.0
"""Seconds in which a started process must write its first state (interpreter and imports included)."""
NOT_STARTED = codes.UNFORESEEN
"""Code of a download whose process the system does not start."""
UNLINK_WAIT = 1.0
"""Seconds to retry the removal of a request to stop, which Windows refuses while the other process removes it."""


class Downloads:
    """The downloads of one machine. Cheap to create; safe from any thread and any process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = settings.models / ".downloads"

    def start(self, name: str, presets: Presets | None = None) -> DownloadState:
        """Start or resume a download in its own process, and return at once.

        A running one continues, even if it was asked to stop and has not done so yet.

        Raises:
            PresetError: the name is unknown.
            BadInput: the model is not downloaded from the hub.
            DownloadError: the state cannot be written, or the process does not start.
        """
        preset = (presets or load_presets(self.settings)).downloadable(name)
        if preset.source != "hub":
            raise BadInput(msg("{name} is not downloaded: it lies in {folder}", name=name, folder=preset.folder))
        self._open(name)  # first: a process that has taken a request to stop says by now that it ends
        running = self.state(name)
        if running and running.status in ("starting", "running"):
            return running
        state = DownloadState(name, "starting", phase="asking", started=time.time(), updated=time.time())
        if running:
            state = replace(state, done=running.done, total=running.total)
        self.write(state)
        try:
            self._spawn(name)
        except OSError as e:
            error = DownloadError(
                NOT_STARTED,
                msg(
                    "the download of {name} does not start ({error}); close other programs if the memory is full, then "
                    "try again",
                    name=name,
                    error=e.strerror or e,
                ),
                again=True,
            )
            self.write(replace(state, status="failed", code=error.code, error=error.message))
            raise error from e
        return state

    def state(self, name: str) -> DownloadState | None:
        """Return the state of a model's download; None if it was never downloaded here."""
        state = self._read(name)
        if state is None or state.over:
            return state
        alive = (
            _alive(state.pid, state.born, state.boot) if state.pid else abs(time.time() - state.updated) < START_WAIT
        )
        return state if alive else replace(state, status="interrupted", speed=0.0, seconds_left=None)

    def all(self) -> list[DownloadState]:
        """Return the states of all downloads, the newest first."""
        try:
            names = [path.name.removesuffix(".state.json") for path in self.folder.glob("*.state.json")]
        except OSError:
            return []
        states = [state for name in names if (state := self.state(name))]
        return sorted(states, key=lambda state: -state.started)

    def resume(self) -> list[str]:
        """Restart interrupted downloads, and return their models' names. Called when a page starts."""
        names = [state.model for state in self.all() if state.status == "interrupted"]
        for name in names:
            try:
                self.start(name)
            except FanslymotionError as e:  # its preset is gone
                log.warning("the download of %s does not go on: %s", name, e)
        return names

    def cancel(self, name: str) -> None:
        """Stop a running download. The downloaded part stays for the next one."""
        state = self.state(name)
        if state is None or state.over:
            return
        if state.status == "interrupted":
            self.write(replace(state, status="cancelled"))
            return
        try:
            write_whole(self.cancel_path(name), "")
        except OSError as e:
            raise disk_error(self.folder, e) from e

    def run(
        self,
        name: str,
        follow: Callable[[DownloadState], None] = lambda state: None,
        *,
        recheck: bool = False,
        patience: Patience | None = None,
    ) -> DownloadState:
        """Download in this process, or follow another process that already downloads this model.

        An earlier request to stop is withdrawn.

        Args:
            name: of the preset.
            follow: receives the state a few times a second.
            recheck: also hash files that were verified when they were downloaded.
            patience: pauses between tries.

        Returns:
            The last state.

        Raises:
            PresetError: the name is unknown.
            DownloadError: the download failed.
        """
        preset = load_presets(self.settings).downloadable(name)
        self._open(name)
        return self._download(preset, follow, recheck, patience)

    def carry_out(self, name: str) -> DownloadState:
        """Download in a process that `start` has made. A request to stop stays: it came after the start.

        Raises:
            PresetError, DownloadError: as in `run`.
        """
        return self._download(load_presets(self.settings).downloadable(name))

    def _download(
        self,
        preset: HubPreset,
        follow: Callable[[DownloadState], None] = lambda state: None,
        recheck: bool = False,
        patience: Patience | None = None,
    ) -> DownloadState:
        lock = FileLock(self.folder / f"{preset.name}.lock")
        try:
            held = lock.acquire(timeout=LOCK_WAIT)
        except Timeout:
            return self._follow(preset.name, follow)
        except OSError as e:  # a share whose server gives no locks, or that is away
            error = disk_error(Path(lock.lock_file), e)
            self.write(DownloadState(preset.name, "failed", code=error.code, error=error.message, started=time.time()))
            raise error from e
        with held:
            return _Run(self, preset, follow).run(recheck, patience)

    def _open(self, name: str) -> None:
        """Create the folder, and withdraw a request to stop. Raise DownloadError if it is not writable."""
        cancel = self.cancel_path(name)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            retry_in_use(lambda: cancel.unlink(missing_ok=True), UNLINK_WAIT)
            with open(self.folder / f"{name}.log", "ab"):
                pass
        except OSError as e:
            raise disk_error(self.folder, e) from e

    def write(self, state: DownloadState) -> None:
        """Replace the state. A failure is ignored, because the next state follows within 0.25 s.

        The last state is written over the earlier one where a full disk has no room for another file.
        """
        path, record = self._state_path(state.model), to_json(state)
        try:
            write_json(path, record)
        except OSError as e:
            log.debug("%s was not written: %s", path, e)
            if state.over:
                with contextlib.suppress(OSError):
                    overwrite(path, json.dumps(record))

    def forget(self, name: str) -> None:
        """Remove all records of a download. The model itself stays."""
        for suffix in ("state.json", "files.json", "cancel", "log"):
            (self.folder / f"{name}.{suffix}").unlink(missing_ok=True)

    def cancel_path(self, name: str) -> Path:
        """Return the path of the file that requests a download to stop."""
        return self.folder / f"{name}.cancel"

    def _state_path(self, name: str) -> Path:
        return self.folder / f"{name}.state.json"

    def _read(self, name: str) -> DownloadState | None:
        with contextlib.suppress(OSError, ValueError, TypeError):
            return from_json(json.loads(read_patiently(self._state_path(name))))
        return None

    def _follow(self, name: str, follow: Callable[[DownloadState], None]) -> DownloadState:
        while (state := self.state(name)) is not None:
            follow(state)
            if state.status == "failed":
                raise DownloadError(state.code, state.error, page=state.page)
            if state.over or state.status == "interrupted":
                return state
            time.sleep(0.25)
        return DownloadState(name, "cancelled")

    def _spawn(self, name: str) -> None:
        """Start the process in its own session, so that neither Ctrl+C nor the end of the page reaches it."""
        detach: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            detach = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
        with open(self.folder / f"{name}.log", "ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "fanslymotion.models.download.process", name],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self.settings.environ() | {"PYTHONUTF8": "1"},  # the log's file has the code page otherwise
                cwd=self.folder,
                umask=users_umask(),
                **detach,
            )
        with _lock:
            _started.append(process)


_lock = threading.Lock()
_started: list[subprocess.Popen] = []
"""Started processes, which must be waited for: an ended child would stay as a zombie that looks alive."""


AT_END: dict[str, Any] = {"speed": 0.0, "seconds_left": None, "message": ""}
"""Fields of the state of an ended download."""


class _Run:
    """A download in this process that writes its state for other processes."""

    def __init__(self, downloads: Downloads, preset: HubPreset, follow: Callable[[DownloadState], None]) -> None:
        self.downloads = downloads
        self.preset = preset
        self.follow = follow
        now, own = time.time(), start_time(psutil.Process())
        self.state = DownloadState(
            preset.name, "running", started=now, updated=now, pid=os.getpid(), born=own.seconds, boot=own.boot
        )

    def run(self, recheck: bool, patience: Patience | None) -> DownloadState:
        self.downloads.write(self.state)
        try:
            settings = self.downloads.settings
            folder = download(self.preset, settings, self._report, recheck=recheck, patience=patience)
            log.info("%s is here and whole: %s", self.preset.name, folder)
            return self._end("done", done=self.state.total)
        except Cancelled:  # has been written
            raise
        except KeyboardInterrupt:
            self._end("cancelled")
            raise
        except FanslymotionError as e:
            self._fail(e, e.code, getattr(e, "page", ""))
            raise
        except Exception as e:
            self._fail(e, codes.UNFORESEEN, "")
            raise

    def _report(self, moment: DownloadProgress) -> None:
        if self.downloads.cancel_path(self.preset.name).exists() and self._take_stop():
            self.follow(self.state)
            raise Cancelled
        self._keep(**asdict(moment))

    def _take_stop(self) -> bool:
        """Say that the download ends, then remove the request to stop. Return False if it was withdrawn meanwhile.

        In this order `start`, which withdraws the request before it reads the state, never takes a download that ends
        for one that runs. Nothing is written afterwards: the state may be that of the next process by then.
        """
        running = self.state
        self.state = replace(running, status="cancelled", updated=time.time(), **AT_END)
        self.downloads.write(self.state)
        try:
            self.downloads.cancel_path(self.preset.name).unlink()
        except OSError:  # on Windows perhaps refused: it is there at the next report then
            self.state = running
            return False
        return True

    def _keep(self, **changes: Any) -> None:
        self.state = replace(self.state, updated=time.time(), **changes)
        self.downloads.write(self.state)
        self.follow(self.state)

    def _end(self, status: str, **changes: Any) -> DownloadState:
        self.downloads.cancel_path(self.preset.name).unlink(missing_ok=True)
        self._keep(status=status, **AT_END, **changes)
        return self.state

    def _fail(self, error: Exception, code: str, page: str) -> None:
        said = error.message if isinstance(error, FanslymotionError) else str(error)
        self._end("failed", code=code, error=said, page=page)


def _alive(pid: int, born: float, boot: str) -> bool:
    """Tell whether a process still exists, and is not a later one with the same id."""
    with _lock:
        _started[:] = [process for process in _started if process.poll() is None]
    try:
        process = psutil.Process(pid)
        found = start_time(process)
        same = found.boot == boot and abs(found.seconds - born) < 1.0
        return same and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False


def partial_bytes(preset: HubPreset, settings: Settings) -> int:
    """Return the bytes that an unfinished download has so far."""
    try:
        return sum(path.stat().st_size for path in folder_of(preset, settings).rglob("*.part"))
    except OSError:
        return 0
