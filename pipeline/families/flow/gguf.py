"""Take a transformer's weights from GGUF files: which file is which, whether it fits, what it takes. Without torch."""

from collections.abc import Sequence
from pathlib import Path

from ....errors import ModelError
from ....messages import Message, codes, msg
from ....presets import ModelPreset
from ..weights.gguf.header import PLAIN, READABLE, GgufHeader, gguf_fingerprint, read_gguf
from ..weights.gguf.shapes import Shapes
from .lora import Renames, layer_name


def gguf_files(preset: ModelPreset | None) -> tuple[Path, ...]:
    """Return the files that take the transformers' place, in their order; none for a model without."""
    return () if preset is None else tuple(map(Path, preset.gguf))


def fingerprints(preset: ModelPreset | None) -> tuple[str, ...]:
    """Return those of the files.

    Raises:
        ModelError: One of them cannot be read.
    """
    return tuple(map(gguf_fingerprint, gguf_files(preset)))


def packed(files: Sequence[Path]) -> tuple[int, int, int]:
    """Count a model's numbers in GGUF files. Of two transformers the larger one counts.

    Returns:
        All numbers; those that stay quantised, which are the blocks' linear layers; the bytes of these.
    """
    found = (0, 0, 0)
    for path in files:
        try:
            tensors = read_gguf(path).tensors
        except ModelError:  # counts as full size; `check_gguf` says what is wrong
            continue
        kept = [one for name, one in tensors.items() if one.kind not in PLAIN and "blocks." in name]
        all_numbers = sum(one.numbers for one in tensors.values())
        found = max(found, (all_numbers, sum(one.numbers for one in kept), sum(one.size for one in kept)))
    return found


def check_gguf(path: Path, wanted: Shapes, renames: Renames, kind: str, model: str) -> None:
    """Check that a file holds a transformer of these shapes, in types that can be read.

    Args:
        path: The file.
        wanted: Of the model's transformer.
        renames: From the makers' names to diffusers'.
        kind: Of model, for the error.
        model: Its name, for the error.

    Raises:
        ModelError: It does not.
    """
    header = read_gguf(path)
    if why := difference(path, header, wanted, renames, kind, model):
        raise ModelError(why, code=codes.WRONG_SETTING)
    for name, tensor in header.tensors.items():
        if tensor.kind not in READABLE:
            raise ModelError(
                msg(
                    "{file} has weights of the type {kind} ({layer}), which is not read here; choose a file with one "
                    "of {known}",
                    file=path,
                    kind=tensor.kind,
                    layer=name[:80],
                    known=", ".join(sorted(READABLE)),
                ),
                code=codes.WRONG_SETTING,
            )


def likeness(header: GgufHeader, wanted: Shapes, renames: Renames) -> int:
    """Return how many of a model's weights a file has in the same shape; 0 if it has few of their names."""
    found = {layer_name(name, renames): tensor.shape for name, tensor in header.tensors.items()}
    if 2 * len(found.keys() & wanted.keys()) <= len(wanted):
        return 0
    return sum(_sides(found[name]) == _sides(shape) for name, shape in wanted.items() if name in found)


def difference(
    path: Path, header: GgufHeader, wanted: Shapes, renames: Renames, kind: str, model: str
) -> Message | None:
    """Return why a file's tensors are not a model's, or None if they are. Arguments as in `check_gguf`."""
    found = {layer_name(name, renames): tensor.shape for name, tensor in header.tensors.items()}
    if not found.keys() & {name for name in wanted if "blocks.0." in name}:
        return msg(
            "{file} holds no transformer of a {kind} model (it says: {architecture}); choose a GGUF file of one",
            file=path,
            kind=kind,
            architecture=header.architecture or "—",
        )
    for name, shape in wanted.items():
        # llama.cpp leaves out sides of 1 before the others.
        if name in found and _sides(found[name]) != _sides(shape):
            return msg(
                "{file} was made for another model than {model}: {layer} is {wanted} there and {given} here; choose a "
                "GGUF file of this model, or the model that it was made for",
                file=path,
                model=model,
                layer=name,
                wanted=_shown(shape),
                given=_shown(found[name]),
            )
    odd = next((name for name in wanted if name not in found), None)
    more = next((name for name in found if name not in wanted), None)
    if odd is None and more is None:
        return None
    return msg(
        "{file} was made for another model than {model}: {layer} is in only one of them; choose a GGUF file of this "
        "model, or the model that it was made for",
        file=path,
        model=model,
        layer=(odd or more or "")[:80],
    )


def _sides(shape: Sequence[int]) -> list[int]:
    found = list(shape)
    while len(found) > 1 and found[0] == 1:
        del found[0]
    return found


def _shown(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "—"
