"""Write GGUF files of tiny transformers, as city96's tools lay them out: the makers' own names, small tensors exact."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Kind

ARCHITECTURES = {"wan": "wan", "wan_a14b": "wan", "ltx": "ltxv"}
"""What `general.architecture` says, by our family."""

LTX = ((r"^proj_in\b", "patchify_proj"), (r"^time_embed\b", "adaln_single"), (r"\.norm_([qk])\b", r".\1_norm"))
WAN = (
    (r"\.attn1\.", ".self_attn."),
    (r"\.attn2\.", ".cross_attn."),
    (r"\.to_out\.0\b", ".o"),
    (r"\.to_([qkv])\b", r".\1"),
    (r"\.norm2\b", ".norm3"),
    (r"\.ffn\.net\.0\.proj\b", ".ffn.0"),
    (r"\.ffn\.net\.2\b", ".ffn.2"),
    (r"^condition_embedder\.time_proj\b", "time_projection.1"),
    (r"^condition_embedder\.(time|text)_embedder\.linear_1\b", r"\1_embedding.0"),
    (r"^condition_embedder\.(time|text)_embedder\.linear_2\b", r"\1_embedding.2"),
    (r"^scale_shift_table\b", "head.modulation"),
    (r"\.scale_shift_table\b", ".modulation"),
    (r"^proj_out\b", "head.head"),
)
MAKERS = {"wan": WAN, "wan_a14b": WAN, "ltx": LTX}
"""From diffusers' names to the makers'."""

SCALES = {
    Kind.Q2_K: (80, 82),
    Kind.Q3_K: (108,),
    Kind.Q4_K: (0, 2),
    Kind.Q5_K: (0, 2),
    Kind.Q6_K: (208,),
    Kind.IQ4_NL: (0,),
    Kind.IQ4_XS: (0,),
}
"""Where a block's 16-bit scales are: the package does not quantise to these types, so that blocks are made up."""


def makers_name(name: str, family: str) -> str:
    for pattern, replacement in MAKERS[family]:
        name = re.sub(pattern, replacement, name)
    return name


def in_blocks(kind: Kind) -> Callable[[str, Any], Kind]:
    """Quantise the blocks' matrices that can be, and keep all else as city96's tools do."""

    def choose(name: str, tensor: Any) -> Kind:
        if tensor.ndim != 2 or "blocks." not in name or "table" in name:
            return Kind.F32
        return kind if tensor.shape[1] % gguf.GGML_QUANT_SIZES[kind][0] == 0 else Kind.F16

    return choose


def quantised(tensor: np.ndarray, kind: Kind, seed: int = 0) -> np.ndarray:
    """Return the bytes of a tensor, or numbers for a plain type."""
    if kind not in SCALES:
        return gguf.quants.quantize(tensor, kind)
    numbers, size = gguf.GGML_QUANT_SIZES[kind]
    random = np.random.default_rng(seed)
    blocks = random.integers(0, 256, (tensor.size // numbers, size), np.uint8)
    for place in SCALES[kind]:
        scale = random.uniform(0.0005, 0.002, len(blocks)).astype(np.float16)
        blocks[:, place : place + 2] = scale.view(np.uint8).reshape(-1, 2)
    return blocks.reshape(*tensor.shape[:-1], -1)


def write(
    path: Path,
    tensors: Mapping[str, torch.Tensor],
    family: str,
    choose: Callable[[str, Any], Kind],
    *,
    architecture: str | None = None,
    file_type: int | None = gguf.LlamaFileType.MOSTLY_Q4_K_M,
    own_names: bool = True,
) -> dict[str, np.ndarray]:
    """Write a file.

    Args:
        path: The file.
        tensors: The transformer's, by diffusers' names.
        family: Ours.
        choose: Returns the type of a tensor.
        architecture: "" leaves it out; None = the family's.
        file_type: None leaves it out.
        own_names: The makers', not diffusers'.

    Returns:
        What the package itself says the tensors' values are, float32, by diffusers' names.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    said = ARCHITECTURES[family] if architecture is None else architecture
    writer = gguf.GGUFWriter(path, said or "none")
    if not said:
        del writer.kv_data[0][gguf.Keys.General.ARCHITECTURE]
    if file_type is not None:
        writer.add_file_type(file_type)
    meant = {}
    for number, (name, tensor) in enumerate(tensors.items()):
        kind = choose(name, tensor)
        data = quantised(tensor.float().numpy(), kind, number)
        meant[name] = gguf.quants.dequantize(data, kind)
        writer.add_tensor(makers_name(name, family) if own_names else name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return meant
