"""Draw a window's noise on the CPU, so that every device gets the same."""

import hashlib
from collections.abc import Sequence

import torch


def window_generator(seed: int, window: int) -> torch.Generator:
    """Return the random generator of a window (0-based).

    The first is seeded as in the stock pipeline; the others from a hash, so that no two seeds share one.
    """
    if window:
        seed = _hashed(f"{seed}/{window}")
    return torch.Generator("cpu").manual_seed(seed)


def step_generator(seed: int, window: int, step: int) -> torch.Generator:
    """Return the random generator of the noise that one step adds. It does not depend on earlier draws.

    Args:
        seed: The video's.
        window: 0-based.
        step: 0-based.
    """
    return torch.Generator("cpu").manual_seed(_hashed(f"{seed}/{window}/{step}"))


def draw(shape: Sequence[int], generator: torch.Generator, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Draw unit noise on the CPU and move it to the device."""
    return torch.randn(tuple(shape), generator=generator, dtype=dtype).to(device)


def purpose_generator(seed: int, purpose: str) -> torch.Generator:
    """Return a random generator for one purpose, unaffected by other draws. seed: the video's."""
    return torch.Generator("cpu").manual_seed(_hashed(f"{seed}/{purpose}"))


def _hashed(words: str) -> int:
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:7], "big")
