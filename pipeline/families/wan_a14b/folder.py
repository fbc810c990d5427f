"""Describe the folders of Wan 2.2 I2V-A14B, in diffusers' format. Without torch."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ....errors import ModelError
from ....messages import Message, msg
from ....presets import ModelPreset
from ..base import ModelFiles
from ..flow.folder import TRANSFORMER, VARIANTS, WEIGHTS, FlowFolders
from ..flow.weights_files import weights_files
from ..wan.folder import FOLDERS as WAN
from ..wan.folder import FULL as WAN_FULL
from ..wan.folder import IMAGE_CHANNELS, STRIDE, has_two_transformers, shapes
from ..wan.folder import RATES as WAN_RATES
from ..wan.folder import SAMPLING as WAN_SAMPLING
from ..weights import folders
from ..weights.files.shapes import Shapes
from ..weights.folders import INDEX, read_json

NAME = "Wan 2.2 I2V-A14B"

TRANSFORMER_2 = "transformer_2"
EXPERTS = (TRANSFORMER, TRANSFORMER_2)
"""Two transformers of one architecture: the first for levels with much noise, the second for the others."""

BOUNDARY = 0.9
"""The first one computes the levels from this on, where `model_index.json` says nothing else (`boundary_ratio`)."""

SIDE, CHANNELS = 8, 16
"""Of Wan 2.1's VAE: pixels to a latent pixel along each side, channels."""
SAMPLING = WAN_SAMPLING | {"steps": 40, "min_guidance": 3.5, "max_guidance": 3.5}
"""Of a folder that has no preset: as in Wan's own configuration of this model (`i2v_A14B`), which is not distilled."""

RATES = {name: rate | {"fps": 16} for name, rate in WAN_RATES.items()}
"""Frames a second: 16 is what it was trained on, and it cannot be told another number."""

WIDTH, HEIGHT, FRAMES = 1280, 720, 97
"""Native size, and most frames of a window: 6 s. It was trained on 81."""

LAYERS, HEADS, HEAD, DECODER = 40, 40, 128, 96
FULL = replace(
    WAN_FULL,
    unet=14_288_901_184,
    vae=126_892_531,
    channels=HEADS * HEAD,
    vae_channels=DECODER,
    factor=SIDE,
    width=WIDTH,
    height=HEIGHT,
    frames=FRAMES,
    attention=LAYERS * HEADS * HEAD,
    family="wan_a14b",
)
"""Wan 2.2 I2V-A14B with one of its transformers, computed from its configurations (tests/…/wan_a14b/test_folder.py)."""


IMAGE_ENCODER = re.compile(r"\.add_[kv]_proj$|\.norm_added_k$|\.norm_k_img$|^img_emb\b|^img_emb_|\.image_embedder\.")
"""Layers by which Wan 2.1 I2V 14B reads the photo a second time. LoRAs for it have them; the others are the same."""


class A14BFolders(FlowFolders):
    """See `FlowFolders`."""

    def recognises(self, folder: Path) -> bool:
        """Tell it from Wan's other models; see `FlowFolders`."""
        return super().recognises(folder) and has_two_transformers(folder, self.config(folder, TRANSFORMER))

    def check(self, folder: Path, preset: ModelPreset | None = None) -> ModelFiles:
        """Check the second transformer, too; see `FlowFolders`."""
        found = super().check(folder, preset)
        if weights_files(preset):
            return found
        stem, remedy = WEIGHTS[TRANSFORMER], self._remedy(preset)
        second = folders.weight_variants(folder / TRANSFORMER_2, stem, VARIANTS, remedy)
        return replace(found, variants={**found.variants, TRANSFORMER_2: second})

    def fingerprint(self, folder: Path, parts: tuple[str, ...]) -> str:
        """Count the second transformer and the boundary with the first one; see `FlowFolders`."""
        if TRANSFORMER not in parts:
            return super().fingerprint(folder, parts)
        return self.digest(folder, [*(folder / part for part in (*parts, TRANSFORMER_2)), folder / INDEX])

    def supports(self, folder: Path, transformer: Mapping[str, Any], vae: Mapping[str, Any]) -> Message | None:
        """Refuse transformers that get something else, and other VAEs."""
        experts = (transformer, self.config(folder, TRANSFORMER_2))
        given = {
            (one.get("in_channels"), one.get("image_dim"), tuple(one.get("patch_size", (1, 2, 2)))) for one in experts
        }
        found = (
            vae.get("z_dim", CHANNELS),
            vae.get("scale_factor_spatial", SIDE),
            vae.get("scale_factor_temporal", STRIDE),
        )
        if given == {(IMAGE_CHANNELS, None, (1, 2, 2))} and found == (CHANNELS, SIDE, STRIDE):
            return None
        return msg(
            "{folder} is a Wan model of two transformers, of another kind than {kind}; choose one of that kind",
            folder=folder,
            kind=self.name,
        )

    def shapes(self, transformer: Mapping[str, Any]) -> Shapes:
        """See `FlowFolders`."""
        return shapes(transformer)

    def decoder_channels(self, vae: Mapping[str, Any]) -> int | None:
        """See `FlowFolders`."""
        return vae.get("decoder_base_dim") or vae.get("base_dim")

    def boundary(self, folder: Path) -> float:
        """Return the noise level from which on the first transformer computes, 0..1."""
        try:
            found = read_json(folder / INDEX).get("boundary_ratio")
        except ModelError:
            return BOUNDARY
        return float(found) if isinstance(found, int | float) else BOUNDARY


LIGHTNING: dict[str, Any] = {
    "steps": 4,
    "schedule": "flow",
    "shift": 5.0,
    "solver": "euler",
    "min_guidance": 1.0,
    "max_guidance": 1.0,
}
"""As LightX2V samples its distilled models, see presets/models/wan-14b-fast.toml."""

FOLDERS = A14BFolders(
    family="wan_a14b",
    name=NAME,
    classes={**WAN.classes, TRANSFORMER_2: WAN.classes[TRANSFORMER]},
    text_encoder=WAN.text_encoder,
    usual={"width": WIDTH, "height": HEIGHT, "frames": FRAMES, "sampling": SAMPLING, "rates": RATES},
    few_steps={"": LIGHTNING},
    full=FULL,
    complete=msg(
        "give the path of a complete folder in diffusers' format (transformer, transformer_2, vae, text_encoder, "
        "tokenizer)"
    ),
    renames=WAN.renames,
    left_out=IMAGE_ENCODER,
    denoisers=EXPERTS,
)
