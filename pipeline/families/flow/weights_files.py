"""Take a transformer's weights from files of their own: whether a file fits, and what it takes. Without torch."""

from collections.abc import Sequence
from pathlib import Path

from ....errors import ModelError
from ....messages import Message, codes, harmless, msg
from ....presets import ModelPreset
from ..weights.files.contents import PLAIN, FileHeader
from ..weights.files.header import read_weights_file, weights_fingerprint
from ..weights.files.shapes import Shapes
from .lora import Renames, layer_name


def weights_files(preset: ModelPreset | None) -> tuple[Path, ...]:
    """Return the files that take the transformers' place, in their order; none for a model without."""
    return () if preset is None else tuple(map(Path, preset.weights))


def fingerprints(preset: ModelPreset | None) -> tuple[str, ...]:
    """Return those of the files.

    Raises:
        ModelError: One of them cannot be read.
    """
    return tuple(map(weights_fingerprint, weights_files(preset)))


def packed(files: Sequence[Path]) -> tuple[int, int, int]:
    """Count a model's numbers in files of weights. Of two transformers the larger one counts.

    Returns:
        All numbers; those that stay packed, which are the blocks' linear layers; the bytes of these.
    """
    found = (0, 0, 0)
    for path in files:
        try:
            tensors = read_weights_file(path).tensors
        except ModelError:  # counts as full size; `check_weights_file` says what is wrong
            continue
        kept = [
            one
            for name, one in tensors.items()
            if one.kind not in PLAIN and "blocks." in name and name.endswith(".weight") and len(one.shape) == 2
        ]
        all_numbers = sum(one.numbers for one in tensors.values())
        found = max(found, (all_numbers, sum(one.numbers for one in kept), sum(one.size for one in kept)))
    return found


def stays_packed(preset: ModelPreset) -> bool:
    """Tell whether weights of a model stay as its files have them, so that nothing can be added to them."""
    return packed(weights_files(preset))[1] > 0


def check_weights_file(path: Path, wanted: Shapes, renames: Renames, kind: str, model: str) -> None:
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
    header = read_weights_file(path)
    if why := _no_transformer(path, header, wanted, renames, kind):
        raise ModelError(why, code=codes.WRONG_SETTING)
    for tensor in header.tensors.values():  # first: packed in another way, a weight also has another shape
        if tensor.kind not in header.readable:
            raise ModelError(
                msg(
                    "{file} has weights of the type {kind} ({layer}), which is not supported; choose a file with "
                    "one of {known}",
                    file=path,
                    kind=tensor.kind,
                    layer=_shown_name(tensor.name),
                    known=", ".join(sorted(header.readable)),
                ),
                code=codes.WRONG_SETTING,
            )
    if why := _difference(path, header, wanted, renames, model):
        raise ModelError(why, code=codes.WRONG_SETTING)


def likeness(header: FileHeader, wanted: Shapes, renames: Renames) -> int:
    """Return how many of a model's weights a file has in the same shape; 0 if it has few of their names."""
    found = _shapes(header, renames)
    if 2 * len(found.keys() & wanted.keys()) <= len(wanted):
        return 0
    return sum(_sides(found[name]) == _sides(shape) for name, shape in wanted.items() if name in found)


def _no_transformer(path: Path, header: FileHeader, wanted: Shapes, renames: Renames, kind: str) -> Message | None:
    if _shapes(header, renames).keys() & {name for name in wanted if "blocks.0." in name}:
        return None
    return msg(
        "{file} holds no transformer of a {kind} model (it says: {architecture}); choose a file of one",
        file=path,
        kind=kind,
        architecture=header.architecture or "—",
    )


def _difference(path: Path, header: FileHeader, wanted: Shapes, renames: Renames, model: str) -> Message | None:
    """Return why a file's tensors are not a model's, or None if they are. Arguments as in `check_weights_file`."""
    found = _shapes(header, renames)
    for name, shape in wanted.items():
        # llama.cpp leaves out sides of 1 before the others.
        if name in found and _sides(found[name]) != _sides(shape):
            return msg(
                "{file} was made for another model than {model}: {layer} is {wanted} there and {given} here; choose a "
                "file of this model, or the model that it was made for",
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
        "{file} was made for another model than {model}: {layer} is in only one of them; choose a file of this model, "
        "or the model that it was made for",
        file=path,
        model=model,
        layer=_shown_name(odd or more or ""),
    )


def _shapes(header: FileHeader, renames: Renames) -> Shapes:
    return {layer_name(name, renames): tensor.shape for name, tensor in header.tensors.items()}


def _sides(shape: Sequence[int]) -> list[int]:
    found = list(shape)
    while len(found) > 1 and found[0] == 1:
        del found[0]
    return found


def _shown_name(name: str) -> str:
    return harmless(name.replace("\n", " "))[:80]


def _shown(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "—"
