"""Read what a GGUF file holds from its header, and hash it: milliseconds, and no torch.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Files of video transformers are made with
city96's tools (ComfyUI-GGUF): the makers' own names of layers, `general.architecture` and `general.file_type`.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from .....errors import ModelError, words_of
from .....messages import Message, codes, harmless, msg

SUFFIX = ".gguf"

PLAIN = frozenset({"F32", "F16", "BF16"})
"""Types that are no blocks of quantised numbers: such tensors become numbers to compute in as they are read."""
READABLE = PLAIN | {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS"}
"""Types that diffusers expands (`quantizers.gguf.utils.dequantize_functions`)."""

PIECES, PIECE = 64, 2**16
"""Of a file's content, spread over all of it, that are hashed: their number, and the bytes of each."""


@dataclass(frozen=True)
class GgufTensor:
    """A tensor of a file.

    Attributes:
        shape: As torch has it.
        kind: Name of its type, as `Q4_K`.
        size: Bytes.
    """

    shape: tuple[int, ...]
    kind: str
    size: int

    @property
    def numbers(self) -> int:
        """Return how many numbers it has."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class GgufHeader:
    """What a file's header tells.

    Attributes:
        architecture: Of the model, as the file says; "" where it says none.
        quantisation: Of its weights, as `Q4_K_M`.
        tensors: By the names in the file.
    """

    architecture: str
    quantisation: str
    tensors: Mapping[str, GgufTensor]


def read_gguf(path: Path) -> GgufHeader:
    """Read a file's header, once as long as the file stays as it is.

    Raises:
        ModelError: There is no such file, it is no GGUF file, cut short or damaged.
    """
    return _read(path, *_state(path))


def gguf_fingerprint(path: Path) -> str:
    """Return a hash of a file's size, header and of pieces of its weights, once as long as the file stays as it is.

    Two trainings of one model differ nearly everywhere: 4 MiB in 64 places tell them apart without reading gigabytes.

    Raises:
        ModelError: It cannot be read.
    """
    return _hash(path, *_state(path))


def _state(path: Path) -> tuple[int, ...]:
    try:
        state = path.stat()
    except FileNotFoundError as e:
        raise ModelError(msg("there is no file {name}; check the name", name=path), code=codes.MODEL_ABSENT) from e
    except OSError as e:
        raise _unreadable(path, e) from e
    return state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns


@lru_cache(maxsize=64)
def _read(path: Path, *_: int) -> GgufHeader:
    try:
        with open(path, "rb") as file:
            magic = file.read(4)
    except OSError as e:
        raise _unreadable(path, e) from e
    if magic != b"GGUF":
        raise ModelError(
            msg("{file} is no GGUF file; choose one, or get it again", file=path), code=codes.WRONG_SETTING
        )
    try:
        return _header(path)
    # What the package raises for bytes that make no sense.
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, RecursionError, OSError, MemoryError) as e:
        why = words_of(e)
        raise ModelError(
            msg(
                "{file} is cut short, damaged, or of a kind that is not read here ({why}); get it again, or another",
                file=path,
                why=why if isinstance(why, Message) else harmless(why.replace("\n", " ")),
            )
        ) from e


def _header(path: Path) -> GgufHeader:
    import gguf  # a quarter of a second, for those alone that have such a file
    import numpy as np

    class Reader(gguf.GGUFReader):
        def _get(self, offset: int, dtype: Any, count: int = 1, override_order: Any = None) -> Any:
            if offset + np.dtype(dtype).itemsize * int(count) > len(self.data):  # the package takes what is there
                raise ValueError(msg("it is cut short"))
            return super()._get(offset, dtype, count, override_order)

    reader = Reader(path)
    tensors = {
        one.name: GgufTensor(tuple(reversed(one.shape.tolist())), one.tensor_type.name, int(one.n_bytes))
        for one in reader.tensors
    }
    return GgufHeader(_text(reader.get_field("general.architecture")), _quantisation(gguf, reader, tensors), tensors)


def _text(field: Any) -> str:
    found = field.contents() if field is not None else ""
    return harmless(found.replace("\n", " "))[:60] if isinstance(found, str) else ""


def _quantisation(gguf: Any, reader: Any, tensors: Mapping[str, GgufTensor]) -> str:
    field = reader.get_field("general.file_type")
    try:
        return gguf.LlamaFileType(field.contents()).name.removeprefix("MOSTLY_").removeprefix("ALL_")
    except (AttributeError, ValueError):  # it does not say, or what is not known: the type that most numbers have
        numbers: dict[str, int] = {}
        for one in tensors.values():
            numbers[one.kind] = numbers.get(one.kind, 0) + one.numbers
        return max(numbers, key=lambda kind: numbers[kind], default="")


@lru_cache(maxsize=64)
def _hash(path: Path, *_: int) -> str:
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            digest = hashlib.sha256(str(size).encode())
            for number in range(PIECES):
                file.seek(max(0, size - PIECE) * number // (PIECES - 1))
                digest.update(file.read(PIECE))
    except OSError as e:
        raise _unreadable(path, e) from e
    return digest.hexdigest()[:16]


def _unreadable(path: Path, error: OSError) -> ModelError:
    return ModelError(
        msg("{file} cannot be read: {error}; get that file of the model again", file=path, error=words_of(error))
    )
