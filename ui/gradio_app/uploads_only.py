"""Keep Gradio from opening what a request names: its endpoints take words, numbers and ids of uploads alone.

Gradio's own preprocessing copies every file that a request names, in any component, into a cache, and fetches addresses
of the web (`processing_utils.async_move_files_to_cache`). Here it does not run at all: the functions get what the
request holds, once its kinds are checked, and check the values themselves.
"""

import inspect
from collections.abc import Callable
from typing import Any

from ..uploads.api_uploads import NOT_UPLOADED
from .fast_import import gradio as gr

WRONG_COUNT = "this endpoint takes {} values; {} came"
WRONG_KIND = "the value of {} must be a word or a number"


def take_plain_inputs(blocks: gr.Blocks) -> None:
    """Put our check in the place of Gradio's preprocessing."""

    async def checked(block_fn: Any, inputs: Any, state: Any, explicit_call: bool = False) -> list[Any]:
        wanted, defaults = block_fn.inputs, _defaults(block_fn.fn)
        given = inputs if isinstance(inputs, list) else []
        missing = len(wanted) - len(given)
        if not 0 <= missing <= len(defaults):
            raise gr.Error(WRONG_COUNT.format(len(wanted), len(given)), print_exception=False)
        given = [*given, *defaults[len(defaults) - missing :]]
        return [_plain(block, value) for block, value in zip(wanted, given, strict=True)]

    blocks.preprocess_data = checked


def _defaults(function: Callable[..., Any]) -> list[Any]:
    """Return the values of its last parameters that may be left out: older callers do not know the newest ones."""
    found = [one.default for one in inspect.signature(function).parameters.values()]
    return found[max((at + 1 for at, one in enumerate(found) if one is inspect.Parameter.empty), default=0) :]


def _plain(block: Any, value: Any) -> Any:
    if isinstance(block, gr.File):
        return _named_upload(value)
    if value is None or isinstance(value, str | int | float):
        return value
    raise gr.Error(WRONG_KIND.format(block.label), print_exception=False)


def _named_upload(value: Any) -> str | None:
    """Return an upload's identifier, as the caller gave it. Its owner is checked where the caller is known."""
    if value is None:
        return None
    if isinstance(value, dict) and isinstance(value.get("path"), str):
        return value["path"]
    raise gr.Error(NOT_UPLOADED, print_exception=False)
