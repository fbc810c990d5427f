"""Tell whether a file's 8-bit weights are multiplied by a Hadamard matrix, as Lightricks' first ones. Without torch.

LTX-Video-Q8-Kernels 0.0.4 multiplied a layer's inputs by the Hadamard matrix H/√n, so that its files have W·H/√n in W's
place. The matrix is its own inverse. Nothing in the file says so: a few rows are compared with those of another version
of the same model, from which a training moves them little, and a rotation entirely.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from .....safetensors_header import read_header

ROWS, LAYERS = 64, 8
"""So many of a layer are compared, and of so many layers."""
ALIKE = 0.5
"""Mean cosine of rows, above which they are those of the same model. Those of two models have about 0."""


@lru_cache(maxsize=8)
def hadamard(size: int) -> np.ndarray:
    """Return Sylvester's Hadamard matrix, divided by the root of its size. size: a power of two."""
    found = np.ones((1, 1), np.float32)
    while len(found) < size:
        found = np.block([[found, found], [found, -found]])
    return found / np.float32(size) ** 0.5


def factors(inputs: int) -> tuple[int, int] | None:
    """Return sizes of two Hadamard matrices whose Kronecker product is that of `inputs`; None = it has none."""
    power = inputs.bit_length() - 1
    return None if inputs != 1 << power else (1 << (power // 2), 1 << (power - power // 2))


def rotated(rows: np.ndarray) -> np.ndarray:
    """Multiply rows (n, inputs) by the Hadamard matrix of their length, a power of two."""
    found = factors(rows.shape[1])
    assert found is not None
    return multiplied(rows, *map(hadamard, found))


def multiplied(rows: Any, one: Any, other: Any) -> Any:
    """Multiply rows (n, inputs) by the Kronecker product of two square matrices; all of numpy or of torch."""
    return (one @ rows.reshape(-1, len(one), len(other)) @ other).reshape(rows.shape)


def is_rotated(file: Path, weights: Mapping[str, str], reference: Mapping[str, tuple[Path, str]]) -> bool | None:
    """Compare 8-bit weights with those of another version of the model.

    Args:
        file: A safetensors file.
        weights: Names in it of layers' weights without scales, by common names.
        reference: Files and names in them of the other version's, by the same common names.

    Returns:
        Whether they are multiplied by the Hadamard matrix; None where that cannot be told.
    """
    shared = [name for name in weights if name in reference]
    plain, turned = [], []
    for name in shared[:: max(1, len(shared) // LAYERS)]:
        own, wanted = _rows(file, weights[name]), _rows(*reference[name])
        if own is None or wanted is None or own.shape != wanted.shape or factors(own.shape[1]) is None:
            continue
        plain.append(_likeness(own, wanted))
        turned.append(_likeness(rotated(own), wanted))
    if max(np.mean(plain or [0.0]), np.mean(turned or [0.0])) < ALIKE:
        return None
    return bool(np.mean(turned) > np.mean(plain))


def _likeness(rows: np.ndarray, wanted: np.ndarray) -> float:
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(wanted, axis=1)
    return float(np.mean((rows * wanted).sum(1) / np.maximum(lengths, 1e-12)))


def _rows(file: Path, name: str) -> np.ndarray | None:
    """Read the first rows of a matrix as 32-bit numbers; None where that cannot be done."""
    try:
        header = read_header(file)
        shape, (begin, end) = header.shapes[name], header.places[name]
        if len(shape) != 2 or not shape[0]:
            return None
        count = min(ROWS, shape[0])
        with open(file, "rb") as stream:
            stream.seek(begin)
            data = stream.read((end - begin) // shape[0] * count)
        numbers = _numbers(data, header.kinds[name])
        return None if numbers is None else numbers.reshape(count, shape[1])
    except (OSError, ValueError, KeyError):  # cut short, or replaced meanwhile
        return None


def _numbers(data: bytes, kind: str) -> np.ndarray | None:
    if kind == "F8_E4M3":
        return _e4m3()[np.frombuffer(data, np.uint8)]
    if kind == "BF16":
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    plain = {"F16": "<f2", "F32": "<f4"}.get(kind)
    return None if plain is None else np.frombuffer(data, plain).astype(np.float32)


@lru_cache(maxsize=1)
def _e4m3() -> np.ndarray:
    """Return the value of each byte: a sign, four bits of exponent, three of fraction. Not a number counts as 0."""
    byte = np.arange(256)
    exponent, fraction = byte >> 3 & 15, byte & 7
    size = np.where(exponent == 0, fraction / 8 * 2.0**-6, (1 + fraction / 8) * 2.0 ** (exponent - 7))
    size[(byte & 127) == 127] = 0.0
    return np.where(byte < 128, size, -size).astype(np.float32)
