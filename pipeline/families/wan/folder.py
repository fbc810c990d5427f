"""Describe the folders of Wan 2.2 TI2V-5B, in diffusers' format. Without torch."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ....messages import Message, msg
from ..base import ModelSize
from ..flow.folder import TRANSFORMER, VAE, FlowFolders
from ..weights.files.shapes import Shapes, attention, linear
from ..weights.folders import INDEX, known_json

NAME = "Wan 2.2 TI2V-5B"

STRIDE, SIDE, CHANNELS = 4, 16, 48
"""Of the 5B model's VAE: frames of the video to a latent frame, pixels to a latent pixel along each side, channels."""

NEGATIVE_PROMPT = (
    "色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，最差质量，低质量，JPEG压缩残留，丑陋的，"
    "残缺的，多余的手指，画得不好的手部，画得不好的脸部，畸形的，毁容的，形态畸形的肢体，手指融合，静止不动的画面，杂乱的背景，"
    "三条腿，背景人很多，倒着走"
)
"""What Wan's makers have guidance lead away from: garish colours, stills, blur, subtitles, misshapen hands, faces."""

IMAGE_CHANNELS = 36
"""What a transformer gets whose photo goes through channels of its own: 16 noisy ones, a mask of 4, 16 of the photo."""

SAMPLING: dict[str, Any] = {
    "steps": 50,
    "schedule": "flow",
    "shift": 5.0,
    "solver": "unipc",
    "min_guidance": 5.0,
    "max_guidance": 5.0,
    "negative_prompt": NEGATIVE_PROMPT,
}
"""As in Wan's own configuration of this model (`ti2v_5B`)."""

FASTWAN: dict[str, Any] = {
    "steps": 3,
    "schedule": "fixed",
    "sigmas": (1.0, 0.757, 0.522),
    "solver": "lcm",
    "min_guidance": 1.0,
    "max_guidance": 1.0,
}
"""As FastVideo's distilled model (`FastWan2_2_TI2V_5B_Config`: levels 1000, 757 and 522 of 1000)."""

TURBO: dict[str, Any] = FASTWAN | {"steps": 4, "sigmas": (1.0, 0.75, 0.5, 0.25)}
"""As quanhaol/Wan2.2-TI2V-5B-Turbo, and other models distilled to four even steps."""

RATES = {
    "standard": {"fps": 24, "interpolation": 1},
    "smooth": {"fps": 24, "interpolation": 2},
    "sampled": {"fps": 24, "interpolation": 1},
}
"""Frames a second: 24 is what it was trained on, and it cannot be told another number."""

WIDTH, HEIGHT, FRAMES = 1280, 704, 145
"""Native size, and most frames of a window: 6 s. It was trained on 121."""

LAYERS, HEADS, HEAD, DECODER = 30, 24, 128, 256
FULL = ModelSize(
    unet=4_999_787_712,
    vae=704_688_668,
    image_encoder=0,
    channels=HEADS * HEAD,
    vae_channels=DECODER,
    factor=SIDE,
    width=WIDTH,
    height=HEIGHT,
    frames=FRAMES,
    attention=LAYERS * HEADS * HEAD,
    family="wan",
    text_encoder=5_680_910_336,
)
"""Wan 2.2 TI2V-5B, computed from its configurations (tests/unit/pipeline/families/wan/test_folder.py)."""


RENAMES = (
    (r"\.self_attn\.", ".attn1."),
    (r"\.cross_attn\.", ".attn2."),
    (r"(\.attn\d)\.([qkv])\b", r"\1.to_\2"),
    (r"(\.attn\d)\.o\b", r"\1.to_out.0"),
    (r"(\.attn\d)\.([kv])_img\b", r"\1.add_\2_proj"),
    (r"^(blocks\.\d+)\.norm3$", r"\1.norm2"),  # the one with weights, before the cross-attention
    (r"\.ffn\.0\b", ".ffn.net.0.proj"),
    (r"\.ffn\.2\b", ".ffn.net.2"),
    (r"^time_projection\.1\b", "condition_embedder.time_proj"),
    (r"^(time|text)_embedding\.0\b", r"condition_embedder.\1_embedder.linear_1"),
    (r"^(time|text)_embedding\.2\b", r"condition_embedder.\1_embedder.linear_2"),
    (r"^head\.head\b", "proj_out"),
    (r"^head\.modulation\b", "scale_shift_table"),
    (r"\.modulation\b", ".scale_shift_table"),
    (r"(\bblocks\.\d+)\.norm3\b", r"\1.norm2"),  # the one with weights, in their order of computing here
)
"""From Wan's own names of layers to diffusers'."""


