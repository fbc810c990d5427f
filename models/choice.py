"""Describe each model: what it is for, what it can do, whether it is recommended and why, and the order of the list."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ..errors import ModelError
from ..messages import Message, msg
from ..pipeline.families import family
from ..pipeline.families.motions import motions_of
from ..presets import PURPOSES, ModelPreset, Presets
from ..presets.options import LAST_PHOTO, OPTIONS
from ..presets.purposes import PURPOSE_WORDS
from ..settings import Settings
from .find import default_model, is_complete, taken_by

NAMED = ("prompt", LAST_PHOTO.name, "loop", "loras")
"""Settings that only some models take, and that are named where models are compared."""

LABELS: Mapping[str, Message] = {name: option.label for name, option in OPTIONS.items()} | {
    LAST_PHOTO.name: LAST_PHOTO.label
}

HERE = msg("It is on this computer, and has been run on graphics cards.")
OWN = msg("It is a model of your own, on this computer.")
TO_GET = msg("It needs no account, and has been run on graphics cards.")


@dataclass(frozen=True)
class Recommendation:
    """The recommended model.

    Attributes:
        name: The model's.
        reason: Why it is recommended.
    """

    name: str
    reason: Message


def purpose_of(preset: ModelPreset) -> Message | None:
    """Return what a model is for; None if its preset does not say."""
    return PURPOSE_WORDS[preset.purpose] if preset.purpose else None


def abilities(preset: ModelPreset, presets: Presets) -> tuple[Message, ...]:
    """Return what a model can do that others cannot: its own settings, and the length of a video without a seam."""
    taken = taken_by(preset)
    found = [LABELS[name] for name in NAMED if name in taken]
    if motions_of(preset):
        found.append(msg("Motion from gentle to strong"))
    if seconds := seamless(preset, presets):
        found.append(msg("{seconds} s without a seam", seconds=seconds))
    return tuple(found)


def seamless(preset: ModelPreset, presets: Presets) -> int:
    """Return the longest length in seconds that is sampled in one window; 0 if each length takes several.

    At the first quality, and with enough memory for the whole window.
    """
    try:
        geometry = family(preset.family).geometry
    except ModelError:  # a user's preset with a family that is not here; `require_model` says so
        return 0
    quality = next(iter(presets.qualities.values()))
    lengths = [
        duration.seconds
        for duration in presets.durations.values()
        if geometry.windows(
            presets.rate(preset, duration, quality).frames(duration.seconds), preset.frames, period=preset.loop
        ).count
        == 1
    ]
    return max(lengths, default=0)


def recommended(presets: Presets, settings: Settings, complete: Collection[str] | None = None) -> Recommendation | None:
    """Recommend one model: a real one that is here, else one to download that needs no account and has been tried.

    complete: as of `default_model`.
    """
    here = default_model(presets, settings, complete)
    if not presets.models[here].demo:
        return Recommendation(here, OWN if presets.models[here].source == "folder" else HERE)
    for preset in presets.models.values():
        if preset.source == "hub" and not preset.gated and not preset.trial:
            return Recommendation(preset.name, TO_GET)
    return None


def in_order(presets: Presets, settings: Settings, complete: Collection[str] | None = None) -> list[ModelPreset]:
    """Return all models as they are listed everywhere.

    The recommended one comes first, then those that are here, then the others by what they are for; of each kind those
    that fanslymotion's makers have not run yet come last.

    complete: as of `default_model`.
    """
    if complete is None:
        complete = {name for name in presets.models if is_complete(name, presets, settings)}
    first = recommended(presets, settings, complete)

    def place(preset: ModelPreset) -> tuple[bool, bool, bool, int]:
        rank = PURPOSES.index(preset.purpose) if preset.purpose else len(PURPOSES)
        return first is None or preset.name != first.name, preset.name not in complete, preset.trial, rank

    return sorted(presets.models.values(), key=place)
