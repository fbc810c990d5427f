"""Read the header of a GGUF file.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Files of video transformers are made with
city96's tools (ComfyUI-GGUF): the makers' own names of layers, `general.architecture` and `general.file_type`.
"""

from pathlib import Path
from typing import Any

from .....messages import harmless, msg
from .contents import PLAIN, FileHeader, OtherFormat, StoredTensor, most_numbers, of_transformer

SUFFIX = ".gguf"
MAGIC = b"GGUF"

READABLE = PLAIN | {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS"}
"""Types that diffusers expands (`quantizers.gguf.utils.dequantize_functions`)."""


def read(path: Path) -> FileHeader:
    """Read a header; see `header.read_weights_file`.

    Raises:
        OtherFormat: It is no GGUF file.
        Exception: It is damaged: what the package raises for it.
    """
    with open(path, "rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise OtherFormat("GGUF")
    import gguf  # a quarter of a second, for those alone that have such a file
    import numpy as np

    class Reader(gguf.GGUFReader):
        def _get(self, offset: int, dtype: Any, count: int = 1, override_order: Any = None) -> Any:
            if offset + np.dtype(dtype).itemsize * int(count) > len(self.data):  # the package takes what is there
                raise ValueError(msg("it is cut short"))
            return super()._get(offset, dtype, count, override_order)

    reader = Reader(path)
    all_tensors = {one.name: one for one in reader.tensors}
    tensors = {name: _stored(all_tensors[own]) for name, own in of_transformer(all_tensors).items()}
    said = _text(reader.get_field("general.architecture"))
    quantisation = _said_quantisation(gguf, reader) or most_numbers(tensors.values())
    return FileHeader(said, quantisation, tensors, READABLE, {name: _shape(one) for name, one in all_tensors.items()})


def _stored(one: Any) -> StoredTensor:
    return StoredTensor(_shape(one), one.tensor_type.name, int(one.n_bytes), one.name)


def _shape(one: Any) -> tuple[int, ...]:
    return tuple(reversed(one.shape.tolist()))


def _text(field: Any) -> str:
    found = field.contents() if field is not None else ""
    return harmless(found.replace("\n", " "))[:60] if isinstance(found, str) else ""


def _said_quantisation(gguf: Any, reader: Any) -> str:
    field = reader.get_field("general.file_type")
    try:
        return gguf.LlamaFileType(field.contents()).name.removeprefix("MOSTLY_").removeprefix("ALL_")
    except (AttributeError, ValueError):  # it does not say, or what is not known
        return ""
