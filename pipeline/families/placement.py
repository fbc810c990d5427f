"""Choose where and how a model computes."""

from dataclasses import dataclass

import torch

from .base import MemoryPlan, Offload


@dataclass(frozen=True)
class Placement:
    """Where and how the model computes.

    Attributes:
        device: That computes.
        dtype: Of the weights and activations.
        offload: Where the weights wait while they are not needed.
    """

    device: torch.device
    dtype: torch.dtype
    offload: Offload = Offload.NONE

    def __str__(self) -> str:
        text = f"{self.device}, {str(self.dtype).removeprefix('torch.')}"
        return text if self.offload is Offload.NONE else f"{text}, {self.offload} offload"

    @classmethod
    def of(cls, plan: MemoryPlan) -> "Placement":
        """Make the placement that a plan names."""
        return cls(torch.device(plan.device), getattr(torch, plan.dtype), plan.offload)


def choose_placement() -> Placement:
    """Choose without a plan: CUDA in fp16 (what the weights were made for), otherwise the CPU in fp32."""
    if torch.cuda.is_available():
        return Placement(torch.device("cuda"), torch.float16)
    return Placement(torch.device("cpu"), torch.float32)
