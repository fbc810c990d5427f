"""Gradio's endpoints read files that were uploaded to them, and nothing else.

Its own check lets addresses of the web through (`processing_utils.async_move_files_to_cache`), for any component: the
answer is read into memory whole, past `max_file_size`.
"""

from typing import Any

from gradio_client.utils import is_file_obj_with_meta, is_http_url_like, traverse

from .quick_gradio import gradio as gr

REFUSAL = "a file is given as an address, {!r}; download it and pass it as a file: photo=handle_file('photo.jpg')"
LONGEST_SHOWN = 80


def take_uploads_only(blocks: gr.Blocks) -> None:
    """Refuse every request that names a file by its address, before anything is made of it."""
    preprocess = blocks.preprocess_data

    async def checked(block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False) -> list[Any]:
        traverse(inputs, _refuse_address, is_file_obj_with_meta)
        return await preprocess(block_fn, inputs, state, explicit_call)

    blocks.preprocess_data = checked


def _refuse_address(file: dict[str, Any]) -> dict[str, Any]:
    if is_http_url_like(file["path"]):
        raise gr.Error(REFUSAL.format(file["path"][:LONGEST_SHOWN]), print_exception=False)
    return file
