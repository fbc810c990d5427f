"""Build a random, untrained Wan 2.2 I2V-A14B of the real architecture, in diffusers' folder format: for tests."""

from pathlib import Path
from typing import Any

from ..flow.random_folder import WORDS, save
from ..wan.folder import IMAGE_CHANNELS, STRIDE
from ..wan.random_model import TEXT_WIDTH
from ..wan.random_model import TRANSFORMER as WAN_TRANSFORMER
from ..weights.folders import build_once
from .folder import BOUNDARY, CHANNELS, SIDE

WIDTH, HEIGHT = 64, 64
"""Native size in pixels: small, for its VAE works on whole pixels."""

TRANSFORMER: dict[str, Any] = WAN_TRANSFORMER | {"in_channels": IMAGE_CHANNELS, "out_channels": CHANNELS}
VAE: dict[str, Any] = {
    "base_dim": 2,
    "z_dim": CHANNELS,
    "latents_mean": [0.05 * i for i in range(CHANNELS)],
    "latents_std": [0.5 + 0.05 * i for i in range(CHANNELS)],
    "dim_mult": [1, 1, 1, 1],
    "num_res_blocks": 1,
    "temperal_downsample": [False, True, True],
    "scale_factor_spatial": SIDE,
    "scale_factor_temporal": STRIDE,
}


def build(folder: Path, *, seed: int = 0, **own: Any) -> Path:
    """Write the model to `folder` in one move, unless it is there. 0.1 M parameters, 0.5 MB.

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
    from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan
    from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
    from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        first, second = (WanTransformer3DModel(**TRANSFORMER) for _ in range(2))
        vae = AutoencoderKLWan(**VAE)
        text = transformers.UMT5EncoderModel(
            transformers.UMT5Config(vocab_size=WORDS, d_model=TEXT_WIDTH, d_kv=8, d_ff=37, num_layers=2, num_heads=4)
        )
    scheduler = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=5.0)
    parts = {"transformer": first, "transformer_2": second, "vae": vae, "scheduler": scheduler, "text_encoder": text}
    index = {"_class_name": "WanImageToVideoPipeline", "boundary_ratio": BOUNDARY}
    save(folder, parts, index, {"width": WIDTH, "height": HEIGHT, **own})
