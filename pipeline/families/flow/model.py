"""Give sampling what it asks of a model, as far as it is the same for all video transformers."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch

from ....errors import words_of
from ..base import LIBRARIES, Lora, MemoryPlan, ModelFolder
from ..placement import Placement
from ..weights.components import Components, placed
from ..weights.gguf.reading import gguf_transformer
from ..weights.int8 import to_int8
from ..weights.offload import HOOKED
from ..weights.pieces import Compute, allow_pieces, set_pieces
from ..weights.reading import read_component
from .cost import in_pieces
from .folder import TEXT_ENCODER, TRANSFORMER, FlowFolders
from .gguf import gguf_files
from .lora import LoraLayers, changed, damaged, file_fingerprint
from .lora_fusing import fuse


class FlowModel(Components):
    """What `VideoModel`s with a video VAE, whose first frame is the photo, have in common.

    Attributes:
        arithmetic: 0: the numbers are diffusers' own.
        compute_block: Computes a block of the transformer in pieces.
    """

    arithmetic = 0
    compute_block: ClassVar[Compute]

    @property
    @abstractmethod
    def latent_size(self) -> tuple[int, int]:
        """Channels of a latent, and pixels to one of its pixels along each side."""

    @abstractmethod
    def beginning(self, conditioning: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
        """Return the photo's latent where the first frame is the photo; see `VideoModel`."""

    @property
    def latent_dtype(self) -> torch.dtype:
        """float32, as in the stock pipelines: noise levels may be too near each other for 16-bit latents."""
        return torch.float32

    def prepare(self, plan: MemoryPlan) -> None:
        """Have the transformer's blocks compute in pieces, or not; see `VideoModel`."""
        set_pieces(getattr(self, TRANSFORMER), self.compute_block, in_pieces(plan))

    def noise(
        self, frames: int, width: int, height: int, draw: Callable[[Sequence[int]], torch.Tensor]
    ) -> torch.Tensor:
        """Draw a window's noise, channels before frames as the stock pipelines; see `VideoModel`."""
        channels, side = self.latent_size
        return draw((1, channels, frames, height // side, width // side)).transpose(1, 2).contiguous()

    def preview_latents(self, conditioning: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the photo's latents, scaled; see `VideoModel`."""
        known = self.beginning(conditioning)
        assert known is not None
        return known[:, 0]


def load_components(
    kinds: Mapping[str, Any],
    read: Callable[[Any, str], Any],
    model: ModelFolder,
    folders: FlowFolders,
    placement: Placement,
    finished: Callable[[str], None],
    compute_block: Compute,
) -> dict[str, Any]:
    """Read what stays in memory, and put it where it computes or waits. The text encoder's work is done by now.

    Args:
        kinds: Class of each component, by its name, in the order of reading.
        read: Reads a component, given its class and name.
        model: Its LoRA is added to the transformer, whose weights are kept in 8-bit numbers where it says so.
        folders: The family's.
        placement: Where and how to compute.
        finished: Called with `LIBRARIES` and with each component's name; may raise, which ends the loading.
        compute_block: See `FlowModel`.

    Returns:
        The components by their names.

    Raises:
        ModelError: The LoRA's file is damaged, made for another model, or no longer the same.
    """
    lora = model.lora
    layers = None if lora is None else folders.lora_layers(model.folder, lora.path, model.name)
    finished(LIBRARIES)
    finished(TEXT_ENCODER)
    found: dict[str, Any] = {}
    for name, kind in kinds.items():
        component = read(kind, name)
        if name == TRANSFORMER and lora is not None and layers is not None:
            _fuse(component, lora, layers)
        if name == TRANSFORMER and model.int8:
            to_int8(component, placement.device)
        if name == TRANSFORMER and placement.offload in HOOKED:
            allow_pieces(component, compute_block)
        found[name] = placed(component, placement, denoiser=name == TRANSFORMER)
        finished(name)
    return found


def read_gguf(model: ModelFolder, folders: FlowFolders, kind: Any, part: str, dtype: torch.dtype) -> Any:
    """Read a transformer from the GGUF file that takes its place.

    Args:
        model: Its preset names the files.
        folders: Of its family.
        kind: Class of the transformer.
        part: Its name.
        dtype: The numbers to compute in.

    Returns:
        The transformer; None for a component that is read from the folder.

    Raises:
        ModelError: The file is damaged.
    """
    files = dict(zip(folders.denoisers, gguf_files(model.preset), strict=False))
    if part not in files:
        return None
    config = folders.config(model.folder, part)
    return read_component(files[part], lambda: gguf_transformer(kind, files[part], config, dtype))


def _fuse(transformer: Any, lora: Lora, layers: LoraLayers) -> None:
    fuse(transformer, lora.path, layers, lora.strength)
    try:
        same = file_fingerprint(lora.path) == lora.fingerprint
    except OSError as e:
        raise damaged(lora.path, words_of(e)) from e
    if not same:  # replaced since it was hashed: under its fingerprint the model would be kept for later jobs
        raise changed(lora.path)
