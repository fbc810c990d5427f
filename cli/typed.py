"""Read numbers from the command line, and name the option that was typed when a setting is refused."""

import sys
from collections.abc import Callable
from typing import Any

import typer

from ..messages import Message
from ..presets.options import NUMBERS

SETTING = ("name", "what")
"""Under one of these a message holds the setting that it refuses."""


def number(name: str) -> Callable[[str], int | float]:
    """Return a parser for an option that is a number, with the range of the setting `name`.

    The parser raises `typer.BadParameter`, to which typer adds the option as it is called.
    """
    known = NUMBERS[name]

    def parse(text: str) -> int | float:
        try:
            value = known.kind(text)
        except ValueError:
            value = None
        if value is None or not known.low <= value <= known.high:
            kind = "a whole number" if known.kind is int else "a number"
            raise typer.BadParameter(f"{text!r}; it must be {kind} from {known.low:g} to {known.high:.10g}")
        return value

    return parse


def named_as_typed(message: Message, command: Any) -> Message:
    """Return a refusal that names the option as it was typed instead of the setting behind it.

    Args:
        message: Why a request was refused.
        command: The command whose options were typed.
    """
    for key in SETTING:
        setting = message.values.get(key)
        options = next((one.opts for one in command.params if one.name == setting), None)
        if options:
            return message.but(**{key: _typed(options)})
    return message


def _typed(options: list[str]) -> str:
    """The name by which it was typed; its long one where it was not."""
    words = [word.partition("=")[0] for word in sys.argv[1:]]
    return next((option for option in options if option in words), options[0])
