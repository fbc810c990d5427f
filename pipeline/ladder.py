"""Out of memory is no end: step down, say so, go on from the checkpoint."""

import json
import logging
from dataclasses import replace
from pathlib import Path

from ..errors import RenderError
from ..presets import Presets
from ..settings import Settings
from . import devices
from .files import commit, part_path
from .memory import Machine, MemoryPlan, change, resumable, smaller
from .oom import Offload, PlanMemory
from .outlook import outlook, watch
from .progress import Stage
from .request import VideoRequest

log = logging.getLogger(__name__)

PLAN_NAME = "plan.json"
"""In the job's work folder: a job that is taken up again must sample at the size its checkpoint has."""


class Ladder:
    """The plan of one job, from the best rung that fits down to the last."""

    def __init__(
        self,
        request: VideoRequest,
        photo_size: tuple[int, int],
        presets: Presets,
        settings: Settings,
        work: Path,
        model: str,
        machine: Machine | None = None,
    ) -> None:
        self.model = model
        self.warnings: list[str] = []
        self._memory = PlanMemory(settings)
        self._path = work / PLAN_NAME
        self._first = outlook(request, photo_size, presets, settings, machine=machine)
        self.plan = self._kept() or self._first
        self._keep()
        self._say()

    def step_down(self, stage: Stage, error: str) -> bool:
        """After memory ran out at `stage`. Return whether the checkpoint still fits. Raise RenderError at the end."""
        below = smaller(self.plan, stage)
        if below is None:
            raise RenderError(
                f"the memory is too small for this video, even with everything turned down ({error.splitlines()[0]}); "
                f"{self._holders()}close other programs, or choose a smaller resolution or another model"
            )
        before, self.plan = self.plan, below
        self._warn(f"Out of memory while {_DOING[stage]}; going on with: {change(before, below)}. {self._holders()}")
        self._keep()
        return resumable(before, below)

    def done(self, sampling_seconds: float, share: float) -> None:
        """The job has ended well: remember what carried it, and how fast. share: of the sampling, done in one go."""
        self._memory.remember(self._first, self.plan, self.model)
        if share > 0.5:
            self._memory.measured(self.plan, sampling_seconds, share)

    def _kept(self) -> MemoryPlan | None:
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            return replace(self._first, **(kept | {"offload": Offload(kept["offload"])}))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _keep(self) -> None:
        part = part_path(self._path)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(self.plan.settings), encoding="utf-8")
            commit(part, self._path)
        except OSError as e:
            log.debug("%s was not written: %s", self._path, e)
        finally:
            part.unlink(missing_ok=True)

    def _say(self) -> None:
        plan = self.plan
        log.info("Memory plan: %s, %s, %d×%d, %s", plan.placement, plan.dtype, plan.width, plan.height, plan.summary)
        if plan.shrunk:
            work = plan.work
            what = "without guidance and " if work.guided and not plan.guided else ""
            self._warn(
                f"To fit this machine the video is drawn {what}at {plan.width}×{plan.height} instead of "
                f"{work.width}×{work.height}; the finished size stays."
            )

    def _warn(self, text: str) -> None:
        self.warnings.append(text.strip())
        log.warning("%s", text.strip())

    def _holders(self) -> str:
        """Who else holds video memory, as a sentence; "" when nobody does or it is not about a GPU."""
        sample = watch.sample() if self.plan.device == "cuda" else None
        found = devices.others(sample, frozenset()) if sample else ()
        named = [f"{p.name} ({p.memory >> 20} MB)" if p.memory else p.name for p in found[:3]]
        return f"Video memory is held by {', '.join(named)}. " if named else ""


_DOING = {
    Stage.LOADING: "loading the model",
    Stage.CONDITIONING: "reading the photo",
    Stage.SAMPLING: "drawing",
    Stage.DECODING: "decoding",
    Stage.SAVING: "saving",
}
