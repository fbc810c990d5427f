"""Find model families: a folder each, with all that is special to one kind of model.

A folder's `__init__.py` declares `FAMILY: Family` (base.py), which makes pyright compare the class with the protocol.
A preset's `family` is the folder's name.
"""

import pkgutil
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ModelError
from ...messages import codes, msg

if TYPE_CHECKING:
    from ...presets import ModelPreset
    from .base import Family, ModelFiles

DEFAULT = "svd"

SHARED = ("costs", "flow", "steps", "weights")
"""Folders that are no families: what families share."""


@cache
def families() -> tuple[str, ...]:
    """Return the names of all families, the default one first."""
    found = [module.name for module in pkgutil.iter_modules(__path__) if module.ispkg and module.name not in SHARED]
    return tuple(sorted(found, key=lambda name: (name != DEFAULT, name)))


@cache
def family(name: str) -> "Family":
    """Return a family by its preset key. Raise ModelError for an unknown one, as the list of models expects."""
    if name not in families():
        raise _not_among("family", name, families())
    return import_module(f".{name}", __package__).FAMILY


def check_model(folder: Path, preset: "ModelPreset") -> "ModelFiles":
    """Check that a model's folder is whole, and that it can be sampled as its preset says.

    Args:
        folder: The model's.
        preset: Its preset, or that which its family made of the folder.

    Raises:
        ModelError: Something is missing or wrong; the text says what, and what to do.
    """
    found = family(preset.family).check(folder, preset)
    check_sampling(preset)
    return found


def check_sampling(preset: "ModelPreset") -> None:
    """Check that a model's family follows the noise levels and the solver of its preset, and the levels of its modes.

    Raises:
        ModelError: It does not: the model would be sampled in another way than the preset says.
    """
    kind, sampling = family(preset.family), preset.sampling
    modes = kind.modes if preset.modes is None else preset.modes
    asked = [("sampling", sampling.schedule), *((f"modes.{name}", mode.schedule) for name, mode in modes.items())]
    for place, schedule in asked:
        if schedule is None:  # a mode with the levels of the best one
            continue
        solvers = kind.schedules.get(schedule)
        if solvers is None:
            raise _not_among(f"{preset.name}: {place}.schedule", schedule, kind.schedules)
        if sampling.solver not in solvers:
            raise _not_among(f"{preset.name}: sampling.solver", sampling.solver, solvers)


def _not_among(what: str, value: str, known: Iterable[str]) -> ModelError:
    return ModelError(
        msg("{what} is {name!r}; choose one of {known}", what=what, name=value, known=", ".join(known)),
        code=codes.WRONG_SETTING,
    )


def family_of_folder(folder: Path) -> "Family":
    """Return the family whose model a plain folder looks like; the default one, which says what is missing, if none."""
    return next((found for name in families() if (found := family(name)).recognises(folder)), family(DEFAULT))
