"""Tell whether a user's model is distilled, and how it is sampled then. No torch."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import BadInput
from ..messages import codes, msg
from ..pipeline.families import family
from ..pipeline.families.base import ModelFolder
from ..pipeline.families.flow.family import FlowFamily
from ..pipeline.families.weights.files.contents import FileHeader
from ..presets import ModelPreset
from ..presets.schema import Sampling


def is_distilled(kind: FlowFamily, files: Sequence[Path], headers: Sequence[FileHeader]) -> bool:
    """Tell whether files of weights are of a distilled model, by their headers or names.

    Args:
        kind: Their family.
        files: The files.
        headers: Their headers.

    Raises:
        BadInput: Neither says, in a family whose makers publish both kinds. Sampled as the other kind, their videos
            would be spoilt.
    """
    said = [header.distilled for header in headers] + [kind.folders.distilled(file.name) for file in files]
    if True in said:
        return True
    if False in said:
        return False
    raise BadInput(
        msg(
            "{file} does not say, in its name or inside, whether it is of a distilled model; the two kinds of {family} "
            "are sampled in different ways. Add --distilled or --not-distilled on the command line, or put distilled "
            "or dev into its name",
            file=files[0],
            family=kind.folders.name,
        ),
        code=codes.WRONG_SETTING,
    )


def sampled_otherwise(base: ModelFolder, kind: FlowFamily, distilled: bool, file: Path) -> dict[str, Any]:
    """Return the preset keys that differ from the base's because the files are sampled otherwise; empty if not.

    Either the base is distilled and the files are not (as Wan's makers publish them), or the files are distilled and
    the base is not, or is in another way.

    Args:
        base: The model whose transformers the files replace.
        kind: Its family.
        distilled: The files are of a distilled model.
        file: The first file.
    """
    guided = base.preset.sampling.max_guidance > 1
    if not distilled:
        return {} if guided else _keys(kind.folders.undistilled(base.folder))
    few = kind.folders.few_steps
    found = next((few[part] for part in few if part and part in file.name.lower()), None)
    if found is None and guided:
        found = few.get("")
    return {} if found is None else _keys(found)


def chosen(preset: ModelPreset, distilled: bool | None) -> ModelPreset:
    """Return the preset of a folder, sampled as distilled or not as the user chose, with a summary of that.

    Args:
        preset: As the folder's files say.
        distilled: The user's choice; None = as the files say.

    Raises:
        BadInput: The family has only one kind.
    """
    kind: Any = family(preset.family)
    if distilled is None:
        return preset.model_copy(update=_words(preset.sampling)) if isinstance(kind, FlowFamily) else preset
    if not both_kinds(preset):
        raise BadInput(
            msg(
                "{folder} is no model that --distilled or --not-distilled could be said of; leave it out",
                folder=preset.folder,
            ),
            code=codes.WRONG_SETTING,
        )
    folders = kind.folders
    return preset.model_copy(
        update=_keys(folders.few_steps[""] if distilled else folders.undistilled(Path(preset.folder)))
    )


def both_kinds(preset: ModelPreset) -> bool:
    """Tell whether a preset's family has distilled and undistilled models, which are sampled in different ways."""
    kind: Any = family(preset.family)
    return isinstance(kind, FlowFamily) and bool(kind.folders.few_steps)


def _keys(sampling: Mapping[str, Any]) -> dict[str, Any]:
    found = Sampling.model_validate(sampling)
    return {"sampling": found, "modes": None, **_words(found)}


def _words(sampling: Sampling) -> dict[str, str]:
    steps, guidance = sampling.steps, f"{sampling.max_guidance:g}"
    words = (
        msg("{steps} steps with guidance {guidance}.", steps=steps, guidance=guidance)
        if sampling.max_guidance > 1
        else msg("{steps} steps without guidance.", steps=steps)
    )
    return {"summary": words.say("en"), "summary_ru": words.say("ru")}
