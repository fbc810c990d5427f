"""Read which layers of a transformer a LoRA file changes, from its header alone. Without torch.

A LoRA changes a layer's weight W (out, in) by strength · alpha / rank · up (out, rank) @ down (rank, in). Read are the
names of diffusers, of the makers' own repositories (`diffusion_model.`), and of musubi-tuner (`lora_unet_`).
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ....errors import ModelError, words_of
from ....messages import Message, codes, msg
from ....safetensors_header import read_header

PREFIX = re.compile(r"^(model\.)?(diffusion_model|transformer|base_model\.model)\.")
MUSUBI = "lora_unet_"

KINDS = {
    "down": re.compile(r"\.(lora_A|lora_down)(\.default)?\.weight$"),
    "up": re.compile(r"\.(lora_B|lora_up)(\.default)?\.weight$"),
    "alpha": re.compile(r"\.alpha$"),
    "bias": re.compile(r"\.(diff_b|lora_B(\.default)?\.bias)$"),
    "whole": re.compile(r"\.diff$"),
}
"""What a tensor of the file is for, by the end of its name; see `Layer`."""

ADAPTER = "lora_adapter_metadata"
"""Under this, diffusers keeps peft's settings in the file's metadata."""

Renames = Sequence[tuple[str, str]]
"""(regular expression, replacement): from the makers' names of layers to diffusers'."""


@dataclass(frozen=True)
class Layer:
    """What a file has for one layer: names of its tensors, "" where it has none.

    Attributes:
        down: (rank, in).
        up: (out, rank).
        alpha: One number; without it alpha is the file's own (`LoraLayers.alpha`), or the rank.
        bias: (out,), added to the bias.
        whole: Of the weight's shape, added to it.
    """

    down: str = ""
    up: str = ""
    alpha: str = ""
    bias: str = ""
    whole: str = ""


@dataclass(frozen=True)
class LoraLayers:
    """What a file changes.

    Attributes:
        layers: By their names in diffusers' transformer.
        shapes: Of the file's tensors, by their names there.
        alpha: Of all layers; None = the rank.
        left_out: Layers that are not among them; see `without`.
    """

    layers: Mapping[str, Layer]
    shapes: Mapping[str, list[int]]
    alpha: float | None = None
    left_out: int = 0


def read_layers(path: Path, renames: Renames) -> LoraLayers:
    """Read a file's header.

    Raises:
        ModelError: It is damaged, cut short, or no LoRA of a kind that is known.
    """
    shapes, metadata = _header(path)
    found: dict[str, Layer] = {}
    for name in shapes:
        if "dora_scale" in name:
            raise _unknown(path, name)
        kind = next((kind for kind, end in KINDS.items() if end.search(name)), None)
        if kind is None:
            raise _unknown(path, name)
        layer = layer_name(KINDS[kind].sub("", name), renames)
        found[layer] = replace(found.get(layer, Layer()), **{kind: name})
    for layer, own in found.items():
        if bool(own.down) != bool(own.up):
            raise damaged(path, msg("{layer} has only one of its two matrices", layer=layer))
    if not any(own.down or own.whole for own in found.values()):
        raise _unknown(path, next(iter(shapes), ""))
    return LoraLayers(found, shapes, _alpha(path, metadata))


def without(found: LoraLayers, pattern: re.Pattern[str]) -> LoraLayers:
    """Return what a file holds but for some layers; all of it where nothing else would be left."""
    kept = {name: layer for name, layer in found.layers.items() if not pattern.search(name)}
    return replace(found, layers=kept, left_out=len(found.layers) - len(kept)) if kept else found


def check_fits(path: Path, found: LoraLayers, model: Mapping[str, Sequence[int]], name: str) -> None:
    """Check that each layer is there in the model, and that the matrices have its shape.

    Args:
        path: The LoRA's file.
        found: What it holds.
        model: Shapes of the transformer's weights, by diffusers' names.
        name: Of the model, for the error.

    Raises:
        ModelError: One of them does not.
    """
    shapes = found.shapes
    for layer, own in found.layers.items():
        weight, bias = list(model.get(f"{layer}.weight", ())), list(model.get(f"{layer}.bias", ()))
        if not weight:
            raise _other_model(path, name, msg("it has no {layer}", layer=layer))
        there = [("weight", weight, _product(shapes, own))] if own.down else []
        there += [("weight", weight, shapes[own.whole])] if own.whole else []
        there += [("bias", bias, shapes[own.bias])] if own.bias else []
        there += [("alpha", [1], shapes[own.alpha])] if own.alpha and math.prod(shapes[own.alpha]) != 1 else []
        for part, wanted, given in there:
            if wanted != given:
                sizes = {"wanted": _sides(wanted), "given": _sides(given)}
                why = msg("{layer} is {wanted} there and {given} here", layer=f"{layer}.{part}", **sizes)
                raise _other_model(path, name, why)


def layer_name(name: str, renames: Renames) -> str:
    """Return diffusers' name of a layer."""
    if name.startswith(MUSUBI):
        # Dots are underscores there; the blocks' names hold some of their own.
        name = re.sub(r"^blocks_(\d+)_(self_attn|cross_attn|ffn)_", r"blocks.\1.\2.", name.removeprefix(MUSUBI))
    name = PREFIX.sub("", name)
    for pattern, replacement in renames:
        name = re.sub(pattern, replacement, name)
    return name


