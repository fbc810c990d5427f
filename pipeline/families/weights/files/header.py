"""Read what a file of a transformer's weights holds from its header, and hash it: milliseconds, and no torch."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

from .....errors import ModelError, words_of
from .....messages import Message, codes, harmless, msg
from ..content import content_hash
from ..folders import unreadable
from . import gguf_header, safetensors_layout
from .contents import FileHeader, OtherFormat

FORMATS: Mapping[str, Callable[[Path], FileHeader]] = {
    gguf_header.SUFFIX: gguf_header.read,
    safetensors_layout.SUFFIX: safetensors_layout.read,
}
"""Reads the header of a file with this suffix."""

PIECES = 64
"""Of a file's content that are hashed: 4 MiB."""


def is_weights_file(path: Path) -> bool:
    """Tell by its name whether a file is of a format that is read here."""
    return path.suffix.lower() in FORMATS


def read_weights_file(path: Path) -> FileHeader:
    """Read a file's header, once as long as the file stays as it is.

    Args:
        path: The file, with one of the suffixes in `FORMATS`.

    Raises:
        ModelError: There is no such file, it is of another format than its suffix says, cut short or damaged.
    """
    return _read(path, *_state(path))


def weights_fingerprint(path: Path) -> str:
    """Return a hash of a file's size, header and of pieces of its weights, once as long as the file stays as it is.

    Raises:
        ModelError: It cannot be read.
    """
    _state(path)
    try:
        return content_hash(path, PIECES)
    except OSError as e:
        raise unreadable(path, e) from e


def _state(path: Path) -> tuple[int, ...]:
    try:
        state = path.stat()
    except FileNotFoundError as e:
        raise ModelError(msg("there is no file {name}; check the name", name=path), code=codes.MODEL_ABSENT) from e
    except OSError as e:
        raise unreadable(path, e) from e
    return state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns


@lru_cache(maxsize=64)
def _read(path: Path, *_: int) -> FileHeader:
    suffix = path.suffix.lower()
    try:
        with open(path, "rb") as file:
            file.read(1)
    except OSError as e:
        raise unreadable(path, e) from e
    try:
        return FORMATS[suffix](path)
    except OtherFormat as e:
        raise ModelError(
            msg("{file} is no {format} file; choose one, or get it again", file=path, format=e.expected),
            code=codes.WRONG_SETTING,
        ) from e
    # What the packages raise for bytes that make no sense.
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, RecursionError, OSError, MemoryError) as e:
        why = words_of(e)
        raise ModelError(
            msg(
                "{file} is cut short, damaged, or of an unsupported kind ({why}); get it again, or another",
                file=path,
                why=why if isinstance(why, Message) else harmless(why.replace("\n", " ")),
            )
        ) from e
