"""A folder with random weights of a model's full size: what memory and time need to be measured, without a download.

    python bench/full_size.py FOLDER [--family svd|ltx|wan]    4.3, 16 or 24 GB, in less than a minute

The sizes are those of stabilityai/stable-video-diffusion-img2vid-xt's configuration files, of Lightricks' 2B model with
T5-XXL, and of Wan 2.2 TI2V-5B with UMT5-XXL. Their pictures are noise.
"""

import argparse
import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers.models.autoencoders.autoencoder_kl_ltx import AutoencoderKLLTXVideo
from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan
from diffusers.models.transformers.transformer_ltx import LTXVideoTransformer3DModel
from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel
from fanslymotion.pipeline.families.flow.random_folder import tokenizer
from fanslymotion.pipeline.families.ltx.folder import BUNDLED, TRANSFORMER, VAE
from fanslymotion.pipeline.families.svd.random_model import scheduler
from fanslymotion.pipeline.families.wan import random_model as random_wan
from torch import nn
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    T5Config,
    T5EncoderModel,
    UMT5Config,
    UMT5EncoderModel,
)

FRAMES = 25
RING, STRIDE = 4_194_301, 1_299_709
"""Numbers of noise that all weights are cut from, and how far apart two tensors begin in them. Primes."""


WAN_TRANSFORMER: dict[str, Any] = {
    "num_attention_heads": 24,
    "attention_head_dim": 128,
    "text_dim": 4096,
    "freq_dim": 256,
}
WAN_TRANSFORMER |= {"ffn_dim": 14336, "num_layers": 30, "rope_max_seq_len": 1024}
WAN_VAE: dict[str, Any] = {"base_dim": 160, "decoder_base_dim": 256, "dim_mult": [1, 2, 4, 4], "num_res_blocks": 2}
UMT5_XXL: dict[str, Any] = {
    "vocab_size": 256384,
    "d_model": 4096,
    "d_kv": 64,
    "d_ff": 10240,
    "num_layers": 24,
    "num_heads": 64,
}
"""What differs from the tiny random Wan in Wan-AI/Wan2.2-TI2V-5B-Diffusers' configuration files."""


def unet() -> nn.Module:
    attention: Any = "CrossAttn{}BlockSpatioTemporal"
    return UNetSpatioTemporalConditionModel(
        sample_size=96,
        in_channels=8,
        out_channels=4,
        down_block_types=(attention.format("Down"),) * 3 + ("DownBlockSpatioTemporal",),
        up_block_types=("UpBlockSpatioTemporal",) + (attention.format("Up"),) * 3,
        block_out_channels=(320, 640, 1280, 1280),
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=768,
        layers_per_block=2,
        cross_attention_dim=1024,
        num_attention_heads=(5, 10, 20, 20),
        num_frames=FRAMES,
    )


def vae() -> nn.Module:
    blocks: Any = ("DownEncoderBlock2D",) * 4
    widths: Any = (128, 256, 512, 512)
    return AutoencoderKLTemporalDecoder(
        down_block_types=blocks,
        block_out_channels=widths,
        layers_per_block=2,
        latent_channels=4,
        sample_size=768,
        scaling_factor=0.18215,
        force_upcast=True,
    )


def image_encoder() -> nn.Module:
    return CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=1280,
            intermediate_size=5120,
            projection_dim=1024,
            num_hidden_layers=32,
            num_attention_heads=16,
            image_size=224,
            patch_size=14,
        )
    )


def build(folder: Path) -> Path:
    """Write the model, unless it is there."""
    if (folder / "fanslymotion.json").is_file():
        return folder
    index: dict[str, Any] = {"_class_name": "StableVideoDiffusionPipeline", "_diffusers_version": "0.42.1"}
    for name, make in (("unet", unet), ("vae", vae), ("image_encoder", image_encoder)):
        part = empty(make, torch.float16)
        part.save_pretrained(folder / name, safe_serialization=True, variant="fp16")
        library = "transformers" if name == "image_encoder" else "diffusers"
        index[name] = [library, type(part).__name__]
        del part
    scheduler().save_pretrained(folder / "scheduler")
    CLIPImageProcessor().save_pretrained(folder / "feature_extractor")
    index |= {
        "scheduler": ["diffusers", "EulerDiscreteScheduler"],
        "feature_extractor": ["transformers", "CLIPImageProcessor"],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=1), encoding="utf-8")
    own = {"label": "random SVD-XT", "width": 1024, "height": 576, "frames": FRAMES}
    (folder / "fanslymotion.json").write_text(json.dumps(own), encoding="utf-8")
    return folder


