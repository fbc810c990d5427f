"""Describe the folders of LTX-Video from 0.9.5 on, in diffusers' format or with Lightricks' single file. No torch."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ....errors import ModelError
from ....messages import Message, codes, msg
from ....safetensors_header import tensor_shapes
from ..base import ModelSize
from ..flow.folder import TRANSFORMER, VAE, FlowFolders
from ..flow.lora import layer_name
from ..weights.files.contents import FileHeader, of_transformer
from ..weights.files.header import read_weights_file
from ..weights.files.shapes import Shapes, attention, linear
from ..weights.folders import known_json
from .sampling import DEV, DISTILLED, EARLY, FIRST_DEV, LARGE_DEV, LARGE_LAYERS, NOT_DISTILLED

SINGLE_FILES = (
    "ltxv-2b-0.9.8-distilled.safetensors",
    "ltxv-2b-0.9.6-distilled-04-25.safetensors",
    "ltxv-2b-0.9.6-dev-04-25.safetensors",
    "ltx-video-2b-v0.9.5.safetensors",
)
"""Single files whose architecture is in `configs/`, as Lightricks names them."""

CONFIGS = Path(__file__).parent / "configs"
BUNDLED = {TRANSFORMER: CONFIGS / "transformer-2b.json", VAE: CONFIGS / "vae-0.9.5.json"}
"""diffusers' configurations of the 2B models from 0.9.5 on: the single file has none that diffusers can read."""

FIRST_FP8 = re.compile(r"ltxv-13b-0\.9\.7-(dev|distilled)-fp8", re.IGNORECASE)
"""Names of Lightricks' first files of 8-bit floats, which were made for its own kernels."""
ENCODER_END = "vae.encoder.conv_out.conv.weight"
"""Name in a single file of the VAE's layer whose inputs tell its version."""

RATES = {
    "standard": {"fps": 12, "interpolation": 2},
    "smooth": {"fps": 24, "interpolation": 2},
    "sampled": {"fps": 24, "interpolation": 1},
}
"""Frames a second: the model is told the rate. At 12 a video of 12 s is one window; 24 is what it was trained on."""

LAYERS, WIDTH = 28, 2048
FULL = ModelSize(
    unet=1_923_385_472,
    vae=1_246_913_522,
    image_encoder=0,
    channels=WIDTH,
    vae_channels=128,
    factor=32,
    width=1216,
    height=704,
    frames=161,
    attention=LAYERS * WIDTH,
    family="ltx",
    text_encoder=4_762_310_656,
)
"""LTX-Video 2B 0.9.8, computed from its configurations; the single file's 6.34 GB of 16-bit numbers agree."""

OTHERS = {
    "Lightricks/LTX-Video-0.9.8-13B-distilled": replace(
        FULL, unet=13_042_569_344, channels=2 * WIDTH, attention=48 * 2 * WIDTH
    )
}
"""The 13B model: 48 layers of twice the width; counted by diffusers' class."""


