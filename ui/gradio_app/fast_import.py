"""Import Gradio in a third of the time, and without half of its modules: what this page does not use comes when used.

Measured: bench/RESULTS.md, "Gradio's import".
"""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import huggingface_hub
import jinja2

from .stand_ins import Later, without_modules, without_names

UNUSED_MODULES = (
    "gradio.cli",
    "gradio.external",  # other servers' models and pages
    "gradio.workflow",
    "hf_gradio.cli",
    "pandas",  # recognises tables in a cache that this page does not use; 33 MB
)
UNUSED_OF_HUB = ("CommitOperationAdd", "HfApi", "get_token", "whoami")
"""To share an app, a theme or a history on Hugging Face."""

with without_modules("httpx._main"):  # its command line
    from httpx._transports import default


@contextmanager
def _without_type_stubs() -> Iterator[None]:
    """Gradio parses each component's source and writes type stubs beside it, which serve only its own developers.

    A class whose file cannot be found gets none.
    """

    def getfile(thing: Any) -> str:
        raise OSError(f"{thing} is not looked for while Gradio is imported")

    kept, inspect.getfile = inspect.getfile, getfile
    try:
        yield
    finally:
        inspect.getfile = kept


class _PlainText:
    """Stands in for a template: its text as it is written."""

    def __init__(self, text: str) -> None:
        self._text = text

    def render(self, **_: Any) -> str:
        return self._text


@contextmanager
def _without_docstrings() -> Iterator[None]:
    """Each event of each component gets a docstring from a template of its own: 216 templates, each compiled."""
    kept, jinja2.Template = jinja2.Template, _PlainText
    try:
        yield
    finally:
        jinja2.Template = kept


@contextmanager
def _without_certificates() -> Iterator[None]:
    """Gradio makes an HTTP client when it is imported, which reads the world's certificates."""
    module: Any = default
    read = module.create_ssl_context
    module.create_ssl_context = lambda **options: Later(lambda: read(**options))
    try:
        yield
    finally:
        module.create_ssl_context = read


with (
    _without_type_stubs(),
    _without_docstrings(),
    _without_certificates(),
    without_modules(*UNUSED_MODULES),
    without_names(huggingface_hub, *UNUSED_OF_HUB),
):
    import gradio
    from gradio.themes import Base

__all__ = ["Base", "gradio"]
