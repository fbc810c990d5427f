"""Import diffusers without the libraries that it imports for every model, and that no model here needs.

Each of its model classes brings transformers, for its LoRA loaders, and torch's compiler ("dynamo"), to mark functions
that are not compiled: 2.2 of 3.2 CPU seconds and 100 MB in every worker (bench/RESULTS.md, "Starting"). Without
transformers it is made to be used, and a mark of the compiler means nothing where nothing is compiled.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch

from ....garbage import no_collections

COMPILER = "torch._dynamo"
NOT_NEEDED = "transformers"


@contextmanager
def light_diffusers() -> Iterator[None]:
    """Import classes of diffusers' models in the body. Where diffusers is imported already, nothing is kept out.

    Within it no other thread may import the two libraries. Afterwards they can be imported as always; diffusers' own
    pipelines, which need transformers, cannot be used in this process.
    """
    if "diffusers" in sys.modules:
        yield
        return
    stand_ins: dict[str, ModuleType | None] = {}
    if NOT_NEEDED not in sys.modules:
        stand_ins[NOT_NEEDED] = None  # how `import` is told that there is none
    if COMPILER not in sys.modules and not torch.cuda.is_available():
        stand_ins[COMPILER] = _NoCompiler(COMPILER)
    sys.modules.update(stand_ins)  # pyright: ignore[reportArgumentType, reportCallIssue] - None may stand there
    try:
        with no_collections(freeze=True):  # once in a process: diffusers stays imported
            yield
    finally:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]


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
