"""Download a whole model from the hub: ask, check the disk, fetch missing files, verify all. Resumable."""

import logging
import shutil
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import BadInput
from ...fs import retry_in_use
from ...messages import msg
from ...presets import HubPreset
from ...settings import Settings
from ..folder_size import freed_by
from . import hub
from .download_error import NO_SPACE, DownloadError, disk_error
from .http import CONNECT, SILENCE, Broken, Patience, Source, fetch
from .hub import Remote, RemoteFile
from .manifest import Manifest as Manifest
from .manifest import SharedFiles
from .part_file import file_is_right, part_of

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

SPARE = 512 * 2**20
"""Bytes of the disk that a download leaves free."""
SPEED_OVER = 10.0
"""Seconds over which the shown speed is a mean."""
PATIENCE = 30.0
"""Seconds to wait for a program that holds a damaged file open (Windows)."""
REPORT_EVERY = 0.25
"""Seconds between two reports."""


@dataclass(frozen=True)
class DownloadProgress:
    """Progress of a download. Sizes are in bytes, speed in bytes a second.

    Attributes:
        phase: `asking`, `checking` (files already here), `downloading` or `waiting`.
        file: path in the repository.
        done: bytes here.
        total: bytes in all.
        speed: mean of the last SPEED_OVER seconds.
        seconds_left: None while unknown.
        message: why it waits.
    """

    phase: str
    file: str = ""
    done: int = 0
    total: int = 0
    speed: float = 0.0
    seconds_left: float | None = None
    message: str = ""


Report = Callable[[DownloadProgress], None]
"""Receives the progress a few times a second. May raise Cancelled: downloaded bytes stay."""


def folder_of(preset: HubPreset, settings: Settings) -> Path:
    """Return the folder of a downloaded model."""
    return settings.models / preset.name


def download(
    preset: HubPreset,
    settings: Settings,
    report: Report = lambda moment: None,
    *,
    recheck: bool = False,
    patience: Patience | None = None,
) -> Path:
    """Download a model. Complete files are not downloaded again.

    Args:
        preset: the model or upscaler.
        settings: tell the folder.
        report: receives the progress; may raise.
        recheck: also hash files that were verified when they were downloaded.
        patience: pauses between tries.

    Returns:
        The model's folder.

    Raises:
        DownloadError: the download failed.
        BadInput: the preset is not downloaded from the hub.
    """
    if preset.source != "hub":
        raise BadInput(
            msg("{name} does not come from the hub: it lies in {folder}", name=preset.name, folder=preset.folder)
        )
    work = _Download(preset, settings, report, patience or Patience())
    try:
        return work.run(recheck)
    except OSError as e:
        raise disk_error(work.folder, e) from e


