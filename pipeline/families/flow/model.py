"""Give sampling what it asks of a model, as far as it is the same for all video transformers."""

import logging
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch

from ....errors import words_of
from ..base import LIBRARIES, MemoryPlan, ModelFolder
from ..placement import Placement
from ..weights.components import Components, placed
from ..weights.files.reading import transformer_of_file
from ..weights.int8 import to_int8
from ..weights.offload import HOOKED
from ..weights.pieces import Compute, allow_pieces, set_pieces
from ..weights.reading import read_component
from .cost import in_pieces
from .folder import TEXT_ENCODER, TRANSFORMER, FlowFolders
from .lora import LoraLayers, changed, damaged, lora_fingerprint
from .lora_fusing import fuse
from .weights_files import weights_files

log = logging.getLogger(__name__)


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
        """Set whether the transformer's blocks compute in pieces; see `VideoModel`."""
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
        model: Its LoRAs are added to the transformer, whose weights are kept in 8-bit numbers where it says so.
        folders: The family's.
        placement: Where and how to compute.
        finished: Called with `LIBRARIES` and with each component's name; may raise, which ends the loading.
        compute_block: See `FlowModel`.

    Returns:
        The components by their names.

    Raises:
        ModelError: A LoRA's file is damaged, made for another model, or no longer the same.
    """
    layers = lora_layers(model, folders) if TRANSFORMER in kinds else []
    finished(LIBRARIES)
    finished(TEXT_ENCODER)
    found: dict[str, Any] = {}
    for name, kind in kinds.items():
        component = read(kind, name)
        if name == TRANSFORMER:
            change_weights(component, model, layers, placement)
            if placement.offload in HOOKED:
                allow_pieces(component, compute_block)
        found[name] = placed(component, placement, denoiser=name == TRANSFORMER)
        finished(name)
    return found


def lora_layers(model: ModelFolder, folders: FlowFolders, denoiser: int = 0) -> list[LoraLayers]:
    """Return what each of a model's LoRAs changes in a transformer.

    Args:
        model: The folder.
        folders: Its family's.
        denoiser: Which transformer, of a model that has several; see `Lora.file`.

    Raises:
        ModelError: A file is damaged, or made for another model.
    """
    return [folders.lora_layers(model, lora.file(denoiser).path) for lora in model.loras]


def change_weights(
    transformer: Any, model: ModelFolder, layers: Sequence[LoraLayers], placement: Placement, denoiser: int = 0
) -> None:
    """Add a model's LoRAs to a transformer that was read, one after the other, and then round it where asked to.

    Args:
        transformer: It has the layers.
        model: Its LoRAs, and whether the weights are kept in 8-bit numbers.
        layers: What each LoRA changes; see `lora_layers`.
        placement: Where and how to compute.
        denoiser: See `lora_layers`.

    Raises:
        ModelError: A file is damaged, or no longer the same.
    """
    for lora, found in zip(model.loras, layers, strict=True):
        file = lora.file(denoiser)
        fuse(transformer, file.path, found, lora.strength)
        try:
            same = lora_fingerprint(file.path) == file.fingerprint
        except OSError as e:
            raise damaged(file.path, words_of(e)) from e
        if not same:  # replaced since it was hashed: under its fingerprint the model would be kept for later jobs
            raise changed(file.path)
        log.info("Added the LoRA %s, strength %g: %d layers", file.path.stem, lora.strength, len(found.layers))
        if found.left_out:
            log.warning("%d of its layers are for a part that this model lacks", found.left_out)
    if model.int8:
        to_int8(transformer, placement.device)


def read_replaced(model: ModelFolder, folders: FlowFolders, kind: Any, part: str, dtype: torch.dtype) -> Any:
    """Read a transformer from the file of weights that takes its place.

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
    files = dict(zip(folders.denoisers, weights_files(model.preset), strict=False))
    if part not in files:
        return None
    config = folders.config(model.folder, part)
    rotated = model.preset.rotated
    return read_component(files[part], lambda: transformer_of_file(kind, files[part], config, dtype, rotated))
