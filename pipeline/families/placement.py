"""Choose where and how a model computes."""

from dataclasses import dataclass

import torch

from .plan import MemoryPlan, Offload


@dataclass(frozen=True)
class Placement:
    """Where and how the model computes.

    Attributes:
        device: That computes.
        dtype: Of the weights and activations.
        offload: Where the weights wait while they are not needed.
        decoder: Of the VAE's decoder; `dtype` when None.
    """

    device: torch.device
    dtype: torch.dtype
    offload: Offload = Offload.NONE
    decoder: torch.dtype | None = None

    def __str__(self) -> str:
        text = f"{self.device}, {_name(self.dtype)}"
        if self.decoder not in (None, self.dtype):
            text += f", decoder {_name(self.decoder)}"
        return text if self.offload is Offload.NONE else f"{text}, {self.offload} offload"

    @classmethod
    def of(cls, plan: MemoryPlan) -> "Placement":
        """Make the placement that a plan names."""
        dtype, decoder = getattr(torch, plan.dtype), getattr(torch, plan.decoder_dtype)
        return cls(torch.device(plan.device), dtype, plan.offload, decoder)


def _name(dtype: torch.dtype | None) -> str:
    return str(dtype).removeprefix("torch.")


def choose_placement() -> Placement:
    """Choose without a plan: CUDA in fp16 (what the weights were made for), otherwise the CPU in fp32."""
    if torch.cuda.is_available():
        return Placement(torch.device("cuda"), torch.float16)
    return Placement(torch.device("cpu"), torch.float32)
