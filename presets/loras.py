"""Read which LoRAs a request names, and how strongly each is added. Without torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ..errors import BadInput
from ..messages import msg
from .options import LORA_STRENGTH, MOST_LORAS, LoraStrength

BEFORE = ("lora", "lora_strength")
"""The settings of versions that knew one LoRA."""


@dataclass(frozen=True)
class LoraChoice:
    """One LoRA of a request.

    Attributes:
        name: By which it is chosen (`models.loras`).
        strength: 1 is as it was trained; None = as the model's preset says.
    """

    name: str
    strength: LoraStrength | None = None

    def __post_init__(self) -> None:
        name: Any = self.name
        if not isinstance(name, str) or not name:
            raise _no_list(name)
        if not LORA_STRENGTH.allows(self.strength):
            raise BadInput(
                msg(
                    "the strength of the LoRA {name!r} is {value!r}; it must be a number from {low} to {high}",
                    name=name,
                    value=self.strength,
                    low=LORA_STRENGTH.low,
                    high=LORA_STRENGTH.high,
                )
            )

    def __str__(self) -> str:
        """Return it as `parse_lora` reads it."""
        return self.name if self.strength is None else f"{self.name}:{self.strength:g}"


def check_loras(loras: Sequence[LoraChoice]) -> None:
    """Check a request's LoRAs.

    Raises:
        BadInput: They are too many, or one is named twice.
    """
    if len(loras) > MOST_LORAS:
        raise BadInput(
            msg("{count} LoRAs are asked for; at most {most} are added to a model", count=len(loras), most=MOST_LORAS)
        )
    names = [one.name for one in loras]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise BadInput(msg("the LoRA {name!r} is asked for twice; name it once, with one strength", name=twice))


def read_loras(loras: Any) -> tuple[LoraChoice, ...]:
    """Read a list of {name, strength}. Raise BadInput if it is none."""
    if not isinstance(loras, list | tuple):
        raise _no_list(loras)
    return tuple(_read_lora(one) for one in cast("Sequence[Any]", loras))


def parse_lora(text: str) -> LoraChoice:
    """Read `NAME` or `NAME:STRENGTH`. What is no number behind the last colon is a part of the name."""
    name, colon, end = text.strip().rpartition(":")
    try:
        return LoraChoice(name.strip(), float(end)) if colon and name.strip() else LoraChoice(text.strip())
    except ValueError:
        return LoraChoice(text.strip())


def parse_loras(text: str) -> tuple[LoraChoice, ...]:
    """Read `NAME:STRENGTH, NAME, …`."""
    return tuple(parse_lora(one) for one in text.split(",") if one.strip())


def with_list_of_loras(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request's settings with a list in place of `lora` and `lora_strength`, which it had until version 8.

    A strength without a LoRA meant nothing then.

    Raises:
        BadInput: Both are given, the list and the one of before.
    """
    found = {name: value for name, value in data.items() if name not in BEFORE}
    if name := data.get("lora"):
        if found.get("loras"):
            raise BadInput(msg("both lora and loras are given; name all LoRAs in loras"))
        found["loras"] = [{"name": name, "strength": data.get("lora_strength")}]
    return found


def _read_lora(one: Any) -> LoraChoice:
    if isinstance(one, LoraChoice):
        return one
    try:
        return LoraChoice(**one)
    except TypeError as e:  # no dictionary, or one with other keys
        raise _no_list(one) from e


def _no_list(value: Any) -> BadInput:
    shown = str(value)[:80]
    return BadInput(
        msg("{name} is {value!r}; it must be a list of LoRAs, each with name and strength", name="loras", value=shown)
    )