class LtxFolders(FlowFolders):
    """See `FlowFolders`."""

    def supports(self, folder: Path, transformer: Mapping[str, Any], vae: Mapping[str, Any]) -> Message | None:
        """Refuse what the window loop cannot do: patches of tokens, other strides, noise inside the decoder (0.9.1)."""
        patches = (transformer.get("patch_size", 1), transformer.get("patch_size_t", 1))
        strides = (vae.get("spatial_compression_ratio") or 32, vae.get("temporal_compression_ratio") or 8)
        if patches == (1, 1) and strides == (32, 8) and not any(vae.get("decoder_inject_noise", ())):
            return None
        return msg(
            "{folder} is an LTX-Video model of another kind than from 0.9.5 on; choose one of those", folder=folder
        )

    def preset_changes(self, folder: Path) -> Mapping[str, Any]:
        """Return `sampling` of a model that its scheduler or its name shows not to be distilled; see `FlowFolders`."""
        scheduler = folder / "scheduler" / "scheduler_config.json"
        # Lightricks/LTX-Video has version 0.9.0 in folders, beside single files of later ones.
        if not self.single_file(folder) and known_json(scheduler).get("use_dynamic_shifting"):
            return {"sampling": FIRST_DEV}
        said = next((told for name in self._names(folder) if (told := self.distilled(name)) is not None), None)
        return {"sampling": self.undistilled(folder)} if said is False else {}

    def _names(self, folder: Path) -> tuple[str, ...]:
        """Return what a folder's model is called, the surest name first."""
        single = self.single_file(folder)
        origin = known_json(folder / TRANSFORMER / "config.json").get("_name_or_path")
        # Hugging Face's cache: models--Lightricks--LTX-Video-0.9.7-dev/snapshots/<commit>.
        cached = folder.parent.parent.name if folder.parent.name == "snapshots" else ""
        return (single.name if single else "", folder.name, cached, str(origin or "").rpartition("/")[2])

    def undistilled(self, folder: Path) -> Mapping[str, Any]:
        """Tell the 13B models from the 2B ones by their layers; see `FlowFolders`."""
        layers = self._known(folder, TRANSFORMER).get("num_layers")
        return LARGE_DEV if isinstance(layers, int) and layers >= LARGE_LAYERS else DEV

    def rotated(self, file: Path, folder: Path) -> bool:
        """Compare with the weights that are there. Lightricks' files of 0.9.7 must be told; see `FlowFolders`."""
        header, told = read_weights_file(file), None
        if header.quantisation == "FP8":
            from ..weights.files.rotation import is_rotated  # numpy, for those alone that have such a file

            told = is_rotated(file, self._named(file), self._reference(folder))
        if told is None and FIRST_FP8.fullmatch(file.stem):
            raise ModelError(
                msg(
                    "{file} may be made for Lightricks' own kernels, with rotated weights. That shows in a comparison "
                    "with the transformer of the model here, which is missing or too different; get that again, or "
                    "choose another FP8 file or a GGUF one",
                    file=file,
                ),
                code=codes.WRONG_SETTING,
            )
        return bool(told)

    def _named(self, file: Path) -> dict[str, str]:
        """Return the names in a file of its blocks' 8-bit matrices, by diffusers' names."""
        return {
            layer_name(name, self.renames): one.name
            for name, one in read_weights_file(file).tensors.items()
            if one.kind == "F8_E4M3" and not one.scale and "blocks." in name and len(one.shape) == 2
        }

    def _reference(self, folder: Path) -> dict[str, tuple[Path, str]]:
        """Return files and names in them of the weights in a folder, by diffusers' names; those that can be read."""
        found: dict[str, tuple[Path, str]] = {}
        for file in self.transformer_files(folder):
            with suppress(OSError, ValueError):
                names = of_transformer(tensor_shapes(file))
                found |= {layer_name(name, self.renames): (file, own) for name, own in names.items()}
        return found

    def other_parts(self, file: Path, header: FileHeader, folder: Path) -> Message | None:
        """Refuse the first versions by their names, or by the VAE beside them: their latents are of another kind."""
        channels = self._known(folder, VAE).get("block_out_channels")
        here = channels[-1:] if isinstance(channels, list) else []
        own = list(header.shapes.get(ENCODER_END, ()))[1:2]
        if not EARLY.search(file.stem) and (not own or not here or own == here):
            return None
        return msg(
            "{file} is of a version before LTX-Video 0.9.5, which has another VAE than the models here; choose a file "
            "from 0.9.5 on",
            file=file,
        )

    def shapes(self, transformer: Mapping[str, Any]) -> Shapes:
        """See `FlowFolders`."""
        width = transformer["num_attention_heads"] * transformer["attention_head_dim"]
        found: dict[str, tuple[int, ...]] = {"scale_shift_table": (2, width)}
        found |= linear("proj_in", width, transformer["in_channels"])
        found |= linear("time_embed.emb.timestep_embedder.linear_1", width, 256)
        found |= linear("time_embed.emb.timestep_embedder.linear_2", width, width)
        found |= linear("time_embed.linear", 6 * width, width)
        found |= linear("caption_projection.linear_1", width, transformer["caption_channels"])
        found |= linear("caption_projection.linear_2", width, width)
        for number in range(transformer["num_layers"]):
            block = f"transformer_blocks.{number}"
            found |= attention(f"{block}.attn1", width, width)
            found |= attention(f"{block}.attn2", width, transformer["cross_attention_dim"])
            found |= linear(f"{block}.ff.net.0.proj", 4 * width, width)
            found |= linear(f"{block}.ff.net.2", width, 4 * width)
            found[f"{block}.scale_shift_table"] = (6, width)
        return found | dict(linear("proj_out", transformer["out_channels"], width))

    def decoder_channels(self, vae: Mapping[str, Any]) -> int | None:
        """Divide by what the last level is enlarged by; see `FlowFolders`."""
        channels: list[int] = vae.get("decoder_block_out_channels") or [256]
        factors: list[int] = vae.get("upsample_factor") or [2]
        return channels[0] // factors[0]


FOLDERS = LtxFolders(
    family="ltx",
    name="LTX-Video",
    classes={TRANSFORMER: "LTXVideoTransformer3DModel", VAE: "AutoencoderKLLTXVideo"},
    # 4.76 billion numbers, computed from its configuration.
    text_encoder="T5-XXL: 9.5 GB in 16-bit numbers, 19 GB in 32-bit ones",
    usual={"width": 1216, "height": 704, "frames": 161, "sampling": DISTILLED, "rates": RATES},
    full=FULL,
    complete=msg(
        "give the path of a complete folder in diffusers' format (transformer, vae, text_encoder, tokenizer), or "
        "with {file}, text_encoder and tokenizer",
        file=SINGLE_FILES[0],
    ),
    few_steps={"": DISTILLED},
    not_distilled=NOT_DISTILLED,
    single_files=SINGLE_FILES,
    bundled=BUNDLED,
    renames=((r"^patchify_proj\b", "proj_in"), (r"^adaln_single\b", "time_embed"), (r"\.([qk])_norm\b", r".norm_\1")),
    others=OTHERS,
)
