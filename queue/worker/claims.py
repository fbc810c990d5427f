"""Tell other processes what this worker can run, and claim the waiting jobs that it suits best."""

import json
import logging
import os
import platform
import threading
import time
from dataclasses import replace
from typing import Any

from ...errors import FanslymotionError
from ...models.find import find_model, preset_folder
from ...pipeline.families import check_model
from ...pipeline.hardware import devices
from ...pipeline.hardware.gpus import GpuWatch
from ...pipeline.hardware.machine import Machine
from ...pipeline.media.normalised_photo import NormalisedPhoto
from ...pipeline.media.upscale.files import check_upscaler
from ...pipeline.request import VideoRequest
from ...presets import Presets, load_presets
from ...settings import Settings
from ..abilities import Abilities
from ..liveness.presence import Presence
from ..liveness.unchanged import Unchanged
from ..store import transitions
from ..store.rows import photo_of
from ..store.store import Store
from ..suitability import Judge, Suits, no_model, ready
from ..types import Job, WorkerInfo

log = logging.getLogger(__name__)

MODELS_SECONDS = 10.0
"""Between two looks at which models are whole."""
FIRST_PATIENCE, LOOK_PATIENCE = 15.0, 1.0
"""Seconds to wait for such a look: for the first one, before which the worker knows of no model, and for the others."""
SILENT_SECONDS = 60.0
"""No job is left to a worker that has been silent for so long: it hangs, and nothing may restart it."""
MEMORY_STEP = 1 << 28
"""Bytes. Free memory is told in such steps, so that small changes write nothing and change no decision."""


