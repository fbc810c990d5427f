"""Choose the build of torch for this machine."""

from collections.abc import Sequence
from dataclasses import dataclass

from .gpus import Gpu
from .machine import Machine

TORCH_WHEELS = "https://download.pytorch.org/whl/"
CUDA_13_DRIVER, CUDA_12_DRIVER = 580, 525  # oldest NVIDIA drivers; docs.nvidia.com/deploy/cuda-compatibility


@dataclass(frozen=True)
class TorchBuild:
    """A build of torch, and where it comes from.

    Attributes:
        suffix: `cpu`, `cu130`, … = that build from PyTorch's own index; "" = the package index's build.
        why: The reason for this choice, for people.
        optional: Whether the package index's build does as well when PyTorch's index cannot be reached (it is only
            larger).
    """

    suffix: str
    why: str
    optional: bool = False

    @property
    def index(self) -> str:
        """Address of PyTorch's own index of this build."""
        return TORCH_WHEELS + self.suffix


def choose_torch(machine: Machine, gpus: Sequence[Gpu], asked: str = "") -> TorchBuild:
    """Choose the build of torch for a machine.

    torch 2.13 comes for CUDA 13.0 (Turing and newer) and 12.6 (Maxwell to Hopper): pytorch/pytorch RELEASE.md.

    Args:
        machine: Its system and processor.
        gpus: Its NVIDIA GPUs; the one of the highest compute capability decides.
        asked: FANSLYMOTION_TORCH (`cpu`, `cu126`, `cu130`, `pypi`, …); "" lets the machine decide.
    """
    if asked:
        return TorchBuild("" if asked == "pypi" else asked, f"FANSLYMOTION_TORCH={asked}")
    if machine.system == "Darwin":
        return TorchBuild("", "the build for Apple silicon")
    if machine.arch not in ("x86_64", "amd64"):
        return TorchBuild("", f"the build for {machine.arch}")
    if not gpus:  # on Windows the package index has the CPU build, on Linux 3 GB of CUDA libraries for nobody
        linux = machine.system == "Linux"
        return TorchBuild("cpu" if linux else "", "the CPU build: no NVIDIA GPU was found", optional=linux)
    gpu = max(gpus, key=lambda g: g.capability)
    name = f"NVIDIA GPU of compute capability {gpu.capability[0]}.{gpu.capability[1]}, driver {gpu.driver}"
    if gpu.capability >= (7, 5) and gpu.driver >= CUDA_13_DRIVER:
        return TorchBuild("cu130", f"CUDA 13.0 for the {name}")
    if gpu.capability >= (10, 0):
        update = f"update the NVIDIA driver to {CUDA_13_DRIVER} or newer, or the GPU will not be used"
        return TorchBuild("cu130", f"CUDA 13.0 for the {name}; {update}")
    if gpu.driver >= CUDA_12_DRIVER:
        return TorchBuild("cu126", f"CUDA 12.6 for the {name}")
    update = f"update the NVIDIA driver to {CUDA_12_DRIVER} or newer and run the set-up again to use the GPU"
    return TorchBuild("cpu", f"the CPU build: the {name} is too old; {update}", optional=True)
