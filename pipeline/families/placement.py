"""Define where and how a model computes: device, dtype, offload."""

from dataclasses import dataclass

import torch

from .plan import MemoryPlan, Offload


@dataclass(frozen=True)
class Placement:
    """Where and how a model computes.

    Attributes:
        device: The computing device.
        dtype: Of weights and activations.
        offload: Where the weights wait while they are not needed.
        decoder: Dtype of the VAE's decoder; None = `dtype`.
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
        """Return the placement of a plan."""
        dtype, decoder = getattr(torch, plan.dtype), getattr(torch, plan.decoder_dtype)
        return cls(torch.device(plan.device), dtype, plan.offload, decoder)


def _name(dtype: torch.dtype | None) -> str:
    return str(dtype).removeprefix("torch.")


def choose_placement() -> Placement:
    """Return a default placement: CUDA in fp16, else the CPU in fp32."""
    if torch.cuda.is_available():
        return Placement(torch.device("cuda"), torch.float16)
    return Placement(torch.device("cpu"), torch.float32)
