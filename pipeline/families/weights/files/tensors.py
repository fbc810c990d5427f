"""Read the tensors of a file of weights: as numbers, or as a layer that expands them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from . import gguf_header, safetensors_layout
from .contents import PLAIN, StoredTensor
from .fp8_linear import Fp8Linear
from .gguf_linear import GgufLinear, values
from .header import read_weights_file
from .packed import PackedLinear

FLOAT8 = {"F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2}


class Tensors(ABC):
    """The tensors of an open file, by the makers' names without a prefix.

    Attributes:
        stored: What the header says of them.
    """

    def __init__(self, stored: Mapping[str, StoredTensor]) -> None:
        self.stored = stored

    def packed(self, name: str) -> bool:
        """Tell whether a tensor is of numbers that nothing is computed in."""
        return self.stored[name].kind not in PLAIN

    @abstractmethod
    def numbers(self, name: str) -> torch.Tensor:
        """Return a tensor's values, in whatever numbers."""

    @abstractmethod
    def layer(self, name: str, bias: torch.Tensor | None) -> PackedLinear:
        """Return a layer whose weights are a packed tensor. bias: see `PackedLinear`."""


class _GgufTensors(Tensors):
    def __init__(self, path: Path, stored: Mapping[str, StoredTensor]) -> None:
        from diffusers.models.model_loading_utils import load_gguf_checkpoint

        super().__init__(stored)
        self._tensors: dict[str, Any] = load_gguf_checkpoint(str(path))

    def numbers(self, name: str) -> torch.Tensor:
        return values(self._tensors.pop(self.stored[name].name))

    def layer(self, name: str, bias: torch.Tensor | None) -> PackedLinear:
        tensor = self._tensors.pop(self.stored[name].name)
        return GgufLinear(tensor.as_tensor(), tensor.quant_type, bias)


class _SafetensorsTensors(Tensors):
    """Tensors are copied: a file of ComfyUI's can be replaced or deleted while its model is in memory."""

    def __init__(self, file: Any, stored: Mapping[str, StoredTensor], rotated: bool) -> None:
        super().__init__(stored)
        self._file, self._rotated = file, rotated

    def numbers(self, name: str) -> torch.Tensor:
        found, scale = self._tensor(name), self._scale(name)
        return found.clone() if scale is None else found.float() * scale.reshape(-1, *[1] * (found.ndim - 1))

    def layer(self, name: str, bias: torch.Tensor | None) -> PackedLinear:
        return Fp8Linear(self._tensor(name).clone(), self._scale(name), bias, self._rotated)

    def _tensor(self, name: str) -> torch.Tensor:
        one = self.stored[name]
        found = self._file.get_tensor(one.name)
        return found.view(FLOAT8[one.kind]) if found.dtype is torch.uint8 else found

    def _scale(self, name: str) -> torch.Tensor | None:
        scale = self.stored[name].scale
        return self._file.get_tensor(scale).float().reshape(-1, 1).clone() if scale else None


@contextmanager
def _open_gguf(path: Path, stored: Mapping[str, StoredTensor], rotated: bool) -> Iterator[Tensors]:
    yield _GgufTensors(path, stored)


@contextmanager
def _open_safetensors(path: Path, stored: Mapping[str, StoredTensor], rotated: bool) -> Iterator[Tensors]:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        yield _SafetensorsTensors(file, stored, rotated)


OPEN: Mapping[str, Callable[[Path, Mapping[str, StoredTensor], bool], Any]] = {
    gguf_header.SUFFIX: _open_gguf,
    safetensors_layout.SUFFIX: _open_safetensors,
}
"""Opens a file with this suffix."""


@contextmanager
def open_tensors(path: Path, rotated: bool = False) -> Iterator[Tensors]:
    """Open a file of weights for as long as the body runs.

    Args:
        path: The file.
        rotated: Its 8-bit floats are multiplied by Hadamard matrices (`rotation`).

    Raises:
        ModelError: See `read_weights_file`.
    """
    with OPEN[path.suffix.lower()](path, read_weights_file(path).tensors, rotated) as found:
        yield found
