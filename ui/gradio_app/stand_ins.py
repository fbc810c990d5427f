"""Stand in for things that cost processor time when they are made, until they are used."""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from types import ModuleType
from typing import Any


class Later:
    """Stands in for an object that is called, or whose attributes are read. It is made at the first use.

    It cannot be a base class, nor be asked about with `isinstance`.

    Args:
        make: Makes the object.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._made = cache(make)

    def __call__(self, *values: Any, **named: Any) -> Any:
        """Call the object."""
        return self._made()(*values, **named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Python's own questions: a copy, a context manager
            raise AttributeError(name)
        return getattr(self._made(), name)


class _LaterModule(ModuleType):
    """Stands in for a module. What is imported from it meanwhile is a `Later`; afterwards it gives the module's own."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import system's questions
            raise AttributeError(name)
        real = partial(_of_module, self.__name__, name)
        return Later(real) if sys.modules.get(self.__name__) is self else real()


def _of_module(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


@contextmanager
def without_modules(*names: str) -> Iterator[None]:
    """Import in the body without these modules. Those that are there already stay.

    Within it no other thread may import them. Afterwards they can be imported as always.
    """
    made = {name: _LaterModule(name) for name in names if name not in sys.modules}
    sys.modules.update(made)
    try:
        yield
    finally:
        for name, module in made.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


@contextmanager
def without_names(package: ModuleType, *names: str) -> Iterator[None]:
    """Import in the body without these names of a package that imports its parts when they are asked for.

    Within it no other thread may ask for them.
    """
    made = [name for name in names if name not in vars(package)]
    for name in made:
        setattr(package, name, Later(partial(_of_module, package.__name__, name)))
    try:
        yield
    finally:
        for name in made:
            delattr(package, name)
