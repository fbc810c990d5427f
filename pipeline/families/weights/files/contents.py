"""Describe what a file of a transformer's weights holds, whatever its format. Without torch."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

PLAIN = frozenset({"F32", "F16", "BF16"})
"""Types of numbers to compute in: other ones stay as they are in the file, and are expanded when their turn comes."""

PREFIXES = ("model.diffusion_model.", "diffusion_model.")
"""Before the names of a transformer's tensors where a file has other components beside it, and in some without."""
OTHERS = ("vae.", "text_embedding_projection.")
"""Before the names of other components' tensors where the transformer's have no prefix."""


class OtherFormat(ValueError):
    """Say that a file is of another format than its name says.

    Attributes:
        expected: The format, as `GGUF`.
    """

    def __init__(self, expected: str) -> None:
        super().__init__(expected)
        self.expected = expected


@dataclass(frozen=True)
class StoredTensor:
    """A tensor of a file.

    Attributes:
        shape: As torch has it.
        kind: Name of its type, as `Q4_K`.
        size: Bytes.
        name: In the file.
        scale: Name of the tensor in the file by which its numbers are multiplied, one for all or for each row; "" = 1.
    """

    shape: tuple[int, ...]
    kind: str
    size: int
    name: str
    scale: str = ""

    @property
    def numbers(self) -> int:
        """Return how many numbers it has."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class FileHeader:
    """What a file's header tells.

    Attributes:
        architecture: Of the model, as the file says; "" where it says none.
        quantisation: Of its weights, as `Q4_K_M`.
        tensors: The transformer's, by the makers' names without a prefix.
        readable: Names of the types that are read in this format.
        shapes: Of all tensors in the file, by their names there.
        distilled: The file says that its model is sampled at a few fixed noise levels, or that it is not; None = it
            does not say.
    """

    architecture: str
    quantisation: str
    tensors: Mapping[str, StoredTensor]
    readable: frozenset[str]
    shapes: Mapping[str, Sequence[int]]
    distilled: bool | None = None


def of_transformer(names: Iterable[str]) -> dict[str, str]:
    """Return which names are a transformer's: by its maker's names the names in the file.

    Args:
        names: All in the file.
    """
    names = list(names)
    prefix = next((one for one in PREFIXES if any(name.startswith(one) for name in names)), "")
    if prefix:
        return {name.removeprefix(prefix): name for name in names if name.startswith(prefix)}
    return {name: name for name in names if not name.startswith(OTHERS)}


def most_numbers(tensors: Iterable[StoredTensor]) -> str:
    """Return the type that most numbers have; "" without any."""
    numbers: dict[str, int] = {}
    for one in tensors:
        numbers[one.kind] = numbers.get(one.kind, 0) + one.numbers
    return max(numbers, key=lambda kind: numbers[kind], default="")
