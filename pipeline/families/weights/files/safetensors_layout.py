"""Read the header of a safetensors file with a transformer's weights, as ComfyUI's users have them.

8-bit floats come with or without a scale for each layer. Three layouts are in use: `<layer>.scale_weight` beside a
tensor `scaled_fp8` (ComfyUI until 2025, Kijai), `<layer>.weight_scale` with the metadata `_quantization_metadata`, and
the same with a tensor `<layer>.comfy_quant` that holds JSON (https://github.com/comfyanonymous/ComfyUI,
QUANTIZATION.md). Scales of a layer's input are for computing in 8-bit floats, which is not done here.
"""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from .....messages import harmless
from .....safetensors_header import NOT_SAFETENSORS, Header, read_header
from .contents import PLAIN, PREFIXES, FileHeader, OtherFormat, StoredTensor, most_numbers, of_transformer

SUFFIX = ".safetensors"

FP8 = frozenset({"F8_E4M3", "F8_E5M2"})
READABLE = PLAIN | FP8

MARKER = "scaled_fp8"
"""Name of the tensor that says that there are scales."""
SCALES = (".scale_weight", ".weight_scale")
BESIDE = (*SCALES, ".scale_input", ".input_scale", ".comfy_quant")
"""Ends of the names of tensors that are no weights."""
SECOND_SCALE = ".weight_scale_2"
SCALE_KINDS = frozenset({"F32", "F16", "BF16"})

METADATA = "_quantization_metadata"
DECLARED = {"float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2"}
"""Formats that a file may declare for a layer, and are read; a byte may then stand for such a number (`U8`)."""
CONFIG, FIXED_LEVELS, SCHEDULER = "config", "allowed_inference_steps", "scheduler"
"""Metadata of Lightricks' files, which is JSON; its entry that only those of distilled models have; and one that all
have."""
LONGEST = 4096
"""Bytes of a layer's declaration."""

NAMES = {"F32": "FP32", "F16": "FP16", "F8_E4M3": "FP8", "F8_E5M2": "FP8_E5M2"}
"""What users call these types."""


def read(path: Path) -> FileHeader:
    """Read a header; see `header.read_weights_file`.

    Raises:
        OtherFormat: It is no safetensors file.
        ValueError: It is cut short or damaged.
        OSError: It cannot be read.
    """
    try:
        header = read_header(path)
    except ValueError as e:
        raise (OtherFormat("safetensors") if e.args == (NOT_SAFETENSORS,) else e) from e
    if header.problem:
        raise ValueError(header.problem)
    declared = {layer: kind for layer, kind in _declared(path, header) if kind}
    tensors = {
        name: _stored(header, name, own, declared)
        for name, own in of_transformer(header.shapes).items()
        if name != MARKER and not name.endswith((*BESIDE, SECOND_SCALE))
    }
    said = header.metadata.get("modelspec.architecture")
    architecture = harmless(said.replace("\n", " "))[:60] if isinstance(said, str) else ""
    return FileHeader(architecture, _quantisation(tensors), tensors, READABLE, header.shapes, _distilled(header))


def _distilled(header: Header) -> bool | None:
    said = _said(header, CONFIG)
    return True if said.get(FIXED_LEVELS) else False if said.get(SCHEDULER) else None


def _said(header: Header, name: str) -> dict[str, Any]:
    """Return the JSON object in an entry of the metadata; an empty one where there is none."""
    with suppress(ValueError, TypeError, RecursionError):
        said = json.loads(header.metadata.get(name, "{}"))
        return said if isinstance(said, dict) else {}
    return {}


def _stored(header: Header, name: str, own: str, declared: Mapping[str, str]) -> StoredTensor:
    shape, (begin, end) = header.shapes[own], header.places[own]
    layer, bare = own.removesuffix(".weight"), name.removesuffix(".weight")
    kind = declared.get(bare, header.kinds[own]) if own.endswith(".weight") else header.kinds[own]
    scale = next((layer + one for one in SCALES if layer != own and layer + one in header.shapes), "")
    if scale:
        kind = _scaled(header, kind, shape, layer, scale)
    return StoredTensor(tuple(shape), kind, end - begin, own, scale)


def _scaled(header: Header, kind: str, shape: list[int], layer: str, scale: str) -> str:
    """Return the type of weights with a scale; another name for those with scales that are not read."""
    if layer + SECOND_SCALE in header.shapes:
        return "NVFP4"
    if header.kinds[scale] not in SCALE_KINDS:
        return f"{kind} × {header.kinds[scale]}"
    each_row = [shape[0], *(1 for _ in shape[1:])] if shape else []
    one = math.prod(header.shapes[scale]) == 1
    return kind if one or header.shapes[scale] in (each_row, shape[:1]) else f"{kind} × {header.shapes[scale]}"


def _declared(path: Path, header: Header) -> Iterator[tuple[str, str]]:
    """Yield layers, without a prefix, and the type that the file declares for them."""
    layers = _said(header, METADATA).get("layers")  # files that say no more than the types have none
    for layer, one in (layers if isinstance(layers, dict) else {}).items():
        yield _bare(layer), _kind(one)
    with open(path, "rb") as file:
        for name, (begin, end) in header.places.items():
            if name.endswith(".comfy_quant") and end - begin <= LONGEST:
                file.seek(begin)
                with suppress(ValueError, RecursionError):
                    yield _bare(name.removesuffix(".comfy_quant")), _kind(json.loads(file.read(end - begin)))


def _bare(name: str) -> str:
    prefix = next((one for one in PREFIXES if name.startswith(one)), "")
    return name.removeprefix(prefix)


def _kind(said: Any) -> str:
    declared = said.get("format") if isinstance(said, dict) else said
    if not isinstance(declared, str):
        return ""
    return DECLARED.get(declared, harmless(declared.replace("\n", " "))[:40])


def _quantisation(tensors: Mapping[str, StoredTensor]) -> str:
    kind = most_numbers(tensors.values())
    scaled = kind in FP8 and any(one.scale for one in tensors.values())
    return NAMES.get(kind, kind) + ("_scaled" if scaled else "")
