"""Convert the amount of motion from a word (gentle, normal, strong) to a number. Without torch.

A request holds only the number: words are converted on entry, so that every part reads the same.
"""

from collections.abc import Mapping

from ...errors import BadInput, ModelError
from ...messages import msg
from ...presets import ModelPreset
from ...presets.options import MOTIONS, NORMAL, NUMBERS
from . import family


def motions_of(preset: ModelPreset) -> Mapping[str, int]:
    """Return the `motion_bucket_id` of each word, from less to more; empty if the model has no such setting."""
    try:
        others = family(preset.family).motions
    except ModelError:  # a user's preset with a family that is not here; `require_model` says so
        return {}
    known = {**others, NORMAL: preset.sampling.motion_bucket_id} if others else {}
    return {name: known[name] for name in MOTIONS if name in known}


def settle_motion(word: str, number: int | None, preset: ModelPreset) -> int | None:
    """Return the requested `motion_bucket_id`; None = the model's own.

    Args:
        word: One of `MOTIONS`, or a number of 1 to 255 (the former meaning of `motion`); "" = none.
        number: `motion_bucket_id`, if it is given.
        preset: The model's.

    Raises:
        BadInput: The word is unknown, the model has no such setting, or both a word and a number are given.
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
