"""A folder with random weights of SVD-XT's full size: what memory and time need to be measured, without a download.

    python bench/full_size.py FOLDER        4.3 GB, in less than a minute

The sizes are those of stabilityai/stable-video-diffusion-img2vid-xt's configuration files. Its pictures are noise.
"""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel
from fanslymotion.pipeline.families.svd.random_model import scheduler
from torch import nn
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

FRAMES = 25
RING, STRIDE = 4_194_301, 1_299_709
"""Numbers of noise that all weights are cut from, and how far apart two tensors begin in them. Primes."""


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
        with init_empty_weights():
            module = make()
        part: Any = fill(module.half().to_empty(device="cpu"))
        part.save_pretrained(folder / name, safe_serialization=True, variant="fp16")
        library = "transformers" if name == "image_encoder" else "diffusers"
        index[name] = [library, type(part).__name__]
        del module, part
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
        is_norm = isinstance(part, nn.GroupNorm | nn.LayerNorm)
        for name, value in part.named_parameters(recurse=False):
            if value.ndim < 2:
                value.fill_(1.0 if is_norm and name == "weight" else 0.0)
                continue
            start = len(work) * STRIDE % RING
            flat, gain = value.detach().view(-1), value[0].numel() ** -0.5  # threads have their own grad mode
            work += [(piece, noise[start : start + len(piece)], gain) for piece in flat.split(RING)]
        for name, value in part.named_buffers(recurse=False):
            if name == "position_ids":
                value.copy_(torch.arange(value.shape[-1]).expand_as(value))
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as threads:
        list(threads.map(lambda item: torch.mul(item[1], item[2], out=item[0]), work))
    return module


if __name__ == "__main__":
    build(Path(sys.argv[1]))