def damaged(path: Path, why: Any) -> ModelError:
    """Say that a file cannot be used as it is."""
    return ModelError(msg("the LoRA {file} is damaged ({why}); get it again", file=path.name, why=why))


def lora_fingerprint(path: Path) -> str:
    """Return the hash of a LoRA file's whole content; computed again when another file lies there or it is written to.

    Raises:
        OSError: It cannot be read.
    """
    state = path.stat()
    return _hashed(path, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


def changed(path: Path) -> ModelError:
    """Say that a file is no longer the one that a job was sent with."""
    return ModelError(
        msg(
            "in the place of the LoRA {file} lies another file than when the job was sent; retry the job to use the "
            "new one, or put the earlier one back first",
            file=path.name,
        ),
        code=codes.WRONG_SETTING,
    )


@lru_cache(maxsize=64)
def _hashed(path: Path, *_: int) -> str:
    """Hash a file's content: two trainings of the same layers differ in their numbers alone."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _header(path: Path) -> tuple[dict[str, list[int]], dict[str, Any]]:
    try:
        header = read_header(path)
    except FileNotFoundError as e:
        raise ModelError(msg("there is no file {name}; check the name", name=path), code=codes.MODEL_ABSENT) from e
    except (OSError, ValueError) as e:
        raise damaged(path, words_of(e)) from e
    if header.problem:
        raise damaged(path, header.problem)
    return header.shapes, header.metadata


def _product(shapes: Mapping[str, list[int]], own: Layer) -> list[int]:
    """Return the shape of up @ down; what cannot be multiplied comes to no weight's shape."""
    down, up = shapes[own.down], shapes[own.up]
    fits = len(down) == len(up) == 2 and down[0] == up[1] > 0
    return [up[0], down[1]] if fits else [*up, *down]


def _alpha(path: Path, metadata: Mapping[str, Any]) -> float | None:
    """Read peft's settings. One alpha for all layers is known, and nothing that computes in another way."""
    try:
        said: dict[str, Any] = json.loads(metadata.get(ADAPTER, "{}"))
        told = {key.removeprefix("transformer."): value for key, value in said.items()}
        alpha = told.get("lora_alpha")
        found = float(alpha) if isinstance(alpha, int | float) else None
    except (ValueError, AttributeError, TypeError, RecursionError, OverflowError) as e:
        raise damaged(path, e) from e
    for name in ("alpha_pattern", "use_rslora", "use_dora"):
        if told.get(name):
            raise _unknown(path, name)
    return found


def _sides(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "—"


def _unknown(path: Path, name: str) -> ModelError:
    return ModelError(
        msg(
            "{file} is not a supported kind of LoRA ({name}); choose one for this model in the layout of "
            "diffusers, of the model's makers or of musubi-tuner",
            file=path.name,
            name=name[:80],
        ),
        code=codes.WRONG_SETTING,
    )


def _other_model(path: Path, name: str, why: Message) -> ModelError:
    return ModelError(
        msg(
            "the LoRA {file} was made for another model than {model}: {why}; choose another LoRA or another model",
            file=path.name,
            model=name,
            why=why,
        ),
        code=codes.WRONG_SETTING,
    )
