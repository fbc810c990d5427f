"""Build a random, untrained LTX-Video of the real architecture, in diffusers' folder format: for tests.

Its pictures are noise; its sizes, strides, files and code path are those of the real thing, in a second on a CPU.
"""

from pathlib import Path
from typing import Any

from ..flow.random_folder import WORDS, save
from ..weights.folders import build_once

WIDTH, HEIGHT, FRAMES = 64, 32, 161
"""Native size in pixels and most frames of a window."""

CHANNELS, TEXT_WIDTH = 8, 32

TRANSFORMER: dict[str, Any] = {
    "in_channels": CHANNELS,
    "out_channels": CHANNELS,
    "patch_size": 1,
    "patch_size_t": 1,
    "num_attention_heads": 4,
    "attention_head_dim": 8,
    "cross_attention_dim": 32,
    "num_layers": 2,
    "caption_channels": TEXT_WIDTH,
}
VAE: dict[str, Any] = {
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": CHANNELS,
    "block_out_channels": (8, 8, 8, 8),
    "decoder_block_out_channels": (8, 8, 8, 8),
    "layers_per_block": (1,) * 5,
    "decoder_layers_per_block": (1,) * 5,
    "spatio_temporal_scaling": (True, True, True, False),
    "decoder_spatio_temporal_scaling": (True, True, True, False),
    "decoder_inject_noise": (False,) * 5,
    "upsample_residual": (False,) * 4,
    "upsample_factor": (1, 1, 1, 1),
    "timestep_conditioning": True,
    "patch_size": 4,
    "patch_size_t": 1,
    "encoder_causal": True,
    "decoder_causal": False,
}


def build(folder: Path, *, seed: int = 0, **own: Any) -> Path:
    """Write the model to `folder` in one move, unless it is there. 0.2 M parameters, 0.9 MB.

    Args:
        folder: Where it goes; its parents are made.
        seed: Of the weights; the caller's random state stays as it is.
        own: Keys of its preset.

    Returns:
        `folder`.
    """
    return build_once(folder, lambda half: _write(half, seed, own))


def _write(folder: Path, seed: int, own: dict[str, Any]) -> None:
    import torch
    import transformers
    from diffusers.models.autoencoders.autoencoder_kl_ltx import AutoencoderKLLTXVideo
    from diffusers.models.transformers.transformer_ltx import LTXVideoTransformer3DModel
    from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        transformer, vae = LTXVideoTransformer3DModel(**TRANSFORMER), AutoencoderKLLTXVideo(**VAE)
        text = transformers.T5EncoderModel(
            transformers.T5Config(vocab_size=WORDS, d_model=TEXT_WIDTH, d_kv=8, d_ff=37, num_layers=2, num_heads=4)
        )
    scheduler = FlowMatchEulerDiscreteScheduler()
    parts = {"transformer": transformer, "vae": vae, "scheduler": scheduler, "text_encoder": text}
    index = {"_class_name": "LTXImageToVideoPipeline"}
    save(folder, parts, index, {"width": WIDTH, "height": HEIGHT, "frames": FRAMES, **own})
