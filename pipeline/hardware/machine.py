"""Describe what a machine has to compute with, for the memory planner, and name the keys of its measurements."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .measurements import Figure
from .units import GIB


@dataclass(frozen=True)
class Machine:
    """What a machine has to compute with.

    Attributes:
        device: `cuda` (also for ROCm) if torch can use a GPU here, else `cpu`.
        name: of the device.
        vram_total: bytes.
        vram_free: bytes that this process may use; its own cached model counts as free.
        ram_total: bytes.
        ram_free: as `vram_free`.
        gpu_speed: 10¹² operations a second that a model is expected to reach, in 2-byte numbers if the device computes
            in them. Formulas count with it; what is measured corrects them (`families.forecast`).
        cpu_speed: as `gpu_speed`.
        cpu_bf16: the CPU multiplies bf16 numbers itself.
        cpu_half: bf16 is usable (AVX-512). Without AVX-512 it is about 50 times slower than fp32.
        reserve: bytes of VRAM left to the system (a screen, a browser).
        figures: what stages took here (`measurements.Record.figures`).
        reached: as `gpu_speed`, measured with models of this class; by device, `cuda` or `cpu`.
        loaded: name of the model that a worker keeps loaded here, else "".
        host: network name of the machine, as `platform.node` gives it; "" for the one of this process.
        compiles: models can be compiled for `device` (`hardware.compiler`).
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
    """Return the key of a measured speed. Small models reach another share of a device's speed than full-size ones."""
    return f"{device_key(device, name, host)}|{'large' if large else 'small'}"


def device_key(device: str, name: str, host: str = "") -> str:
    """Return the key of a device of this computer, or of `host` (`Machine.host`). All CPUs have the same key."""
    return f"{host or platform.node()}|{name if device != 'cpu' else 'cpu'}"


def with_speeds(machine: Machine, speeds: Mapping[str, float], large: bool) -> Machine:
    """Add the speeds that were measured on a machine.

    Args:
        machine: the machine.
        speeds: `measurements.Record.speeds`.
        large: the model is of full size.
    """
    keys = {
        "cuda": speed_key("cuda", machine.name, large, machine.host),
        "cpu": speed_key("cpu", "", large, machine.host),
    }
    return replace(machine, reached={device: speeds[key] for device, key in keys.items() if key in speeds})
