"""What the presets' repositories on the hub hold: names of files and values of configurations, as read on 2026-11-27.

Read in stored copies of the hub's pages, and in file lists of public projects that pin a commit. The configurations of
Wan-AI/Wan2.2-TI2V-5B-Diffusers have the very sha256 that the hub names for commit b8fff73.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NO_TENSORS = struct.pack("<Q", 2) + b"{}"
"""A weights file without weights."""


@dataclass(frozen=True)
class Published:
    """A repository.

    Attributes:
        files: Those that the preset must take.
        others: Some of those that it must not take.
        configs: Values of configurations, by path; every other JSON file is empty here.
        bytes_of: Bytes of a component's weights, by component.
    """

    repository: str
    files: tuple[str, ...]
    others: tuple[str, ...]
    configs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    bytes_of: Mapping[str, float] = field(default_factory=dict)

    def content(self) -> dict[str, bytes]:
        """Return all files, with configurations, and weights without tensors."""
        return {path: self._one(path) for path in (*self.files, *self.others)}

    def _one(self, path: str) -> bytes:
        if path.endswith(".safetensors"):
            return NO_TENSORS
        return json.dumps(self.configs.get(path, {})).encode() if path.endswith(".json") else b"other"


def shards(stem: str, count: int) -> tuple[str, ...]:
    """Return the names of weights in several files, with their index."""
    files = [f"{stem}-{number:05d}-of-{count:05d}.safetensors" for number in range(1, count + 1)]
    return (*files, f"{stem}.safetensors.index.json")


DENOISER, WORDS = "transformer/diffusion_pytorch_model", "text_encoder/model"
T5_TOKENIZER = (
    "tokenizer/added_tokens.json",
    "tokenizer/special_tokens_map.json",
    "tokenizer/spiece.model",
    "tokenizer/tokenizer_config.json",
)
UMT5_TOKENIZER = (
    "tokenizer/special_tokens_map.json",
    "tokenizer/spiece.model",
    "tokenizer/tokenizer.json",
    "tokenizer/tokenizer_config.json",
)
GIB = 2**30

WAN_TRANSFORMER: dict[str, Any] = {
    "_class_name": "WanTransformer3DModel",
    "added_kv_proj_dim": None,
    "attention_head_dim": 128,
    "cross_attn_norm": True,
    "eps": 1e-06,
    "freq_dim": 256,
    "image_dim": None,
    "patch_size": [1, 2, 2],
    "pos_embed_seq_len": None,
    "qk_norm": "rms_norm_across_heads",
    "rope_max_seq_len": 1024,
    "text_dim": 4096,
}
WAN_5B_TRANSFORMER = WAN_TRANSFORMER | {
    "ffn_dim": 14336,
    "in_channels": 48,
    "num_attention_heads": 24,
    "num_layers": 30,
    "out_channels": 48,
}
WAN_A14B_TRANSFORMER = WAN_TRANSFORMER | {
    "ffn_dim": 13824,
    "in_channels": 36,
    "num_attention_heads": 40,
    "num_layers": 40,
    "out_channels": 16,
}
WAN_VAE: dict[str, Any] = {
    "_class_name": "AutoencoderKLWan",
    "attn_scales": [],
    "clip_output": False,
    "dim_mult": [1, 2, 4, 4],
    "dropout": 0.0,
    "num_res_blocks": 2,
    "scale_factor_temporal": 4,
    "temperal_downsample": [False, True, True],
}
WAN_5B_VAE = WAN_VAE | {
    "base_dim": 160,
    "decoder_base_dim": 256,
    "in_channels": 12,
    "is_residual": True,
    "out_channels": 12,
    "patch_size": 2,
    "scale_factor_spatial": 16,
    "z_dim": 48,
    "latents_mean": [0.0] * 48,
    "latents_std": [1.0] * 48,
}
WAN_21_VAE = WAN_VAE | {
    "base_dim": 96,
    "decoder_base_dim": None,
    "in_channels": 3,
    "is_residual": False,
    "out_channels": 3,
    "patch_size": None,
    "scale_factor_spatial": 8,
    "z_dim": 16,
}
"""As diffusers 0.35 writes it; its other keys are diffusers' defaults."""

