"""Read which tensors a safetensors file holds, from its header alone: milliseconds, and no torch."""

import json
from pathlib import Path
from typing import Any

from .messages import msg

LIMIT = 100 * 2**20
"""Bytes. The format's own limit for its header."""


def tensor_shapes(path: Path) -> dict[str, list[int]]:
    """Return the shape of each tensor by its name.

    The format: 8 bytes little-endian length, then JSON with each tensor's shape.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no safetensors file; with a Message where it is not even JSON.
        KeyError, TypeError, AttributeError: Its JSON is of another kind.
    """
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length <= LIMIT:
            raise ValueError(msg("it is not a safetensors file"))
        header: dict[str, Any] = json.loads(file.read(length))
    return {name: list(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__"}