class _Download:
    def __init__(self, preset: HubPreset, settings: Settings, report: Report, patience: Patience) -> None:
        self.preset = preset
        self.settings = settings
        self.report = report
        self.folder = folder_of(preset, settings)
        self.shared = SharedFiles(preset.name, settings)
        self.meter = Meter()
        self.phase, self.file, self.message = "asking", "", ""
        self.patience = patience
        self._pause, patience.pause = patience.pause, self._wait
        self._say, patience.say = patience.say, self._tell

    def run(self, recheck: bool) -> Path:
        import httpx

        self._report()
        manifest = Manifest(self.preset.name, self.settings)
        remote = self._ask()
        verified = set() if recheck else manifest.verified(remote)
        self.meter.total = remote.size
        missing = [file for file in remote.files if not self._here(file, file.path in verified)]
        self._check_space(missing)
        self._delete_useless(missing, manifest.read())
        manifest.write(remote, {file.path for file in remote.files if file not in missing})
        # The hub redirects to its storage, with its own signature in the URL: the token stays with the hub, since
        # httpx drops the Authorization header when the host changes.
        timeout = httpx.Timeout(SILENCE, connect=CONNECT)
        with httpx.Client(follow_redirects=True, timeout=timeout) as client:
            for file in missing:
                self.phase, self.file, self.message = "downloading", file.path, ""
                self._fetch(client, remote, file)
                manifest.add(file)
        self._report(force=True)
        return self.folder

    def _ask(self) -> Remote:
        while True:
            try:
                return hub.ask(self.preset)
            except DownloadError as e:
                if not e.again:
                    raise
                self.patience.wait(Broken(e))

    def _here(self, file: RemoteFile, verified: bool) -> bool:
        """Tell whether the complete file is on the disk. Another one of its name may be there."""
        path = self.folder / file.path
        if not path.is_file():
            if not self.shared.link(file, path):
                return False
            verified = False
            log.info("%s is the same in another model here, and is not downloaded again", file.path)
            part_of(path).unlink(missing_ok=True)
        if path.stat().st_size == file.size and (verified or self._hash_is_right(path, file)):
            self.meter.have(file.size if verified else 0)
            return True
        return False

    def _delete_useless(self, missing: list[RemoteFile], before: Remote | None) -> None:
        """Delete files that are damaged, or of an earlier version of the model, so that no two versions are mixed."""
        earlier = {file.path: file for file in before.files} if before else {}
        for file in missing:
            path = self.folder / file.path
            if path.is_file():
                changed = earlier.get(file.path, file) != file
                log.warning("%s %s and comes again", path, "has changed on the hub" if changed else "is damaged")
                retry_in_use(path.unlink, PATIENCE)

    def _hash_is_right(self, path: Path, file: RemoteFile) -> bool:
        self.phase, self.file = "checking", file.path
        read = 0

        def on_bytes(count: int) -> None:
            nonlocal read
            read += count
            self.meter.have(count)
            self._report()

        right = file_is_right(path, file, on_bytes)
        if not right:
            self.meter.have(-read)
        return right

    def _check_space(self, missing: list[RemoteFile]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        places = [self.folder / file.path for file in missing]
        need = sum(file.size - _size(part_of(place)) for file, place in zip(missing, places, strict=True))
        free = shutil.disk_usage(self.folder).free + freed_by(places)
        if need and need + SPARE > free:
            raise DownloadError(
                NO_SPACE,
                msg(
                    "{model} needs {need} on the disk of {folder}, {free} are free; free some space, or set "
                    "FANSLYMOTION_MODELS to a folder on another disk",
                    model=self.preset.label,
                    need=gigabytes(need + SPARE),
                    folder=self.folder,
                    free=gigabytes(free),
                ),
            )

    def _fetch(self, client: "httpx.Client", remote: Remote, file: RemoteFile) -> None:
        url = remote.url(file)
        token = hub.token()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        part, counted = part_of(self.folder / file.path), 0
        old = _size(part) if _size(part) <= file.size else 0

        def on_bytes(count: int) -> None:
            nonlocal counted
            # The first bytes are those of the part file, read back: they are here, not on the line.
            fresh = max(0, min(count, counted + count - old)) if count > 0 else 0
            counted += count
            self.phase, self.message = ("downloading" if fresh else "checking"), ""
            self.meter.came(count, fresh)
            self._report()

        source = Source(client, url, headers, lambda status, headers: hub.refusal(self.preset, status, headers))
        fetch(source, file, self.folder / file.path, on_bytes, self.patience)

    def _tell(self, text: str) -> None:
        log.warning("%s: %s", self.preset.name, text)
        self.phase, self.message = "waiting", text
        self._say(text)
        self._report(force=True)

    def _wait(self, seconds: float) -> None:
        """Wait in short steps, so that a cancellation is noticed at once."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._pause(min(left, 0.2))
            self._report()

    def _report(self, force: bool = False) -> None:
        if force or self.meter.due:
            self.report(self.meter.progress(self.phase, self.file, self.message))


class Meter:
    """Measure bytes, speed and the remaining time. now: returns seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.total = 0
        self.done = 0
        self._now = now
        self._marks: deque[tuple[float, int]] = deque([(now(), 0)])
        self._fetched = 0
        self._reported = -REPORT_EVERY

    def have(self, count: int) -> None:
        """Count bytes that were here already."""
        self.done += count

    def came(self, count: int, fresh: int) -> None:
        """Count bytes.

        Args:
            count: more bytes of the model.
            fresh: those of them that were downloaded.
        """
        self.done += count
        if fresh:
            self._fetched += fresh
            self._marks.append((self._now(), self._fetched))
            while len(self._marks) > 2 and self._marks[0][0] < self._now() - SPEED_OVER:
                self._marks.popleft()

    @property
    def due(self) -> bool:
        """Tell whether the next report is due."""
        return self._now() - self._reported >= REPORT_EVERY

    @property
    def speed(self) -> float:
        """Return the mean speed in bytes a second."""
        (began, first), now = self._marks[0], self._now()
        return (self._fetched - first) / max(now - began, 1e-3) if now - began > 0.2 else 0.0

    def progress(self, phase: str, file: str, message: str) -> DownloadProgress:
        """Return the progress for a report."""
        self._reported = self._now()
        speed = self.speed
        left = (self.total - self.done) / speed if speed > 0 and phase == "downloading" else None
        return DownloadProgress(phase, file, max(0, self.done), self.total, speed, left, message)


def gigabytes(count: float) -> str:
    """Format bytes as gigabytes of 10⁹ bytes."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
