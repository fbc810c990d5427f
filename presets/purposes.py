"""Name what a model is for: a few fixed values, with their words."""

from collections.abc import Mapping
from typing import Literal, get_args

from ..messages import Message, msg

Purpose = Literal["everyday", "quick", "best", "small_card", "try"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
"""In the order of a list of models."""

PURPOSE_WORDS: Mapping[Purpose, Message] = {
    "everyday": msg("All-round"),
    "quick": msg("Quick"),
    "best": msg("Best picture"),
    "small_card": msg("Small graphics cards"),
    "try": msg("To try it out"),
}
