"""Read which tensors a safetensors file holds, from its header alone: milliseconds, and no torch.

The format: 8 bytes little-endian length, then JSON with each tensor's shape and place, then the tensors.
"""

import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .messages import Message, msg

METADATA = "__metadata__"
LIMIT = 100 * 2**20
"""Bytes. The format's own limit for its header."""
NUMBERS_IN_BYTE = 2
"""At most, in the format's narrowest kind of number."""
NOT_SAFETENSORS = msg("it is not a safetensors file")


@dataclass(frozen=True)
class Header:
    """What a file's header tells.

    Attributes:
        shapes: The shape of each tensor by its name.
        metadata: The file's own.
        problem: Why its tensors cannot be read although the header can; "" if they can.
        kinds: The type of each tensor's numbers, as `BF16`; "" where the file does not say it.
        places: Where each tensor's bytes begin and end in the file.
    """

    shapes: dict[str, list[int]]
    metadata: dict[str, str]
    problem: Message | str = ""
    kinds: dict[str, str] = field(default_factory=dict)
    places: dict[str, tuple[int, int]] = field(default_factory=dict)


def tensor_shapes(path: Path) -> dict[str, list[int]]:
    """Return the shape of each tensor by its name. Errors as in `read_header`."""
    return read_header(path).shapes


def read_header(path: Path) -> Header:
    """Read a header once for all that it tells.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no safetensors file, or ends within the header; with a Message.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        text = file.read(min(length, LIMIT, 1))
        if text != b"{" or length > LIMIT:
            raise ValueError(NOT_SAFETENSORS)
        if 8 + length > size:
            raise ValueError(msg("it is cut short"))
        text += file.read(length - 1)
    return _header(text, 8 + length, size - 8 - length)


def is_whole(path: Path) -> bool:
    """Tell whether a file can be read to its end, by its header and its length."""
    try:
        return not read_header(path).problem
    except (OSError, ValueError):
        return False


def _header(text: bytes, start: int, room: int) -> Header:
    """Check what the JSON says. start: where it ends in the file. room: bytes of the file behind it."""
    try:
        found: dict[str, Any] = json.loads(text.decode())
        "".join(found).encode()  # JSON can spell halves of characters, which nothing can print
    except (ValueError, RecursionError) as e:  # thousands of brackets
        raise ValueError(NOT_SAFETENSORS) from e
    metadata = found.pop(METADATA, None) or {}
    if not isinstance(metadata, dict):
        raise ValueError(NOT_SAFETENSORS)
    shapes, kinds, places = dict[str, list[int]](), dict[str, str](), dict[str, tuple[int, int]]()
    for name, tensor in found.items():
        match tensor:
            case {"shape": list(shape), "data_offsets": [begin, end]} if _is_tensor(shape, begin, end):
                shapes[name], places[name] = shape, (start + begin, start + end)
                kinds[name] = kind if isinstance(kind := tensor.get("dtype"), str) else ""
            case _:
                raise ValueError(NOT_SAFETENSORS)
    return Header(shapes, metadata, _problem(list(places.values()), start, start + room), kinds, places)


def _is_tensor(shape: list[Any], begin: Any, end: Any) -> bool:
    if not all(type(number) is int and number >= 0 for number in (*shape, begin, end)):
        return False
    return math.prod(shape) <= NUMBERS_IN_BYTE * (end - begin)


def _problem(places: list[tuple[int, int]], last: int, size: int) -> Message | str:
    """Tell whether the tensors fill the file, one behind the other without a hole, as the format wants them.

    Args:
        places: See `Header`.
        last: Where the header ends.
        size: Of the file.
    """
    for begin, end in sorted(places):
        if begin != last:
            return NOT_SAFETENSORS
        last = end
    if last != size:
        return msg("it is cut short") if last > size else NOT_SAFETENSORS
    return ""
