"""Import Gradio in a third of the time (bench/RESULTS.md, "Gradio's import").

At every import it parses each component's source and writes type stubs beside it (`gradio.component_meta`), which serve
only its own developers. A class whose file cannot be found gets none, so none is found while Gradio is imported.
It gives each event of each component a docstring from a template of its own: 216 templates, each compiled.
And it imports pandas, 0.2 CPU seconds and 33 MB, to recognise tables in a cache that this page does not use.
"""

import importlib
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import jinja2

TABLES = "pandas"


@contextmanager
def _replaced(module: ModuleType, name: str, stand_in: Any) -> Iterator[None]:
    """Replace a name of a module in the body, in which no other thread may use it."""
    kept = getattr(module, name)
    setattr(module, name, stand_in)
    try:
        yield
    finally:
        setattr(module, name, kept)


def _no_file(thing: Any) -> str:
    raise OSError(f"{thing} is not looked for while Gradio is imported")


class _PlainText:
    """Stands in for a template: its text as it is written."""

    def __init__(self, text: str) -> None:
        self._text = text

    def render(self, **_: Any) -> str:
        return self._text


class _Later(ModuleType):
    """Stands in for a library, which is imported when something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import system's questions
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def _without_tables() -> Iterator[None]:
    """Import without pandas in the body, in which no other thread may import it. Afterwards it imports as always."""
    if TABLES in sys.modules:
        yield
        return
    stand_in = sys.modules[TABLES] = _Later(TABLES)
    try:
        yield
    finally:
        if sys.modules.get(TABLES) is stand_in:
            del sys.modules[TABLES]


with _replaced(inspect, "getfile", _no_file), _replaced(jinja2, "Template", _PlainText), _without_tables():
    import gradio
    from gradio.themes import Base

__all__ = ["Base", "gradio"]
