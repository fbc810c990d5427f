"""Return the speed of a device with a model: the same for all families. Without torch."""

from ...hardware.units import GIB
from ..plan import MemoryPlan, Offload

DECODE_SPEED = {"cpu": 1.5, "cuda": 0.26}
"""How much nearer to its peak the device gets in the decoder's convolutions: 2.5 s a frame beside 20 s a step on two
cores, 0.098 s a frame beside 0.65 s a step on an H100; 9 s of 50.9 on an A800 (onediff #436) say the same. Measured
with Stable Video Diffusion."""
STARTING = {"cpu": 1.2, "cuda": 9.0}
"""Seconds to import the libraries, CUDA's among them, before the weights are read. 1.4 CPU seconds with `mini`'s
weights; torch itself comes with the worker's start (`forecast.WORKER_START`)."""
READING = {"cpu": 400 * 2**20, "cuda": GIB}
"""Bytes of weights read a second. On an H100 2 GiB from RAM; a machine with a GPU is taken to have a fast disk."""
LAUNCH = 0.02
"""Seconds of a pass on a GPU, however small: its kernels are started one by one (`mini` on an H100)."""
SMALL_SPEED = 0.2
"""What a small model reaches of a large one's operations a second: its narrow layers wait for memory. Measured with
`mini` on two cores: 0.2 s a pass of 14 frames, 0.45 s a decoded frame."""
SLOWER = {Offload.NONE: 1.0, Offload.MODEL: 1.01, Offload.GROUP: 1.35, Offload.SEQUENTIAL: 1.45}
"""Time of a step: 0.836 and 0.890 s beside 0.622 s of the same two passes on an H200 (bench/RESULTS.md). Slower cards
hide more of the copying."""
PINNED = 1.3
"""RAM for weights in page-locked memory: CUDA rounds each up to a power of two (3.66 for 2.84 GiB)."""


def number_bytes(dtype: str) -> int:
    """Return the bytes per number of a dtype."""
    return 4 if dtype == "float32" else 2


def operations_a_second(now: MemoryPlan) -> float:
    """Return the operations per second that the plan's model reaches on its device."""
    machine = now.machine
    speed = machine.gpu_speed if now.device != "cpu" else machine.cpu_speed
    if now.device == "cpu" and now.dtype == "float32" and machine.cpu_bf16:
        speed *= 0.45  # 44 s against 20 s a step
    if now.device != "cpu" and now.dtype == "float32":
        speed *= 0.5  # twice the bytes; what a card really reaches is measured with its first video (measurements.py)
    if not now.model.large:
        speed *= SMALL_SPEED
    return max(speed, 0.01) * 1e12
