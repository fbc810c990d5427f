"""Import Gradio in half of the time.

At every import it parses each component's source and writes type stubs beside it (`gradio.component_meta`), which serve
only its own developers. A class whose file cannot be found gets none, so none is found while Gradio is imported.
"""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def _without_files() -> Iterator[None]:
    def getfile(thing: Any) -> str:
        raise OSError(f"{thing} is not looked for while Gradio is imported")

    kept, inspect.getfile = inspect.getfile, getfile
    try:
        yield
    finally:
        inspect.getfile = kept


with _without_files():
    import gradio
    from gradio.themes import Base

__all__ = ["Base", "gradio"]
