"""Read components from disk. Whatever the libraries raise becomes one sentence with the place and the remedy."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from ....errors import ModelError
from ....messages import msg
from ...hardware.oom import is_oom

Read = tuple[Any, list[str]]
"""A component, and the names of the weights that its files lack."""


def read_component(place: Path, read: Callable[[], Read]) -> Any:
    """Read a component for computing, without gradients.

    Args:
        place: The folder or file, for the error.
        read: Reads it; see `pretrained`.

    Raises:
        ModelError: A file is missing, damaged or of another architecture.
    """
    try:
        component, missing = read()
    except ModelError:
        raise
    except Exception as e:  # the libraries raise OSError, ValueError, RuntimeError, KeyError and SafetensorError here
        if is_oom(e):
            raise  # these files are well
        raise damaged(place, e) from e
    if missing:
        raise ModelError(
            msg(
                "{folder} lacks {count} weights, the first is {first}; get these files of the model again",
                folder=place,
                count=len(missing),
                first=missing[0],
            )
        )
    return component.requires_grad_(False).eval()


def pretrained(kind: Any, folder: Path, variant: str = "", **dtype: torch.dtype) -> Read:
    """Read a component's folder in the libraries' format.

    Args:
        kind: Its class of diffusers or transformers.
        folder: With its configuration and weights.
        variant: Of the weights' files, as `fp16`.
        **dtype: The numbers to compute in, under the name that the class knows.
    """
    loaded, info = kind.from_pretrained(
        folder,
        variant=variant or None,
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
        **dtype,
    )
    return loaded, sorted(info["missing_keys"])


def read_narrowest(kind: Any, folder: Path, variants: Sequence[str], dtype: torch.dtype) -> Any:
    """Read a component of diffusers from its smallest files.

    Args:
        kind: Its class.
        folder: Its own.
        variants: Of its weights' files that are there.
        dtype: The numbers to compute in.

    Raises:
        ModelError: See `read_component`.
    """
    variant = next((one for one in ("bf16", "fp16") if one in variants), "")
    return read_component(folder, lambda: pretrained(kind, folder, variant, torch_dtype=dtype))


def damaged(place: Path, error: Exception) -> ModelError:
    """Say that files cannot be loaded."""
    return ModelError(
        msg("{folder} could not be loaded: {error}; get these files of the model again", folder=place, error=error)
    )


def quiet() -> None:
    """Turn progress bars and hints of the libraries that are imported off: they would fill the worker's log."""
    if "diffusers" in sys.modules:
        from diffusers.utils import logging as diffusers_logging

        diffusers_logging.disable_progress_bar()
    if "transformers" in sys.modules:
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()
        transformers_logging.set_verbosity_error()
