"""Choose the amount of motion by a word, gentle, normal or strong, instead of a number. Without torch.

A request holds the number alone: a word is settled where it comes in, so that every part reads the same.
"""

from collections.abc import Mapping

from ...errors import BadInput, ModelError
from ...messages import msg
from ...presets import ModelPreset
from ...presets.options import MOTIONS, NORMAL, NUMBERS
from . import family


def motions_of(preset: ModelPreset) -> Mapping[str, int]:
    """Return the `motion_bucket_id` of each word, from less to more; empty where the model cannot be told."""
    try:
        others = family(preset.family).motions
    except ModelError:  # a user's preset with a family that is not here; `require_model` says so
        return {}
    known = {**others, NORMAL: preset.sampling.motion_bucket_id} if others else {}
    return {name: known[name] for name in MOTIONS if name in known}


def settle_motion(word: str, number: int | None, preset: ModelPreset) -> int | None:
    """Return the `motion_bucket_id` that a request asks for; None = the model's own.

    Args:
        word: One of `MOTIONS`, or a number of 1 to 255, which `motion` was before; "" = none.
        number: `motion_bucket_id`, where it is given, too.
        preset: Of the model.

    Raises:
        BadInput: The word is unknown, the model cannot be told, or both a word and a number are given.
    """
    if not word:
        return number
    if number is not None:
        raise BadInput(
            msg("motion is {word!r} and motion_bucket_id is {number}; give one of the two", word=word, number=number)
        )
    if word.isdecimal() and (limits := NUMBERS["motion_bucket_id"]).low <= int(word) <= limits.high:
        return int(word)
    if word not in MOTIONS:
        raise BadInput(
            msg(
                "{what} is {name!r}; choose one of {known}, or a number from 1 to 255",
                what="motion",
                name=word,
                known=", ".join(MOTIONS),
            )
        )
    if word == NORMAL:
        return None
    offered = motions_of(preset)
    if word not in offered:
        raise BadInput(
            msg(
                "{what} is {name!r}, but the model {model} has no setting for motion; leave it out, "
                "or choose another model",
                what="motion",
                name=word,
                model=preset.name,
            )
        )
    return offered[word]
