"""Check the file of an upscaler: whether it is there, and which network it holds. Without torch."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ....errors import ModelError
from ....fs import visible_files
from ....messages import msg
from ....presets import UpscalerPreset
from .network import Network, read_network, unreadable


@dataclass(frozen=True)
class UpscalerFile:
    """An upscaler on the disk.

    Attributes:
        preset: Names it.
        path: Its file.
        network: The file's architecture.
        fingerprint: Changes when another file lies there.
    """

    preset: UpscalerPreset
    path: Path
    network: Network
    fingerprint: str

    @property
    def name(self) -> str:
        """Return the preset's name."""
        return self.preset.name


def check_upscaler(preset: UpscalerPreset, folder: Path) -> UpscalerFile:
    """Raise ModelError that says what is missing or wrong and what to do about it."""
    remedy = (
        msg("download it: fanslymotion models download {name}", name=preset.name)
        if preset.source == "hub"
        else msg("put the upscaler's .safetensors file there")
    )
    try:
        found = visible_files(folder, "*.safetensors")
        pickled = not found and bool(visible_files(folder, "*.pth"))
    except OSError as e:  # a share that is not connected, a missing right
        raise unreadable(folder, e) from e
    if not found:
        if pickled:
            raise ModelError(
                msg(
                    "{folder} has the upscaler only as a pickle file, which can run any code when it is opened and is "
                    "never loaded here; {remedy}",
                    folder=folder,
                    remedy=remedy,
                )
            )
        raise ModelError(
            msg(
                "the upscaler {label} is not here: there is no .safetensors file in {folder}; {remedy}",
                label=preset.label,
                folder=folder,
                remedy=remedy,
            )
        )
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise ModelError(
            msg(
                "{folder} holds {count} upscalers ({names}); leave only the one that is wanted there",
                folder=folder,
                count=len(found),
                names=names,
            )
        )
    try:
        state = found[0].stat()
    except OSError as e:  # a link that leads nowhere, or a file that has just gone
        raise unreadable(found[0], e) from e
    return UpscalerFile(preset, found[0], *_known(found[0], state.st_size, state.st_mtime_ns))


@lru_cache(maxsize=16)
def _known(path: Path, size: int, changed: int) -> tuple[Network, str]:
    """Read a file's network, and its fingerprint. Cached: the form asks at every change of a setting."""
    network = read_network(path)
    return network, hashlib.sha256(f"{path.name} {size} {network}".encode()).hexdigest()[:16]
