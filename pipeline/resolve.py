"""A request with every open choice settled: model, sizes, windows, frame rates. What `produce` then carries out."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from .. import __version__
from ..presets import ModelPreset, Presets, UpscalerPreset
from ..presets.options import LAST_PHOTO, TEXTS
from .families import family
from .families.base import Lora, MemoryPlan, ModelFolder
from .families.flow.weights_files import fingerprints
from .families.guidance import Guidance
from .families.modes import sampled_steps
from .families.steps.effort import EVERYTHING
from .media.normalised_photo import NormalisedPhoto
from .media.upscale.files import UpscalerFile
from .output import drawn_size, resolve_output
from .request import VideoRequest
from .sampling.windowed import SamplingParams
from .windows import WindowOptions

TEXT_BYTES = 4000
"""Of a text in the video file, where all settings have 16 kB. It is more than any text encoder reads of a prompt."""


@dataclass(frozen=True)
class ResolvedRequest:
    """width, height: of the finished video. frames: sampled ones. interpolation: frames shown for each of them.

    fps: of the finished video, frames per second. wished: the guidance that was asked for.
    upscaler: for what neither the model nor the photo gives, None without.
    """

    request: VideoRequest
    model: ModelFolder
    clip: SamplingParams
    width: int
    height: int
    frames: int
    interpolation: int
    fps: int
    wished: Guidance
    upscaler: UpscalerFile | None = None

    @property
    def shown(self) -> int:
        """Frames of the finished video."""
        return self.frames * self.interpolation

    @property
    def decoded_latents(self) -> int:
        """Latent frames that are decoded; between two shown frames one more is needed behind the last."""
        wanted = self.frames + (self.interpolation > 1)
        return min(family(self.model.preset.family).geometry.latents(wanted), self.clip.plan.sampled)

    def key(
        self,
        photo: NormalisedPhoto,
        fingerprint: str,
        arithmetic: int = 0,
        compiled: bool = False,
        last: NormalisedPhoto | None = None,
    ) -> str:
        """Identify everything that decides the latents: the same key, the same frames.

        But for how they are computed: a job that stepped down in memory goes on from its checkpoint without guidance.
        fingerprint, arithmetic: of the loaded model (`LoadedModel`). compiled: as `MemoryPlan` has it.
        last: the picture that the video ends with.
        """
        clip = asdict(replace(self.clip, guidance=self.wished))
        if self.clip.effort == EVERYTHING:
            del clip["effort"]  # as in the keys of versions that knew no other
        else:
            clip["effort"] = self.clip.effort.record()
        if not self.wished.rescale:
            del clip["guidance"]["rescale"]  # likewise
        for name in ("loop", "sigmas"):
            if not clip["motion"].get(name):
                clip["motion"].pop(name, None)  # likewise
        clip["motion"] = {name: value for name, value in clip["motion"].items() if value is not None}
        parts: dict[str, Any] = {
            "clip": clip,
            "fit": self.request.fit,
            "photo": photo.digest(),
            "model": fingerprint,
        }
        if self.model.int8:
            parts["int8"] = True
        if loras := [[lora.fingerprint, lora.strength] for lora in self.model.loras]:
            parts["lora"] = loras[0] if len(loras) == 1 else loras  # one as in the keys of versions that knew no more
        if last is not None:
            parts["last_photo"] = last.digest()
        if self.request.centre != 0.5:
            parts["position"] = self.request.centre
        if arithmetic:
            parts["arithmetic"] = arithmetic
        if compiled:
            parts["compiled"] = True
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def metadata(self, compiled: bool = False, last: bool = False) -> dict[str, Any]:
        """Return what the video file says about how it was made. Of a model folder only the name: a path is private.

        compiled: as `MemoryPlan` has it. last: the video ends with a picture of its own.
        """
        licence, clip = self.model.preset.licence, self.clip
        room = TEXT_BYTES - len(json.dumps([one.name for one in self.request.loras]))  # names are never cut
        return {
            "version": __version__,
            "request": _fitting({**self.request.to_json(), "model": self.model.name}, room),
            "sampling": {
                "width": clip.width,
                "height": clip.height,
                "frames": self.frames,
                "steps": clip.steps,
                "schedule": clip.schedule,
                "min_guidance": clip.guidance.first,
                "max_guidance": clip.guidance.last,
                **({"guidance_rescale": clip.guidance.rescale} if clip.guidance.rescale else {}),
                **clip.effort.record(),
                **_fitting(clip.motion.metadata(), room),
                "windows": clip.plan.count,
                "overlap": clip.plan.overlap,
                "compiled": compiled,
                LAST_PHOTO.name: last,
            },
            "model": {
                "name": self.model.name,
                "label": self.model.preset.label,
                "random": self.model.random,
                "weights": list(fingerprints(self.model.preset)),
                "licence": licence.name,
                "notice": licence.notice,
                "powered_by": licence.powered_by,
            },
            "loras": [self._lora(lora) for lora in self.model.loras],
            "upscaler": None if self.upscaler is None else self._upscaler(self.upscaler.preset),
        }

    @staticmethod
    def _lora(lora: Lora) -> dict[str, Any]:
        return {"name": lora.name, "strength": lora.strength, "fingerprint": lora.fingerprint}

    @staticmethod
    def _upscaler(preset: UpscalerPreset) -> dict[str, Any]:
        return {"name": preset.name, "licence": preset.licence.name, "notice": preset.licence.notice}


def _fitting(told: dict[str, Any], room: int) -> dict[str, Any]:
    """Return settings whose texts fit into the video file: what is longer than `room` bytes loses its end."""
    found = dict(told)
    for name in TEXTS:
        text = found.get(name)
        while text and (size := len(json.dumps(text))) > room:
            text = text[: len(text) * room // (size + 1)]
        if name in found:
            found[name] = text
    return found


def resolve(
    request: VideoRequest,
    photo_size: tuple[int, int],
    model: ModelFolder,
    presets: Presets,
    upscaler: UpscalerFile | None = None,
) -> ResolvedRequest:
    """Raise PresetError for an unknown preset, BadInput for a mode that the model does not have."""
    preset = model.preset
    options = window_options(preset)
    sampling, sampled = preset.sampling, sampled_steps(request, preset)
    output = resolve_output(request, photo_size, preset, presets)
    drawn, kind = drawn_size(output, preset), family(preset.family)
    clip = SamplingParams(
        width=drawn[0],
        height=drawn[1],
        seed=request.seed,
        steps=sampled.steps,
        schedule=sampled.schedule,
        guidance=Guidance(sampling.min_guidance, sampling.max_guidance, rescale=sampling.guidance_rescale),
        motion=kind.options(request, preset, output.fps // output.interpolation),
        plan=kind.geometry.windows(output.sampled, preset.frames, options.min_overlap, preset.loop),
        options=options,
        effort=sampled.effort,
    )
    return ResolvedRequest(
        request=request,
        model=replace(model, int8=request.int8),
        clip=clip,
        width=output.width,
        height=output.height,
        frames=output.sampled,
        interpolation=output.interpolation,
        fps=output.fps,
        wished=clip.guidance,
        upscaler=upscaler,
    )


def window_options(preset: ModelPreset) -> WindowOptions:
    """Return how a model's windows are joined."""
    return replace(WindowOptions.of(preset.loop), guidance_cap=family(preset.family).geometry.guidance_cap)


def with_plan(resolved: ResolvedRequest, plan: MemoryPlan) -> ResolvedRequest:
    """Take sampling size, window and guidance from the memory plan. Everything else stays."""
    clip = resolved.clip
    windows, preset = clip.plan, resolved.model.preset
    if plan.window != preset.frames:
        geometry = family(preset.family).geometry
        windows = geometry.windows(resolved.frames, plan.window, clip.options.min_overlap, preset.loop)
    wished = resolved.wished
    guidance = replace(wished, two_passes=plan.two_pass) if plan.guided or not wished.on else Guidance(1.0, 1.0)
    return replace(resolved, clip=replace(clip, width=plan.width, height=plan.height, plan=windows, guidance=guidance))
