"""Find model families: a folder each, with all that is special to one kind of model.

A folder's `__init__.py` declares `FAMILY: Family` (base.py), which makes pyright compare the class with the protocol.
A preset's `family` is the folder's name.
"""

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ModelError
from ...messages import codes, msg

if TYPE_CHECKING:
    from .base import Family

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
        known = ", ".join(families())
        raise ModelError(
            msg("{what} is {name!r}; choose one of {known}", what="family", name=name, known=known),
            code=codes.WRONG_SETTING,
        )
    return import_module(f".{name}", __package__).FAMILY


def family_of_folder(folder: Path) -> "Family":
    """Return the family whose model a plain folder looks like; the default one, which says what is missing, if none."""
    return next((found for name in families() if (found := family(name)).recognises(folder)), family(DEFAULT))