def t5_xxl() -> nn.Module:
    """The text encoder of LTX-Video 2B (google/t5-v1_1-xxl)."""
    return T5EncoderModel(
        T5Config(
            d_model=4096,
            d_ff=10240,
            d_kv=64,
            num_heads=64,
            num_layers=24,
            vocab_size=32128,
            feed_forward_proj="gated-gelu",
        )
    )


def umt5_xxl() -> nn.Module:
    """The text encoder of Wan 2.2 (google/umt5-xxl)."""
    return UMT5EncoderModel(UMT5Config(**UMT5_XXL))


def build_ltx(folder: Path) -> Path:
    """Write LTX-Video 2B in bf16, in diffusers' folder format, unless it is there."""
    parts = {
        TRANSFORMER: lambda: LTXVideoTransformer3DModel.from_config(read(BUNDLED[TRANSFORMER])),
        VAE: lambda: AutoencoderKLLTXVideo.from_config(read(BUNDLED[VAE])),
        "text_encoder": t5_xxl,
    }
    return build_flow(folder, parts, "LTXImageToVideoPipeline", "random LTX-Video 2B")


def build_wan(folder: Path) -> Path:
    """Write Wan 2.2 TI2V-5B in bf16, in diffusers' folder format, unless it is there."""
    parts = {
        TRANSFORMER: lambda: WanTransformer3DModel(**random_wan.TRANSFORMER | WAN_TRANSFORMER),
        VAE: lambda: AutoencoderKLWan(**random_wan.VAE | WAN_VAE),
        "text_encoder": umt5_xxl,
    }
    return build_flow(folder, parts, "WanImageToVideoPipeline", "random Wan 2.2 TI2V-5B")


def build_flow(folder: Path, parts: Mapping[str, Callable[[], Any]], pipeline: str, label: str) -> Path:
    """Write a video transformer and what belongs to it."""
    if (folder / "fanslymotion.json").is_file():
        return folder
    for name, make in parts.items():
        empty(make, torch.bfloat16).save_pretrained(folder / name, safe_serialization=True)
    tokenizer().save_pretrained(folder / "tokenizer")
    (folder / "model_index.json").write_text(json.dumps({"_class_name": pipeline}), encoding="utf-8")
    (folder / "fanslymotion.json").write_text(json.dumps({"label": label}), encoding="utf-8")
    return folder


BUILDERS = {"svd": build, "ltx": build_ltx, "wan": build_wan}


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def empty(make: Callable[[], Any], dtype: torch.dtype) -> Any:
    """Make a module and fill it; its buffers keep what the architecture says."""
    with init_empty_weights():
        module = make()
    buffers = {name: value.clone() for name, value in module.named_buffers()}
    module = module.to(dtype).to_empty(device="cpu")
    for name, value in module.named_buffers():
        value.copy_(buffers[name])
    return fill(module)


@torch.no_grad()
def fill(module: nn.Module) -> nn.Module:
    """Random weights that keep activations finite: norms pass through, the rest has unit gain."""
    # Every tensor is cut from one ring of noise, from another place on: drawing 1.5 billion numbers takes minutes, and
    # sizes are what counts. The ring's length is a prime, so that no two rows of a matrix are the same.
    ring = torch.randn(RING, generator=torch.Generator().manual_seed(0))
    # With the end joined to the beginning, a stretch of any length up to RING begins anywhere.
    noise = torch.cat([ring, ring]).to(next(module.parameters()).dtype)
    work: list[tuple[torch.Tensor, torch.Tensor, float]] = []
    for part in module.modules():
        is_norm = "Norm" in type(part).__name__  # torch's, diffusers' and T5's own
        for name, value in part.named_parameters(recurse=False):
            if value.ndim < 2:
                value.fill_(1.0 if is_norm and name == "weight" else 0.0)
                continue
            start = len(work) * STRIDE % RING
            flat, gain = value.detach().view(-1), value[0].numel() ** -0.5  # threads have their own grad mode
            work += [(piece, noise[start : start + len(piece)], gain) for piece in flat.split(RING)]
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as threads:
        list(threads.map(lambda item: torch.mul(item[1], item[2], out=item[0]), work))
    return module


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--family", choices=tuple(BUILDERS), default="svd")
    given = parser.parse_args()
    BUILDERS[given.family](given.folder)
