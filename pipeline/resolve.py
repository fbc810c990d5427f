"""Resolve a request: settle model, sizes, windows and frame rates, so that `produce` has no choice left to make."""

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
from .output import resolve_output, sampled_size
from .request import VideoRequest
from .sampling.windowed import SamplingParams
from .windows import WindowOptions

TEXT_BYTES = 4000
"""Limit of a text in the video file, in which all settings have 16 kB. No text encoder reads a prompt that long."""


@dataclass(frozen=True)
class ResolvedRequest:
    """A request with everything that follows from it.

    Attributes:
        request: The request as submitted.
        model: The model's folder.
        clip: Parameters of the sampling.
        width: Of the finished video, pixels.
        height: Of the finished video, pixels.
        frames: Number of sampled frames.
        interpolation: Frames of the finished video per sampled frame.
        fps: Frames per second of the finished video.
        requested_guidance: The guidance that was requested; `clip.guidance` may be less, see `with_plan`.
        upscaler: Adds detail that neither the model nor the photo gives; None = no upscaler.
    """

    request: VideoRequest
    model: ModelFolder
    clip: SamplingParams
    width: int
    height: int
    frames: int
    interpolation: int
    fps: int
    requested_guidance: Guidance
    upscaler: UpscalerFile | None = None

    @property
    def shown(self) -> int:
        """Number of frames of the finished video."""
        return self.frames * self.interpolation

    @property
    def decoded_latents(self) -> int:
        """Number of latent frames to decode. Interpolation needs one frame more than the sampled ones."""
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
        """Return a hash of everything that decides the frames. Checkpoints with another key are not resumed.

        The plan's fallbacks are left out on purpose: a job that fell back may finish without guidance.

        Args:
            photo: The job's photo.
            fingerprint: Of the loaded model.
            arithmetic: Of the loaded model; see `VideoModel.arithmetic`.
            compiled: See `MemoryPlan.compiled`.
            last: The picture that the video ends with; None = the model decides.
        """
        clip = asdict(replace(self.clip, guidance=self.requested_guidance))
        clip["motion"] = clip.pop("family_options")  # its name in the keys of stored checkpoints
        if self.clip.effort == EVERYTHING:
            del clip["effort"]  # as in the keys of versions that knew no other
        else:
            clip["effort"] = self.clip.effort.record()
        if not self.requested_guidance.rescale:
            del clip["guidance"]["rescale"]  # likewise
        for name in ("loop", "sigmas", "behind"):
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
        """Return the settings to store in the video file. A model folder's path is private: only its name is stored.

        Args:
            compiled: See `MemoryPlan.compiled`.
            last: The video ends with a given picture.
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
                **_fitting(clip.family_options.metadata(), room),
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
    """Return settings whose texts take at most `room` bytes each as JSON; longer ones are truncated."""
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
    """Resolve a request, before any memory plan.

    Args:
        request: The settings.
        photo_size: Width and height of the photo, pixels.
        model: The model's folder.
        presets: All presets.
        upscaler: The file of `request.upscaler`; None = no upscaler.

    Raises:
        PresetError: The request names an unknown preset.
        BadInput: The model does not offer the request's mode.
    """
    preset = model.preset
    options = window_options(preset)
    sampling, sampled = preset.sampling, sampled_steps(request, preset)
    output = resolve_output(request, photo_size, preset, presets)
    drawn, kind = sampled_size(output, preset), family(preset.family)
    clip = SamplingParams(
        width=drawn[0],
        height=drawn[1],
        seed=request.seed,
        steps=sampled.steps,
        schedule=sampled.schedule,
        guidance=Guidance(sampling.min_guidance, sampling.max_guidance, rescale=sampling.guidance_rescale),
        family_options=kind.options(request, preset, output.fps // output.interpolation),
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
        requested_guidance=clip.guidance,
        upscaler=upscaler,
    )


def window_options(preset: ModelPreset) -> WindowOptions:
    """Return how a model's windows are joined."""
    return replace(WindowOptions.of(preset.loop), guidance_cap=family(preset.family).geometry.guidance_cap)


def with_plan(resolved: ResolvedRequest, plan: MemoryPlan) -> ResolvedRequest:
    """Return the request with the sampling size, windows and guidance of a memory plan."""
    clip = resolved.clip
    windows, preset = clip.plan, resolved.model.preset
    if plan.window != preset.frames:
        geometry = family(preset.family).geometry
        windows = geometry.windows(resolved.frames, plan.window, clip.options.min_overlap, preset.loop)
    requested_guidance = resolved.requested_guidance
    guidance = (
        replace(requested_guidance, two_passes=plan.two_pass)
        if plan.guided or not requested_guidance.on
        else Guidance(1.0, 1.0)
    )
    return replace(resolved, clip=replace(clip, width=plan.width, height=plan.height, plan=windows, guidance=guidance))