def has_two_transformers(folder: Path, transformer: Mapping[str, Any]) -> bool:
    """Tell whether a folder is of a model with two transformers, one of which may be missing.

    Args:
        folder: The model's.
        transformer: Configuration of the first one.
    """
    alone = transformer.get("in_channels") == IMAGE_CHANNELS and not transformer.get("image_dim")
    return alone or (folder / "transformer_2" / "config.json").is_file()


def shapes(transformer: Mapping[str, Any]) -> Shapes:
    """Return those of a Wan transformer without image encoder; see `FlowFolders.shapes`."""
    width = transformer["num_attention_heads"] * transformer["attention_head_dim"]
    patch, embedder = tuple(transformer["patch_size"]), "condition_embedder"
    found: dict[str, tuple[int, ...]] = {
        "scale_shift_table": (1, 2, width),
        "patch_embedding.weight": (width, transformer["in_channels"], *patch),
        "patch_embedding.bias": (width,),
    }
    found |= linear(f"{embedder}.time_embedder.linear_1", width, transformer["freq_dim"])
    found |= linear(f"{embedder}.time_embedder.linear_2", width, width)
    found |= linear(f"{embedder}.time_proj", 6 * width, width)
    found |= linear(f"{embedder}.text_embedder.linear_1", width, transformer["text_dim"])
    found |= linear(f"{embedder}.text_embedder.linear_2", width, width)
    for number in range(transformer["num_layers"]):
        block = f"blocks.{number}"
        found |= attention(f"{block}.attn1", width, width)
        found |= attention(f"{block}.attn2", width, width)
        found |= linear(f"{block}.ffn.net.0.proj", transformer["ffn_dim"], width)
        found |= linear(f"{block}.ffn.net.2", width, transformer["ffn_dim"])
        found |= {f"{block}.norm2.weight": (width,), f"{block}.norm2.bias": (width,)}
        found[f"{block}.scale_shift_table"] = (1, 6, width)
    return found | dict(linear("proj_out", transformer["out_channels"] * math.prod(patch), width))


class WanFolders(FlowFolders):
    """See `FlowFolders`."""

    def recognises(self, folder: Path) -> bool:
        """Return whether it is a Wan model of one transformer (`wan_a14b` has two); see `FlowFolders`."""
        return super().recognises(folder) and not has_two_transformers(folder, self.config(folder, TRANSFORMER))

    def preset_changes(self, folder: Path) -> Mapping[str, Any]:
        """Return `sampling` of FastVideo's distilled model, known by its pipeline's name; see `FlowFolders`."""
        return {"sampling": FASTWAN} if known_json(folder / INDEX).get("_class_name") == "WanDMDPipeline" else {}

    def supports(self, folder: Path, transformer: Mapping[str, Any], vae: Mapping[str, Any]) -> Message | None:
        """Refuse Wan's other models: their photo goes through channels, or an encoder, of its own."""
        found = (
            transformer.get("in_channels"),
            transformer.get("image_dim"),
            tuple(transformer.get("patch_size", (1, 2, 2))),
            vae.get("z_dim"),
            vae.get("scale_factor_spatial"),
            vae.get("scale_factor_temporal", STRIDE),
        )
        if found == (CHANNELS, None, (1, 2, 2), CHANNELS, SIDE, STRIDE):
            return None
        return msg(
            "{folder} is a Wan model of another kind than {kind}: of the 14B models, that of Wan 2.2 with two "
            "transformers alone is supported; choose one of these",
            folder=folder,
            kind=self.name,
        )

    def shapes(self, transformer: Mapping[str, Any]) -> Shapes:
        """See `FlowFolders`."""
        return shapes(transformer)

    def decoder_channels(self, vae: Mapping[str, Any]) -> int | None:
        """See `FlowFolders`."""
        return vae.get("decoder_base_dim") or vae.get("base_dim")


FOLDERS = WanFolders(
    family="wan",
    name=NAME,
    classes={TRANSFORMER: "WanTransformer3DModel", VAE: "AutoencoderKLWan"},
    # 5.68 billion numbers, computed from its configuration.
    text_encoder="UMT5-XXL: 11.4 GB in 16-bit numbers",
    usual={"width": WIDTH, "height": HEIGHT, "frames": FRAMES, "sampling": SAMPLING, "rates": RATES},
    few_steps={"fastwan": FASTWAN, "turbo": TURBO, "": TURBO},
    full=FULL,
    complete=msg("give the path of a complete folder in diffusers' format (transformer, vae, text_encoder, tokenizer)"),
    renames=RENAMES,
)
