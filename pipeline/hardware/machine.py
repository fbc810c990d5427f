"""Describe a machine for the memory planner, and define the keys of its measurements."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .measurements import Figure
from .units import GIB


@dataclass(frozen=True)
class Machine:
    """A machine, as the memory planner sees it.

    Attributes:
        device: `cuda` (also for ROCm) if torch can use a GPU here, else `cpu`.
        name: Of the device.
        vram_total: Bytes.
        vram_free: Bytes that this process may use; the model that it caches counts as free.
        ram_total: Bytes.
        ram_free: As `vram_free`.
        gpu_speed: Expected speed of a model on the GPU, 10¹² operations per second, in 2-byte numbers if the device
            computes in them. The formulas' unit; measurements correct it (`families.forecast`).
        cpu_speed: As `gpu_speed`, for the CPU.
        cpu_bf16: The CPU multiplies bf16 natively.
        cpu_half: bf16 is usable (AVX-512). Without AVX-512 it is about 50 times slower than fp32.
        reserve: Bytes of VRAM left to other programs (desktop, browser).
        figures: Measurements of stages (`measurements.Record.figures`).
        reached: Speeds measured with models of this class, as `gpu_speed`, by device (`cuda` or `cpu`).
        loaded: Name of the model that a worker keeps loaded here, else "".
        host: Network name of the machine (`platform.node`); "" for this process's machine.
        compiles: Models can be compiled for `device` (`hardware.compiler`).
    """

    device: str = "cpu"
    name: str = ""
    vram_total: int = 0
    vram_free: int = 0
    ram_total: int = 8 * GIB
    ram_free: int = 6 * GIB
    cpu_bf16: bool = False
    cpu_half: bool = False
    cores: int = 2
    gpu_speed: float = 0.0
    cpu_speed: float = 0.16
    reserve: int = 4 * GIB // 10
    figures: Mapping[str, Figure] = field(default_factory=dict[str, Figure], compare=False, repr=False)
    reached: Mapping[str, float] = field(default_factory=dict[str, float], compare=False, repr=False)
    loaded: str = ""
    host: str = ""
    compiles: bool = False


def speed_key(device: str, name: str, large: bool, host: str = "") -> str:
    """Return the key of a measured speed. Small models reach another share of a device's peak than large ones."""
    return f"{device_key(device, name, host)}|{'large' if large else 'small'}"


def device_key(device: str, name: str, host: str = "") -> str:
    """Return the key of a device of this computer or of `host` (`Machine.host`). All CPUs have the same key."""
    return f"{host or platform.node()}|{name if device != 'cpu' else 'cpu'}"


def with_speeds(machine: Machine, speeds: Mapping[str, float], large: bool) -> Machine:
    """Return a machine with the speeds that were measured on it.

    Args:
        machine: The machine.
        speeds: `measurements.Record.speeds`.
        large: The model is of full size.
    """
    keys = {
        "cuda": speed_key("cuda", machine.name, large, machine.host),
        "cpu": speed_key("cpu", "", large, machine.host),
    }
    return replace(machine, reached={device: speeds[key] for device, key in keys.items() if key in speeds})
