"""Hold what all routes share, and serialise jobs and machine as each login may see them."""

from typing import Any

from starlette.types import ASGIApp

from ..doctor.checks import Doctor
from ..models.folder_size import folder_size
from ..presets import LivePresets, Presets
from ..queue.jobs import Jobs
from ..queue.types import Event, EventKind, Job
from ..settings import Settings
from .auth.logins import Logins
from .auth.middleware import Guard
from .auth.redact import without_paths
from .cached import CachedResult
from .error_response import in_each_language
from .exports.background import Exports
from .live import Live
from .model_checks import ModelChecks
from .page_state import machine_json
from .serializers import event_json, job_json
from .server.front import Front
from .starts import StartTimes
from .uploads.api_uploads import ApiUploads
from .uploads.photos import Photos
from .uploads.turns import Turns

KEPT_SECONDS = 60.0
"""How old the sizes of folders and the doctor's findings may be: thousands of folders take a second to walk."""


class Studio:
    """Everything that a request needs, in `request.app.state.studio`.

    `front` is the served app: it passes requests to `guard`, in front of the routes `app`. Only the machine's owner
    sees paths; sentences for other logins contain no folders.

    Args:
        app: The routes.
        settings: The data folder.
        logins: The page's logins; without any, everybody is the owner.
        host: Address that is served, to detect cross-site requests.
        root_path: Path under which a reverse proxy serves the page, as returned by `parse_root_path`.
    """

    def __init__(self, app: ASGIApp, settings: Settings, logins: Logins, host: str, root_path: str = "") -> None:
        self.settings, self.logins, self.root_path = settings, logins, root_path
        self.live_presets = LivePresets(settings)
        self.jobs = Jobs(settings)
        self.photos = Photos(settings)
        self.api_uploads = ApiUploads(settings)
        self.picture_turns = Turns()
        self.guard = Guard(app, logins, host)
        self.front = Front(self.guard, root_path)
        self.live = Live(self.jobs, self)
        self.exports = Exports(root_path)
        self.starts = StartTimes(settings, self.live_presets.now)
        self.model_checks = ModelChecks(settings)
        self.sizes = CachedResult(self._folder_sizes, KEPT_SECONDS)
        self.findings = CachedResult(lambda: Doctor(self.settings).run(), KEPT_SECONDS)

    @property
    def presets(self) -> Presets:
        """All presets, read again: the command line may have added a model."""
        return self.live_presets.now()

    def delete(self, job_id: str) -> None:
        """Delete a job after stopping its exports. Call it in a thread. Errors as in `Jobs.delete`."""
        with self.exports.none_of(job_id):
            self.jobs.delete(job_id)

    def close(self) -> None:
        """End open streams and exports, so that the server can stop."""
        self.live.close()
        self.exports.close()

    def job(self, job: Job) -> dict[str, Any]:
        """Return a job's JSON as its own login sees it."""
        shown = job_json(job, self.presets, self.root_path)
        return shown | {key: self.plain(job.owner, shown[key]) for key in ("error", "diagnosis", "warnings")}

    def event(self, job: Job, event: Event) -> list[Any]:
        """Return an event's JSON as the job's login sees it; see `event_json`."""
        *facts, text = event_json(event)
        return [*facts, text if event.kind == EventKind.SAMPLE else self.plain(job.owner, text)]

    def machine(self, owner: str | None) -> dict[str, Any]:
        """Return the JSON of workers and waiting jobs as a login sees it; see `machine_json`.

        Args:
            owner: The login; None on a page without logins.

        Returns:
            As `machine_json`, with `notice` by language.
        """
        shown = machine_json(self.jobs, self.logins.sees(owner), self.logins.owns_machine(owner or ""), self.starts)
        return shown | {"notice": self.plain(owner, in_each_language(shown["notice"]))}

    def _folder_sizes(self) -> dict[str, int]:
        return {"jobs": folder_size(self.settings.jobs_dir), "models": folder_size(self.settings.models)}

    def plain(self, user: str | None, said: Any) -> Any:
        """Remove paths from sentences, unless the login owns the machine.

        Args:
            user: The login; None on a page without logins.
            said: A sentence, or lists and dictionaries of sentences; other values are returned unchanged.
        """
        if self.logins.owns_machine(user or ""):
            return said
        if isinstance(said, dict):
            return {key: self.plain(user, one) for key, one in said.items()}
        if isinstance(said, list):
            return [self.plain(user, one) for one in said]
        return without_paths(said, self.settings) if isinstance(said, str) else said
