"""Read which tensors a safetensors file holds, from its header alone: milliseconds, and no torch."""

import json
from pathlib import Path
from typing import Any

from .messages import msg

METADATA = "__metadata__"
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
    return _shapes(_parsed(path)[0])


def read_header(path: Path) -> tuple[dict[str, list[int]], dict[str, Any], bool]:
    """Read a header once for all that it tells. Errors as in `tensor_shapes`.

    Returns:
        The shape of each tensor by its name, the file's own metadata, and whether the file is whole.
    """
    header, length = _parsed(path)
    return _shapes(header), header.get(METADATA, {}), _has_all(path, header, length)


def is_whole(path: Path) -> bool:
    """Compare a file's length with what its header says of its tensors."""
    try:
        return _has_all(path, *_parsed(path))
    except (OSError, ValueError):
        return False


def _shapes(header: dict[str, Any]) -> dict[str, list[int]]:
    return {name: list(tensor["shape"]) for name, tensor in header.items() if name != METADATA}


def _has_all(path: Path, header: dict[str, Any], length: int) -> bool:
    try:
        ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != METADATA]
        return path.stat().st_size == 8 + length + max(ends, default=0)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _parsed(path: Path) -> tuple[dict[str, Any], int]:
    """Return the header and its bytes."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length <= LIMIT:
            raise ValueError(msg("it is not a safetensors file"))
        return json.loads(file.read(length)), length
