"""Import diffusers without what it imports for every model, and no model here needs.

Each of its model classes brings transformers, for its LoRA loaders, and torch's compiler ("dynamo"), to mark functions
that are not compiled: 2.2 of 3.2 CPU seconds and 100 MB in every worker (bench/RESULTS.md, "Starting"). Without
transformers it is made to be used, and a mark of the compiler means nothing where nothing is compiled.

It also brings all classes of the same folder (0.4 s), and a list of which installed package has which modules (0.2 s),
to name the versions of packages that are called otherwise than their modules. None of them is used here.
"""

import importlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from ....garbage import no_collections

COMPILER = "torch._dynamo"
NOT_NEEDED = "transformers"
FOLDERS = tuple(f"diffusers.models.{folder}" for folder in ("autoencoders", "transformers", "unets"))
"""Packages of model classes, each of which imports all classes of its own."""


@contextmanager
def light_diffusers() -> Iterator[None]:
    """Import classes of diffusers' models in the body. What is imported already is not kept out.

    Within it no other thread may import what is kept out. Afterwards it can be imported as always; diffusers' own
    pipelines, which need transformers, cannot be used in this process.
    """
    stand_ins: dict[str, ModuleType | None] = {name: _bare_package(name) for name in FOLDERS if name not in sys.modules}
    first = "diffusers" not in sys.modules
    if first:
        stand_ins |= _libraries()
    sys.modules.update(stand_ins)  # pyright: ignore[reportArgumentType, reportCallIssue] - None may stand there
    listed, importlib.metadata.packages_distributions = importlib.metadata.packages_distributions, dict
    try:
        with no_collections(freeze=first):  # later there may be a model, which is to be collected
            yield
    finally:
        importlib.metadata.packages_distributions = listed
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]


def transformers_class(name: str) -> Any:
    """Return a class of transformers. What is imported with it stays out of later garbage collections.

    Memory is collected at least twice for each new prompt, which took 0.1 CPU seconds each time (bench/RESULTS.md).
    """
    known = sys.modules.get(NOT_NEEDED)
    with no_collections(freeze=known is None or name not in vars(known)):
        return getattr(importlib.import_module(NOT_NEEDED), name)


def _libraries() -> dict[str, ModuleType | None]:
    """Return what stands in for the two libraries. Diffusers asks for them once, when it is imported itself."""
    found: dict[str, ModuleType | None] = {}
    if NOT_NEEDED not in sys.modules:
        found[NOT_NEEDED] = None  # how `import` is told that there is none
    if COMPILER not in sys.modules and not torch.cuda.is_available():
        found[COMPILER] = _NoCompiler(COMPILER)
    return found


def _bare_package(name: str) -> ModuleType:
    """Return a package of diffusers whose modules can be imported one by one: its own code is not run."""
    spec = importlib.util.find_spec("diffusers")
    assert spec is not None
    package = ModuleType(name)
    inner = name.split(".")[1:]
    package.__path__ = [str(Path(folder, *inner)) for folder in spec.submodule_search_locations or ()]
    return package


class _NoCompiler(ModuleType):
    """Stands in for the compiler. What else is asked of it comes from the compiler itself."""

    @staticmethod
    def allow_in_graph(marked: Any) -> Any:
        """Return what is marked."""
        return marked

    @staticmethod
    def disable(marked: Any = None, recursive: bool = True, **_: Any) -> Any:
        """Return what is marked, or a decorator that does."""
        return marked if marked is not None else lambda found: found

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import system's questions
            raise AttributeError(name)
        if sys.modules.get(COMPILER) is self:
            del sys.modules[COMPILER]
        return getattr(importlib.import_module(COMPILER), name)
