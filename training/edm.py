"""The training objective, in exactly the terms SVD's sampler uses (EDM, arXiv 2206.00364; SVD, arXiv 2311.15127).

Symbols: z clean scaled latents, n unit noise, σ noise level, x = z + σ n, F the UNet's output. As
`EulerDiscreteScheduler` with `prediction_type="v_prediction"` and `timestep_type="continuous"` has it:

    F is given x / √(σ² + 1) and the timestep 0.25 ln σ;        ẑ = x / (σ² + 1) − F σ / √(σ² + 1)

so the target for F is (x / (σ² + 1) − z) √(σ² + 1) / σ, which has unit scale at every σ: its plain mean square is EDM's
weighted loss.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class NoiseConfig:
    """ln σ ~ N(mean, spread). Video needs more noise than pictures: the motion is decided at σ of about 1 to 30."""

    mean: float = 1.0
    spread: float = 1.6


SCHEDULER = {  # the published SVD scheduler's settings
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "interpolation_type": "linear",
    "prediction_type": "v_prediction",
    "timestep_type": "continuous",
    "timestep_spacing": "leading",
    "steps_offset": 1,
    "use_karras_sigmas": True,
    "sigma_min": 0.002,
    "sigma_max": 700.0,
}


def draw_sigmas(count: int, config: NoiseConfig) -> torch.Tensor:
    """(count, 1, 1, 1, 1). Stratified, so that every batch holds strong and weak noise and the loss is less noisy."""
    places = (torch.randperm(count) + torch.rand(count)) / count
    normal = 2**0.5 * torch.erfinv((2 * places - 1).clamp(-0.9999, 0.9999))
    return (config.mean + config.spread * normal).exp()[:, None, None, None, None]


def unet_input(noisy: torch.Tensor, sigma: torch.Tensor, conditioning: torch.Tensor) -> torch.Tensor:
    """(B, T, 8, H, W): the scaled noisy latents with the conditioning latents (B, 4, H, W) behind every frame."""
    repeated = conditioning[:, None].expand(-1, noisy.shape[1], -1, -1, -1)
    return torch.cat([noisy / (sigma**2 + 1).sqrt(), repeated], dim=2)


def target(clean: torch.Tensor, noisy: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """What F should be, (B, T, 4, H, W)."""
    return (noisy / (sigma**2 + 1) - clean) * (sigma**2 + 1).sqrt() / sigma


def denoised(output: torch.Tensor, noisy: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """ẑ, the clean latents that an output F stands for."""
    return noisy / (sigma**2 + 1) - output * sigma / (sigma**2 + 1).sqrt()