LTX_13B_TRANSFORMER: dict[str, Any] = {
    "_class_name": "LTXVideoTransformer3DModel",
    "activation_fn": "gelu-approximate",
    "attention_bias": True,
    "attention_head_dim": 128,
    "attention_out_bias": True,
    "caption_channels": 4096,
    "cross_attention_dim": 4096,
    "in_channels": 128,
    "norm_elementwise_affine": False,
    "norm_eps": 1e-06,
    "num_attention_heads": 32,
    "num_layers": 48,
    "out_channels": 128,
    "patch_size": 1,
    "patch_size_t": 1,
    "qk_norm": "rms_norm_across_heads",
}
LTX_2B_TRANSFORMER = LTX_13B_TRANSFORMER | {"attention_head_dim": 64, "cross_attention_dim": 2048, "num_layers": 28}
LTX_VAE: dict[str, Any] = {
    "_class_name": "AutoencoderKLLTXVideo",
    "block_out_channels": [128, 256, 512, 1024, 2048],
    "decoder_block_out_channels": [256, 512, 1024],
    "decoder_causal": False,
    "decoder_inject_noise": [False] * 4,
    "decoder_layers_per_block": [5] * 4,
    "decoder_spatio_temporal_scaling": [True] * 3,
    "down_block_types": ["LTXVideo095DownBlock3D"] * 4,
    "downsample_type": ["spatial", "temporal", "spatiotemporal", "spatiotemporal"],
    "encoder_causal": True,
    "in_channels": 3,
    "latent_channels": 128,
    "layers_per_block": [4, 6, 6, 2, 2],
    "out_channels": 3,
    "patch_size": 4,
    "patch_size_t": 1,
    "resnet_norm_eps": 1e-06,
    "scaling_factor": 1.0,
    "spatial_compression_ratio": 32,
    "spatio_temporal_scaling": [True] * 4,
    "temporal_compression_ratio": 8,
    "timestep_conditioning": True,
    "upsample_factor": [2] * 3,
    "upsample_residual": [True] * 3,
}
OLD_LTX_VAE: dict[str, Any] = {
    "_class_name": "AutoencoderKLLTXVideo",
    "block_out_channels": [128, 256, 512, 512],
    "decoder_causal": False,
    "encoder_causal": True,
    "in_channels": 3,
    "latent_channels": 128,
    "layers_per_block": [4, 3, 3, 3, 4],
    "out_channels": 3,
    "patch_size": 4,
    "patch_size_t": 1,
    "resnet_norm_eps": 1e-06,
    "scaling_factor": 1.0,
    "spatio_temporal_scaling": [True, True, True, False],
}
"""Of LTX-Video 0.9.0: in Lightricks/LTX-Video, vae/ and transformer/ are those of that version."""

SVD_UNET: dict[str, Any] = {
    "_class_name": "UNetSpatioTemporalConditionModel",
    "addition_time_embed_dim": 256,
    "block_out_channels": [320, 640, 1280, 1280],
    "cross_attention_dim": 1024,
    "down_block_types": [*["CrossAttnDownBlockSpatioTemporal"] * 3, "DownBlockSpatioTemporal"],
    "in_channels": 8,
    "layers_per_block": 2,
    "num_attention_heads": [5, 10, 20, 20],
    "out_channels": 4,
    "projection_class_embeddings_input_dim": 768,
    "sample_size": 96,
    "transformer_layers_per_block": 1,
    "up_block_types": ["UpBlockSpatioTemporal", *["CrossAttnUpBlockSpatioTemporal"] * 3],
}
SVD_VAE: dict[str, Any] = {
    "_class_name": "AutoencoderKLTemporalDecoder",
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "force_upcast": True,
    "in_channels": 3,
    "latent_channels": 4,
    "layers_per_block": 2,
    "out_channels": 3,
    "sample_size": 768,
    "scaling_factor": 0.18215,
}


def _svd(repository: str, frames: int, single: str) -> Published:
    parts = ("image_encoder/model", "unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model")
    return Published(
        repository,
        (
            "model_index.json",
            "feature_extractor/preprocessor_config.json",
            "scheduler/scheduler_config.json",
            *(f"{part.split('/')[0]}/config.json" for part in parts),
            *(f"{part}.fp16.safetensors" for part in parts),
        ),
        ("README.md", "LICENSE.md", single, *(f"{part}.safetensors" for part in parts)),
        {"unet/config.json": SVD_UNET | {"num_frames": frames}, "vae/config.json": SVD_VAE},
        {"image_encoder": 1_264_217_240, "unet": 3.05e9, "vae": 195_531_910},
    )


