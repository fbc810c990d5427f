"""Define what a worker tells about itself, so that other processes can decide which jobs it should run."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, cast

from ..pipeline.hardware.machine import Machine


@dataclass(frozen=True)
class Abilities:
    """What a worker can run.

    Attributes:
        machine: what it computes with, without measurements.
        models: names of the models and upscalers whose files are whole there.
        refused: ids of jobs that failed there because a model was missing, since its models last changed.
    """

    machine: Machine
    models: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()

    def write(self) -> str:
        """Write it as JSON, for a column."""
        machine = {name: value for name, value in asdict(self.machine).items() if name != "figures"}
        return json.dumps({"machine": machine, "models": sorted(self.models), "refused": sorted(self.refused)})

    @classmethod
    def read(cls, text: str) -> "Abilities | None":
        """Read what `write` wrote. Return None if it is empty, or if another version of this program wrote it."""
        known = {field.name for field in fields(Machine)} - {"figures"}
        try:
            found = cast("dict[str, Any]", json.loads(text))
            machine = {name: value for name, value in found["machine"].items() if name in known}
            return cls(Machine(**machine), frozenset(found["models"]), frozenset(found["refused"]))
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
