"""Build a random, untrained Wan 2.2 TI2V of the real architecture, in diffusers' folder format: for tests.

Its pictures are noise; its strides, channels, files and code path are those of the real thing, in a second on a CPU.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..flow.random_folder import WORDS, save
from ..weights.folders import build_once
from .folder import CHANNELS, SIDE, STRIDE

WIDTH, HEIGHT = 64, 32
"""Native size in pixels."""

TEXT_WIDTH = 32

TRANSFORMER: dict[str, Any] = {
    "patch_size": (1, 2, 2),
    "num_attention_heads": 2,
    "attention_head_dim": 12,
    "in_channels": CHANNELS,
    "out_channels": CHANNELS,
    "text_dim": TEXT_WIDTH,
    "freq_dim": 32,
    "ffn_dim": 32,
    "num_layers": 2,
    "cross_attn_norm": True,
    "qk_norm": "rms_norm_across_heads",
    "rope_max_seq_len": 64,
}
VAE: dict[str, Any] = {
    "base_dim": 4,
    "decoder_base_dim": 4,
    "z_dim": CHANNELS,
    "in_channels": 12,
    "out_channels": 12,
    "is_residual": True,
    "patch_size": 2,
    "latents_mean": [0.01 * i for i in range(CHANNELS)],
    "latents_std": [0.5 + 0.02 * i for i in range(CHANNELS)],
    "dim_mult": [1, 1, 1, 1],
    "num_res_blocks": 1,
    "scale_factor_spatial": SIDE,
    "scale_factor_temporal": STRIDE,
    "temperal_downsample": [False, True, True],
}


def build(folder: Path, *, seed: int = 0, **own: Any) -> Path:
    """Write the model to `folder` in one move, unless it is there. 0.1 M parameters, 0.4 MB.

    Args:
        folder: Where it goes; its parents are made.
        seed: Of the weights; the caller's random state stays as it is.
        own: Keys of its preset.

    Returns:
        `folder`.
    """
    index = {"_class_name": "WanImageToVideoPipeline", "expand_timesteps": True}
    own = {"width": WIDTH, "height": HEIGHT, **own}
    return build_once(folder, lambda half: write(half, seed, {"transformer": TRANSFORMER}, VAE, index, own))


def write(
    folder: Path,
    seed: int,
    denoisers: Mapping[str, Mapping[str, Any]],
    vae: Mapping[str, Any],
    index: Mapping[str, Any],
    own: Mapping[str, Any],
) -> None:
    """Write one of Wan's models.

    Args:
        folder: Is there, and empty.
        seed: See `build`.
        denoisers: Configurations, by the components' names.
        vae: Configuration of the VAE.
        index: Of `model_index.json`.
        own: Keys of its preset.
    """
    import torch
    import transformers
    from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan
    from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
    from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        parts: dict[str, Any] = {name: WanTransformer3DModel(**config) for name, config in denoisers.items()}
        parts["vae"] = AutoencoderKLWan(**vae)
        parts["text_encoder"] = transformers.UMT5EncoderModel(
            transformers.UMT5Config(vocab_size=WORDS, d_model=TEXT_WIDTH, d_kv=8, d_ff=37, num_layers=2, num_heads=4)
        )
    parts["scheduler"] = UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=5.0
    )
    save(folder, parts, index, own)
