"""An NVML that behaves like nvidia-ml-py's with cards of 12 GB. `install` gives it to processes of their own."""

from pathlib import Path
from types import SimpleNamespace

GIB = 2**30


class Nvml:
    """The calls that are used.

    totals: bytes of each card. fastest: the number of the card that CUDA counts first.
    """

    NVML_TEMPERATURE_GPU = 0
    NVML_CLOCK_SM = 1

    def __init__(self, *, used=2 * GIB, load=7, processes=(), cuda=12060, broken=False, totals=(12 * GIB,), fastest=0):
        self.used, self.load, self.processes, self.cuda, self.broken = used, load, list(processes), cuda, broken
        self.totals, self.fastest = totals, fastest

    def nvmlInit(self):
        if self.broken:
            raise RuntimeError("Driver/library version mismatch")

    def nvmlDeviceGetCount(self):
        return len(self.totals)

    def nvmlDeviceGetHandleByIndex(self, index):
        return index

    def nvmlDeviceGetUUID(self, handle):
        return f"GPU-{handle}"

    def nvmlDeviceGetName(self, handle):
        return b"NVIDIA GeForce RTX 3060"

    def nvmlSystemGetDriverVersion(self):
        return "560.94"

    def nvmlSystemGetCudaDriverVersion(self):
        return self.cuda

    def nvmlDeviceGetCudaComputeCapability(self, handle):
        return (8, 6)

    def nvmlDeviceGetNumGpuCores(self, handle):
        return 3584 + (handle == self.fastest)

    def nvmlDeviceGetMaxClockInfo(self, handle, kind):
        return 1777

    def nvmlDeviceGetMemoryInfo(self, handle):
        total = self.totals[handle]
        return SimpleNamespace(used=self.used, total=total, free=total - self.used)

    def nvmlDeviceGetUtilizationRates(self, handle):
        return SimpleNamespace(gpu=self.load, memory=1)

    def nvmlDeviceGetTemperature(self, handle, sensor):
        raise RuntimeError("Not Supported")

    def nvmlDeviceGetComputeRunningProcesses(self, handle):
        return [SimpleNamespace(pid=pid, usedGpuMemory=memory) for pid, memory in self.processes]

    def nvmlDeviceGetGraphicsRunningProcesses(self, handle):
        return [SimpleNamespace(pid=pid, usedGpuMemory=None) for pid, memory in self.processes]


def install(folder: Path, load: float, idle_seconds: float) -> dict[str, str]:
    """Environment for a process that finds this card, at `load` per cent, and is told sooner that it idles."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pynvml.py").write_text(
        "import sys\nfrom fanslymotion.queue.worker import device_samples as watch\n"
        "from fanslymotion.tests.nvml import Nvml\n"
        f"watch.IDLE_SECONDS = {idle_seconds}\nsys.modules[__name__] = Nvml(load={load})\n",
        encoding="utf-8",
    )
    return {"PYTHONPATH": str(folder)}


def install_cards(folder: Path, count: int) -> dict[str, str]:
    """Environment for a process that finds so many cards, and a torch that could use them; it computes on the CPU."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pynvml.py").write_text(
        "import sys\nfrom fanslymotion.queue.liveness import worker_slots\n"
        "from fanslymotion.pipeline.hardware.torch_build import TorchBuild\n"
        "from fanslymotion.tests.nvml import GIB, Nvml\n"
        "worker_slots.torch_build = lambda: TorchBuild('2.10', (12, 6))\n"
        f"sys.modules[__name__] = Nvml(load=0, totals=[12 * GIB] * {count})\n",
        encoding="utf-8",
    )
    return {"PYTHONPATH": str(folder)}