REPOSITORIES = {
    "svd": _svd("stabilityai/stable-video-diffusion-img2vid", 14, "svd.safetensors"),
    "svd-xt": _svd("stabilityai/stable-video-diffusion-img2vid-xt", 25, "svd_xt.safetensors"),
    "svd-xt-1.1": _svd("stabilityai/stable-video-diffusion-img2vid-xt-1-1", 25, "svd_xt_1_1.safetensors"),
    "ltx-2b": Published(
        "Lightricks/LTX-Video",
        (
            "ltxv-2b-0.9.8-distilled.safetensors",
            "text_encoder/config.json",
            *shards(WORDS, 4),
            *T5_TOKENIZER,
        ),
        (
            "README.md",
            "ltxv-13b-0.9.8-distilled.safetensors",
            "ltxv-2b-0.9.8-distilled-fp8.safetensors",
            "model_index.json",
            "scheduler/scheduler_config.json",
            "transformer/config.json",
            f"{DENOISER}.safetensors",
            "vae/config.json",
            "vae/diffusion_pytorch_model.safetensors",
        ),
        {"transformer/config.json": LTX_2B_TRANSFORMER, "vae/config.json": OLD_LTX_VAE},
        {"transformer": 6.34e9, "text_encoder": 17.74 * GIB},
    ),
    "ltx-13b": Published(
        "Lightricks/LTX-Video-0.9.8-13B-distilled",
        (
            "model_index.json",
            "text_encoder/config.json",
            *shards(WORDS, 4),
            *T5_TOKENIZER,
            "transformer/config.json",
            *shards(DENOISER, 6),
            "vae/config.json",
            "vae/diffusion_pytorch_model.safetensors",
        ),
        (
            "README.md",
            "scheduler/scheduler_config.json",
            *(f"vae/{path}" for path in (*shards(WORDS, 4), *shards(DENOISER, 6))),
        ),
        {"transformer/config.json": LTX_13B_TRANSFORMER, "vae/config.json": LTX_VAE},
        {"transformer": 24.29 * GIB, "text_encoder": 17.74 * GIB, "vae": 2.32 * GIB},
    ),
    "wan-5b": Published(
        "Wan-AI/Wan2.2-TI2V-5B-Diffusers",
        (
            "model_index.json",
            "text_encoder/config.json",
            *shards(WORDS, 3),
            *UMT5_TOKENIZER,
            "transformer/config.json",
            *shards(DENOISER, 5),
            "vae/config.json",
            "vae/diffusion_pytorch_model.safetensors",
        ),
        ("README.md", "scheduler/scheduler_config.json", "assets/comp_effic.png", "examples/i2v_input.JPG"),
        {
            "model_index.json": {"_class_name": "WanPipeline", "boundary_ratio": None, "expand_timesteps": True},
            "transformer/config.json": WAN_5B_TRANSFORMER,
            "vae/config.json": WAN_5B_VAE,
        },
        {"transformer": 19_999_234_632, "text_encoder": 11_361_851_208, "vae": 2_818_777_808},
    ),
    # Of this repository the number of files and the sum of their bytes are known, see its preset.
    "wan-5b-fast": Published(
        "FastVideo/FastWan2.2-TI2V-5B-FullAttn-Diffusers",
        (
            "model_index.json",
            "text_encoder/config.json",
            *shards(WORDS, 3),
            *UMT5_TOKENIZER,
            "transformer/config.json",
            f"{DENOISER}.safetensors",
            "vae/config.json",
            "vae/diffusion_pytorch_model.safetensors",
        ),
        ("scheduler/scheduler_config.json",),
        {
            "model_index.json": {"_class_name": "WanDMDPipeline", "boundary_ratio": None, "expand_timesteps": True},
            "transformer/config.json": WAN_5B_TRANSFORMER,
            "vae/config.json": WAN_5B_VAE,
        },
        {"transformer": 9_999_700_000, "text_encoder": 11_361_851_208, "vae": 2_818_777_808},
    ),
    "wan-14b-fast": Published(
        "magespace/Wan2.2-I2V-A14B-Lightning-Diffusers",
        (
            "model_index.json",
            "text_encoder/config.json",
            *shards(WORDS, 3),
            *UMT5_TOKENIZER,
            "transformer/config.json",
            *shards(DENOISER, 3),
            "transformer_2/config.json",
            *shards("transformer_2/diffusion_pytorch_model", 3),
            "vae/config.json",
            "vae/diffusion_pytorch_model.safetensors",
        ),
        ("README.md", "scheduler/scheduler_config.json"),
        {
            "model_index.json": {"_class_name": "WanImageToVideoPipeline", "boundary_ratio": 0.9},
            "transformer/config.json": WAN_A14B_TRANSFORMER,
            "transformer_2/config.json": WAN_A14B_TRANSFORMER,
            "vae/config.json": WAN_21_VAE,
        },
        # Of the transformers no page was found: two of 14.29 billion numbers, 16-bit as in VAE and text encoder.
        {"transformer": 57.16e9, "text_encoder": 11.36e9, "vae": 254e6},
    ),
}
"""By the preset's name."""
