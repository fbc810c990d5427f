"""Build Gradio's page with one web application instead of three.

`Blocks` makes one when it is created and one when its `with` ends, both for `launch()`. `mount_gradio_app` makes a
third, the only one that is used here. Each registers 80 routes, 0.08 CPU seconds.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .fast_import import gradio


class _NoApp:
    @staticmethod
    def create_app(*_: Any, **__: Any) -> None:
        return None


@contextmanager
def without_apps() -> Iterator[None]:
    """Let `Blocks` make no application of its own. Within it no other thread may call `launch()`."""
    module: Any = gradio.blocks
    kept, module.App = module.App, _NoApp
    try:
        yield
    finally:
        module.App = kept
