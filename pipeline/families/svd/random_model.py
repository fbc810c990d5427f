"""Build a random, untrained model of the real architecture, in diffusers' folder format: for tests and first steps.

Its pictures are noise; its sizes, files and code path are those of the real thing, in a second on a CPU.
"""

import json
from pathlib import Path
from typing import Any

from ..weights.folders import INDEX, OWN_FILE, build_once

WIDTH, HEIGHT, FRAMES = 128, 72, 14
"""Native size in pixels and frames a window."""

LEVELS = 4
"""Levels of the VAE: every one but the first halves the sides, so the factor is 8, as SVD's."""

PIPELINE = "StableVideoDiffusionPipeline"
LIBRARIES = {
    "feature_extractor": ("transformers", "CLIPImageProcessor"),
    "image_encoder": ("transformers", "CLIPVisionModelWithProjection"),
    "scheduler": ("diffusers", "EulerDiscreteScheduler"),
    "unet": ("diffusers", "UNetSpatioTemporalConditionModel"),
    "vae": ("diffusers", "AutoencoderKLTemporalDecoder"),
}
"""What `model_index.json` says. The stock pipeline itself, which would write it, is not imported: it wants diffusers
whole (`light_import`)."""


def build(
    folder: Path, *, levels: int = LEVELS, width: int = WIDTH, height: int = HEIGHT, frames: int = FRAMES, seed: int = 0
) -> Path:
    """Write the model to `folder` in one move, unless it is there. 1.1 M parameters, 4.6 MB.

    Args:
        folder: Where it goes; its parents are made.
        levels: 2..4; the VAE's factor is 2 ** (levels - 1).
        width: Native size in pixels.
        height: Likewise.
        frames: Of one window.
        seed: Of the weights; the caller's random state stays as it is.

    Returns:
        `folder`.
    """
    return build_once(folder, lambda half: _write(half, levels, (width, height), frames, seed))


def _write(folder: Path, levels: int, size: tuple[int, int], frames: int, seed: int) -> None:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        components = _components(levels, size, frames)
    for name, component in components.items():
        component.save_pretrained(folder / name)
    (folder / INDEX).write_text(json.dumps({"_class_name": PIPELINE, **LIBRARIES}, indent=2), encoding="utf-8")
    own = {"label": "random test model", "demo": True, "width": size[0], "height": size[1], "frames": frames}
    own["sampling"] = {"steps": 15, "max_guidance": 1.0}
    own["licence"] = {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"}
    (folder / OWN_FILE).write_text(json.dumps(own, indent=2), encoding="utf-8")


def _components(levels: int, native: tuple[int, int], frames: int) -> dict:
    import transformers
    from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
    from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel

    factor = 2 ** (levels - 1)
    size: Any = (native[1] // factor, native[0] // factor)
    # Tuples of any length are meant by the library too; its annotations say one element.
    widths: Any = (32,) * levels
    blocks: Any = ("DownEncoderBlock2D",) * levels
    unet = UNetSpatioTemporalConditionModel(
        sample_size=size,
        in_channels=8,
        out_channels=4,
        down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
        up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
        block_out_channels=(32, 32),
        addition_time_embed_dim=32,
        projection_class_embeddings_input_dim=96,
        layers_per_block=1,
        cross_attention_dim=32,
        num_attention_heads=2,
        num_frames=frames,
    )
    vae = AutoencoderKLTemporalDecoder(
        down_block_types=blocks,
        block_out_channels=widths,
        layers_per_block=1,
        latent_channels=4,
        scaling_factor=0.18215,
    )
    vision = transformers.CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=224,
        patch_size=32,
        projection_dim=32,
    )
    # The kind without torchvision, where there are two: the plain name only warns that torchvision is absent.
    named = "CLIPImageProcessorPil" if hasattr(transformers, "CLIPImageProcessorPil") else "CLIPImageProcessor"
    processor = getattr(transformers, named)
    side = {"height": 224, "width": 224}
    return {
        "unet": unet,
        "vae": vae,
        "scheduler": scheduler(),
        "image_encoder": transformers.CLIPVisionModelWithProjection(vision),
        "feature_extractor": processor(size={"shortest_edge": 224}, crop_size=side),
    }


def scheduler() -> Any:
    """Return diffusers' scheduler with the settings of Stable Video Diffusion's scheduler_config.json."""
    from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler

    return EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        sigma_min=0.002,
        sigma_max=700.0,
        steps_offset=1,
        timestep_spacing="leading",
        timestep_type="continuous",
        use_karras_sigmas=True,
    )
