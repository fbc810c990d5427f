"""Read an upscaler's network and its cost from the file's header alone. Without torch."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ....errors import ModelError, no_access, words_of
from ....messages import msg
from ....safetensors_header import tensor_shapes

WIDTHS_ALIVE = 3
"""Tensors of the widest layer that are in memory at once: its input, its output, and the work space of one more."""

HALO = 36
"""Pixels around a tile that are computed and thrown away. The compact network of 32 layers sees 34 pixels far, so its
tiles are exact. RRDBNet sees 351, but its branches are scaled by 0.2 at each of two levels, and what is further away
than this changes no grey level (Real-ESRGAN's own program takes 10)."""


@dataclass(frozen=True)
class Network:
    """kind: `compact` (SRVGGNetCompact) or `rrdb` (RRDBNet). features: channels. scale: times, along a side.

    depth: convolutions between the first and the last, or RRDB blocks. growth: channels that a dense layer adds.
    """

    kind: Literal["compact", "rrdb"]
    features: int
    depth: int
    scale: int
    growth: int = 0

    @property
    def operations(self) -> float:
        """For each pixel of the picture that is enlarged; multiplications and additions counted apart."""
        f, g = self.features, self.growth
        if self.kind == "compact":
            return 18.0 * (3 * f + self.depth * f * f + f * 3 * self.scale**2)
        dense = g * sum(f + k * g for k in range(4)) + (f + 4 * g) * f
        ups = sum(f * f * 4**level for level in range(1, _doublings(self.scale) + 1))
        return 18.0 * (3 * f + 3 * self.depth * dense + f * f + ups + (f * f + 3 * f) * self.scale**2)

    @property
    def parameters(self) -> int:
        """Return the number of parameters."""
        f, g = self.features, self.growth
        if self.kind == "compact":
            last = 3 * self.scale**2
            return 9 * (3 * f + self.depth * f * f + f * last) + 2 * f * (self.depth + 1) + last
        ups = _doublings(self.scale)
        dense = 9 * (g * sum(f + k * g for k in range(4)) + (f + 4 * g) * f) + 4 * g + f
        return 3 * self.depth * dense + (9 * f + 1) * (2 + ups) * f + 9 * f * 6 + f + 3

    def number_bytes(self, device: str, bf16: bool) -> int:
        """Return the bytes of a number that it is computed in: 2 on a GPU, as Real-ESRGAN's own program does.

        On a CPU that multiplies bf16 (bf16: it does) the compact network is computed so, 2.5 times as fast: its sum
        is a small change of the picture, which stays exact. RRDBNet's last layers carry the whole picture.
        """
        return 2 if device != "cpu" or (bf16 and self.kind == "compact") else 4

    def bytes(self, pixels: int, number: int = 4) -> int:
        """Estimate the bytes of one run over `pixels` of a picture, weights included. number: bytes of each."""
        widest = max(self.features * (self.scale**2 if self.kind == "rrdb" else 1), 3 * self.scale**2)
        return number * (WIDTHS_ALIVE * widest * pixels + self.parameters)


def read_network(path: Path) -> Network:
    """Recognise the architecture by the tensors' names and shapes. Raise ModelError for any other file."""
    shapes = _shapes(path)
    if "conv_first.weight" in shapes and "body.0.rdb1.conv1.weight" in shapes:
        blocks = {int(name.split(".")[1]) for name in shapes if name.startswith("body.")}
        ups = sum(1 for name in shapes if name.startswith("conv_up") and name.endswith(".weight"))
        features, channels = shapes["conv_first.weight"][:2]
        if channels == 3:
            return Network("rrdb", features, len(blocks), 2**ups, shapes["body.0.rdb1.conv1.weight"][0])
    convolutions = [name for name, shape in shapes.items() if name.startswith("body.") and len(shape) == 4]
    if "body.0.weight" in convolutions and len(convolutions) > 2:
        last = max(convolutions, key=lambda name: int(name.split(".")[1]))
        scale = math.isqrt(shapes[last][0] // 3)
        if shapes["body.0.weight"][1] == 3 and 3 * scale**2 == shapes[last][0]:
            return Network("compact", shapes["body.0.weight"][0], len(convolutions) - 2, scale)
    raise ModelError(
        msg(
            "{file} is no upscaler that is known here: it must be a Real-ESRGAN network (SRVGGNetCompact or RRDBNet) "
            "that enlarges RGB pictures; get one of those listed by fanslymotion models list",
            file=path,
        )
    )


def _shapes(path: Path) -> dict[str, list[int]]:
    try:
        return tensor_shapes(path)
    except (OSError, ValueError) as e:
        raise unreadable(path, e) from e


def unreadable(path: Path, error: Exception) -> ModelError:
    """Return the error that says why a file or folder cannot be read, and what to do."""
    return no_access(path, error) or ModelError(
        msg("{file} cannot be read: {error}; get it again", file=path, error=words_of(error))
    )


def _doublings(scale: int) -> int:
    return scale.bit_length() - 1
