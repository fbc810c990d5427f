"""Import torch without the part that only its compiler needs: 0.7 of a worker's 2.9 CPU seconds of imports.

torch brings a Python implementation of most of its operators (`torch._meta_registrations` and what it imports), for
tensors without numbers that pass through a whole network. Building a network of such tensors needs none of it
(bench/RESULTS.md, "Starting"). What does, as the compiler, imports one of USERS, and gets all of it then.
"""

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

DEFERRED = "torch._meta_registrations"
PARTS = ("_decomp", "_prims", "_refs")
"""Modules of torch that DEFERRED imports, and that others find as attributes of torch. They must not come before it."""
USERS = frozenset({f"torch.{name}" for name in (*PARTS, "_dynamo", "_prims_common.wrappers", "utils._content_store")})
"""Modules that cannot be imported before DEFERRED: they and it import each other."""


class OnDemand(ModuleType):
    """Stands in for a module, which is imported as soon as something of it is used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import system's questions
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def light_torch() -> Iterator[None]:
    """Import torch in the body. Changes nothing where it is imported already."""
    if "torch" in sys.modules:
        yield
        return
    stand_in = sys.modules[DEFERRED] = OnDemand(DEFERRED)
    try:
        yield
    finally:
        left_out = sys.modules.get(DEFERRED) is stand_in
        if left_out:
            del sys.modules[DEFERRED]
    if left_out and "torch" in sys.modules:
        _finish(sys.modules["torch"])


def _finish(torch: Any) -> None:
    """Have DEFERRED imported when it is needed, or now, if this version of torch cannot do without it."""
    for name in PARTS:
        if not hasattr(torch, name):
            setattr(torch, name, OnDemand(f"torch.{name}"))
    sys.meta_path.insert(0, _DeferredFirst())
    if hasattr(torch._C, "_set_generator_metaclass"):  # since 2.13 `torch._prims` does it
        torch._C._set_generator_metaclass(importlib.import_module("torch._opaque_base").OpaqueBaseMeta)
    try:
        torch.Generator()
    except RuntimeError:
        importlib.import_module(DEFERRED)


class _DeferredFirst:
    """Finder that has DEFERRED imported before any of USERS."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> Any:
        """Return where one of USERS is, None for all other modules."""
        if name not in USERS or DEFERRED in sys.modules:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _AfterDeferred(spec.loader)
        return spec


class _AfterDeferred(Loader):
    """Loader of one of USERS."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._imported: ModuleType | None = None
        self._spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Import DEFERRED, and return the module where that has brought it: it is not to be run twice."""
        importlib.import_module(DEFERRED)
        self._imported = sys.modules.get(spec.name)
        self._spec = self._imported.__spec__ if self._imported else None
        return self._imported

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, unless it has been."""
        if module is self._imported:
            module.__spec__ = self._spec
            return
        assert module.__spec__ is not None
        module.__spec__.loader = self._loader
        self._loader.exec_module(module)