class Claims:
    """Claim jobs for one worker. `publish` and the other methods may be called from different threads.

    Args:
        store: the open store.
        worker_id: the worker's id.
    """

    def __init__(self, store: Store, worker_id: str) -> None:
        self._store, self._id = store, worker_id
        self._watch, self._presence = GpuWatch(), Presence()
        self._lock = threading.Lock()
        self._presets: Presets | None = None
        self._models: dict[str, str] = {}
        self._looked = float("-inf")
        self._looking = threading.Thread()
        self._abilities = Abilities(Machine())
        self._judge = Judge(store.settings, Presets({}, {}, {}, {}, {}, {}))
        self._written: tuple[str, int] = ("", 0)
        self._workers: list[WorkerInfo] = []
        self._beats = Unchanged()

    # --- what it tells ------------------------------------------------------------------------------------------

    def publish(self, now: float) -> None:
        """Write what this worker can run into its row, if that has changed. Call it while no job runs.

        Args:
            now: monotonic seconds.
        """
        cuda = devices.Cuda.here()
        machine = reported(devices.machine(self._watch, own=frozenset({os.getpid()}), cuda=cuda))
        if now - self._looked >= MODELS_SECONDS and not self._looking.is_alive():
            first, self._looked = self._looked == float("-inf"), now
            self._looking = threading.Thread(target=self._look_for_models, name="models", daemon=True)
            self._looking.start()
            self._looking.join(FIRST_PATIENCE if first else LOOK_PATIENCE)
        with self._lock:
            self._abilities = replace(self._abilities, machine=machine)
        self._write(cuda.held if cuda and cuda.works else 0)

    def _look_for_models(self) -> None:
        """Look which models are whole. Runs in a thread: a share that does not answer must not delay the heartbeat."""
        try:
            presets = load_presets(self._store.settings)
        except (FanslymotionError, OSError) as e:  # a damaged preset file; each job tells its owner
            log.debug("No look at the models: %s", e)
            return
        if presets != self._presets:
            self._presets, self._judge = presets, Judge(self._store.settings, presets)
        found = whole_models(presets, self._store.settings)
        with self._lock:
            refused = self._abilities.refused if found == self._models else frozenset[str]()
            self._models = found
            self._abilities = replace(self._abilities, models=frozenset(found), refused=refused)

    def _write(self, vram: int) -> None:
        now = (self._abilities.write(), vram)
        if now != self._written:
            worker = self._store.tables.Worker
            with self._store.write():
                worker.update(abilities=now[0], vram=vram).where(worker.id == self._id).execute()
            self._written = now

    def write_again(self) -> None:
        """Write it at the next `publish` even if it has not changed: this worker's row is a new one."""
        self._written = ("", 0)

    # --- what it takes ------------------------------------------------------------------------------------------

    def claim(self, now: float) -> Any | None:
        """Claim the first waiting job that this worker suits best of all living ones. Return its row, or None.

        The only living worker takes every job; one that it cannot run then fails with the reason.

        Args:
            now: Unix seconds.
        """
        self._workers = self._look(now)
        if len(self._workers) <= 1:
            return transitions.claim(self._store, self._id, now)
        return transitions.claim(self._store, self._id, now, self._takes)

    def refuses(self, job: Job) -> bool:
        """Decide who goes on with a job whose model cannot be used here.

        Returns:
            True if another living worker may have the model. This one leaves the job alone until its models change.
        """
        try:
            others = [one for one in self._look(time.time()) if one.id != self._id]
            if not others or self._judge.best(others, job.id, job.request, job.photo.size)[0] is Suits.NO_MODEL:
                return False
            self._refuse(job.id)
        except FanslymotionError as e:
            log.debug("Job %s is not left to another worker: %s", job.id, e)
            return False
        return True

    def _refuse(self, job_id: str) -> None:
        with self._lock:
            if job_id in self._abilities.refused:
                return
            self._abilities = replace(self._abilities, refused=self._abilities.refused | {job_id})
        self._write(self._written[1])

    def _look(self, now: float) -> list[WorkerInfo]:
        """Return the workers that are ready, with this one first, as it is now."""
        worker = self._store.tables.Worker
        with self._store.errors():
            rows = list(worker.select())
        silent = self._beats.look({row.id: row.beats for row in rows}, time.monotonic())
        heard = [row for row in rows if silent[row.id] <= SILENT_SECONDS or row.id == self._id]
        found = self._presence.look(heard, {}, now)
        own = next((one for one in found if one.id == self._id), None)
        if own is None:  # the list was replaced; the next heartbeat registers this worker again
            return []
        return [replace(own, abilities=self._abilities), *(one for one in ready(found) if one.id != self._id)]

    def _takes(self, row: Any) -> bool:
        """Decide whether this worker is one of those that suit a waiting job best. row: see `transitions.claim`."""
        try:
            request = VideoRequest.from_json(json.loads(row.request))
            kept = json.loads(row.photo) if row.photo else {}
            photo = NormalisedPhoto.from_json(photo_of(self._store.settings.job_dir(row.id)), kept).size
            best, those = self._judge.best(self._workers, row.id, request, photo)
        except (FanslymotionError, ValueError, TypeError) as e:  # it fails, and tells its owner why
            log.debug("Job %s cannot be judged: %s", row.id, e)
            return True
        if self._judge.by_path(request) and not self._judge.has_folder(request):
            self._refuse(row.id)  # the others cannot see that
        if best is Suits.NO_MODEL:
            return self._takes_hopeless(row, request)
        if row.waits_for:
            transitions.explain_wait(self._store, row.id, None, time.time())
        return self._workers[0] in those

    def _takes_hopeless(self, row: Any, request: VideoRequest) -> bool:
        """Decide on a job whose model no living worker has.

        Workers of one machine share its models: the job fails at once, with the remedy. Those of several machines let
        it wait: the worker that has the model may be off just now.
        """
        if len({one.machine for one in self._workers}) == 1:
            return True
        transitions.explain_wait(self._store, row.id, no_model(request, self._judge.by_path(request)), time.time())
        return False


def reported(machine: Machine) -> Machine:
    """Return a machine as its worker tells it: free memory in steps, and its host's name."""
    return replace(
        machine,
        ram_free=machine.ram_free // MEMORY_STEP * MEMORY_STEP,
        vram_free=machine.vram_free // MEMORY_STEP * MEMORY_STEP,
        host=platform.node(),
    )


def whole_models(presets: Presets, settings: Settings) -> dict[str, str]:
    """Return the fingerprint of each model whose files are whole, and of each such upscaler, by name."""
    found: dict[str, str] = {}
    for name in presets.models:
        try:
            model = find_model(name, presets, settings)
            whole = None if model.random else check_model(model.folder, model.preset)
            found[name] = whole.fingerprint if whole else "random"
        except (FanslymotionError, OSError) as e:
            log.debug("%s: %s", name, e)
    for name, preset in presets.upscalers.items():
        try:
            found[name] = check_upscaler(preset, preset_folder(preset, settings)).fingerprint
        except (FanslymotionError, OSError) as e:
            log.debug("%s: %s", name, e)
    return found
