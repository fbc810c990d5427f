"""What the machine has, asked of an NVML that behaves like the real one, and of a machine without any."""

import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest
from fanslymotion.pipeline.families.svd.model_size import FULL, model_size, parameters
from fanslymotion.pipeline.hardware import cpu as processor
from fanslymotion.pipeline.hardware.cpu import _has_bf16
from fanslymotion.pipeline.hardware.devices import Cuda, gpu_speed, machine, usable
from fanslymotion.pipeline.hardware.gpus import GpuProcess, Gpus, GpuSample, GpuWatch, chosen, others
from fanslymotion.pipeline.hardware.torch_build import TorchBuild, read_build, torch_build
from fanslymotion.pipeline.hardware.units import GIB
from fanslymotion.tests.nvml import Nvml

CUDA = TorchBuild("2.13.0", (12, 6))


def test_an_nvidia_card_is_described(tmp_path):
    gpus = GpuWatch(Nvml(), tmp_path).describe()
    assert gpus.kind == "nvidia"
    assert gpus.names == ("NVIDIA GeForce RTX 3060",)
    assert (gpus.driver, gpus.cuda, gpus.capability) == ("560.94", (12, 6), 8.6)


def test_a_sample_answers_even_when_the_card_does_not_tell_everything(tmp_path):
    me = psutil.Process()
    sample = GpuWatch(Nvml(processes=[(me.pid, GIB), (2**22 + 1, 3 * GIB)]), tmp_path, now=lambda: 5.0).sample()
    assert sample is not None
    assert (sample.time, sample.load, sample.temperature) == (5.0, 7.0, None)
    assert sample.memory_free == 10 * GIB
    assert sample.processes[0] == GpuProcess(2**22 + 1, f"process {2**22 + 1}", 3 * GIB)
    assert others(sample, frozenset({me.pid})) == sample.processes[:1]


def test_the_workers_own_warm_model_counts_as_free(tmp_path):
    watch = GpuWatch(Nvml(used=6 * GIB, processes=[(4242, 5 * GIB)]), tmp_path)
    assert machine(watch, build=CUDA).vram_free == 6 * GIB
    assert machine(watch, build=CUDA, own=frozenset({4242})).vram_free == 11 * GIB


def test_a_warm_model_counts_as_free_where_the_driver_does_not_tell(tmp_path):
    """Windows says 0 for each process, and a container's process has another number outside."""
    watch = GpuWatch(Nvml(used=11 * GIB, processes=[(4242, None)]), tmp_path)
    own = frozenset({4242})
    assert machine(watch, build=CUDA, own=own).vram_free == GIB
    assert machine(watch, build=CUDA, own=own, held=9 * GIB).vram_free == 10 * GIB, "as its worker says"
    assert machine(watch, build=CUDA, own=own, cuda=Cuda(True, GIB, 9 * GIB)).vram_free == 10 * GIB


def test_torch_has_the_last_word(tmp_path, monkeypatch):
    watch = GpuWatch(Nvml(), tmp_path)
    assert machine(watch, build=CUDA, cuda=Cuda(False)).device == "cpu", "the job runs, if slowly"

    def broken():
        raise RuntimeError("CUDA unknown error - this may be due to an incorrectly set up environment")

    fake = SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: True, mem_get_info=broken))
    monkeypatch.setitem(sys.modules, "torch", fake)
    assert Cuda.here() == Cuda(False)
    properties = SimpleNamespace(uuid="abc")
    fake.cuda.mem_get_info = lambda: (3 * GIB, 12 * GIB)
    fake.cuda.memory_reserved = lambda: 5 * GIB
    fake.cuda.get_device_properties = lambda index: properties
    assert Cuda.here() == Cuda(True, 3 * GIB, 5 * GIB + GIB // 2, "GPU-abc")
    monkeypatch.delitem(sys.modules, "torch")
    assert Cuda.here() is None


CARDS = [
    GpuSample(0.0, i, name, None, 0, GIB, None, uuid=uuid, speed=speed)
    for i, (name, uuid, speed) in enumerate(
        [("slow", "GPU-aa", 1.0), ("fast", "GPU-bb", 3.0), ("middle", "GPU-cc", 2.0)]
    )
]


@pytest.mark.parametrize(
    ("card", "environ", "name"),
    [
        ("", {}, "fast"),
        ("", {"CUDA_VISIBLE_DEVICES": "1"}, "middle"),
        ("", {"CUDA_VISIBLE_DEVICES": "1,0", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, "fast"),
        ("", {"CUDA_VISIBLE_DEVICES": "0", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, "slow"),
        ("", {"CUDA_VISIBLE_DEVICES": "GPU-c"}, "middle"),
        ("", {"CUDA_VISIBLE_DEVICES": "9"}, "fast"),
        ("GPU-aa", {"CUDA_VISIBLE_DEVICES": "1"}, "slow"),
    ],
)
def test_the_drivers_first_card_is_not_torchs(card, environ, name):
    assert chosen(CARDS, card, environ).name == name


@pytest.mark.parametrize(
    ("processor", "has"),
    [
        ("AMD64 Family 25 Model 97 Stepping 2, AuthenticAMD", True),
        ("Intel64 Family 6 Model 143 Stepping 8, GenuineIntel", True),
        ("Intel64 Family 6 Model 85 Stepping 7, GenuineIntel", False),
        ("", False),
    ],
)
def test_bf16_by_the_processors_name(processor, has):
    assert _has_bf16(processor) is has


@pytest.mark.parametrize(
    ("build", "cuda", "works"),
    [(CUDA, 12060, True), (CUDA, 13000, True), (CUDA, 11080, False), (TorchBuild("2.13.0+cpu"), 12060, False)],
)
def test_a_card_counts_only_when_torch_can_use_it(tmp_path, build, cuda, works):
    watch = GpuWatch(Nvml(cuda=cuda), tmp_path)
    assert usable(watch.describe(), build) is works
    assert machine(watch, build=build).device == ("cuda" if works else "cpu")


def test_a_broken_driver_is_a_note_and_no_error(tmp_path):
    watch = GpuWatch(Nvml(broken=True), tmp_path)
    assert watch.samples() == []
    assert "Driver/library version mismatch" in watch.describe().note
    assert machine(watch, build=CUDA).device == "cpu"


def test_a_card_that_falls_off_the_bus_is_a_note(tmp_path):
    lib = Nvml()
    watch = GpuWatch(lib, tmp_path)
    assert watch.sample() is not None

    def lost():
        raise RuntimeError("GPU is lost")

    lib.nvmlDeviceGetCount = lost
    assert watch.sample() is None
    assert "GPU is lost" in watch.describe().note


def test_an_amd_card_is_watched_through_sysfs(tmp_path):
    device = tmp_path / "card0" / "device"
    (device / "hwmon" / "hwmon3").mkdir(parents=True)
    values = {"mem_info_vram_total": 16 * GIB, "mem_info_vram_used": 3 * GIB, "gpu_busy_percent": 55}
    for name, value in values.items():
        (device / name).write_text(f"{value}\n", encoding="utf-8")
    (device / "product_name").write_text("Radeon RX 7800 XT\n", encoding="utf-8")
    (device / "hwmon" / "hwmon3" / "temp1_input").write_text("61000\n", encoding="utf-8")
    watch = GpuWatch(Nvml(broken=True), tmp_path)
    assert watch.describe() == Gpus("amd", ("Radeon RX 7800 XT",))
    sample = watch.sample()
    assert sample is not None
    assert (sample.load, sample.temperature, sample.memory_free) == (55.0, 61.0, 13 * GIB)
    assert machine(watch, build=TorchBuild("2.13.0", hip=True)).vram_total == 16 * GIB
    assert machine(watch, build=CUDA).device == "cpu"


def test_this_machine_is_described_without_torch():
    code = (
        "import sys; from fanslymotion.pipeline.hardware.devices import machine;"
        "from fanslymotion.pipeline.hardware import oom; from fanslymotion.pipeline.memory import planner as memory;"
        "m = machine(); assert m.ram_total > 0 and m.cores >= 1 and m.cpu_speed > 0;"
        "assert 'torch' not in sys.modules and 'diffusers' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_measured_speeds_stand_beside_the_guess(tmp_path):
    """Formulas count with the guess; a measurement corrects what they say, once."""
    from fanslymotion.pipeline.hardware.machine import speed_key

    watch = GpuWatch(Nvml(broken=True), tmp_path)
    found = machine(watch, speeds={speed_key("cpu", "", True): 9.5, speed_key("cpu", "", False): 3.5})
    assert found.reached == {"cpu": 9.5}
    assert found.cpu_speed == machine(watch).cpu_speed


def test_expected_speeds_are_those_published():
    a100 = Gpus("nvidia", capability=8.0, cores=6912, clock_mhz=1410)
    assert gpu_speed(a100) == pytest.approx(78, rel=0.05)  # 25 steps of 160 TFLOP in 51 s
    assert gpu_speed(Gpus("nvidia")) == 5.0


def test_the_build_of_torch_is_read_without_importing_it(tmp_path):
    import torch

    found = torch_build()
    assert found.version == torch.__version__
    assert (found.cuda is None) == (torch.version.cuda is None)
    version = tmp_path / "version.py"
    version.write_text(
        "from typing import Optional\n__version__ = '2.13.0+cu126'\ncuda: Optional[str] = '12.6'\nhip = None\n",
        encoding="utf-8",
    )
    assert read_build(version) == TorchBuild("2.13.0+cu126", (12, 6), False)
    assert read_build(tmp_path / "absent.py", "1") == TorchBuild("1")


def test_a_models_size_is_read_from_its_headers(tmp_path):
    import torch
    from safetensors.torch import save_file

    (tmp_path / "unet").mkdir()
    save_file({"a": torch.zeros(3, 5), "b": torch.zeros(7)}, tmp_path / "unet" / "x.safetensors", metadata={"k": "v"})
    save_file({"a": torch.zeros(3, 5).half()}, tmp_path / "unet" / "x.fp16.safetensors")
    (tmp_path / "unet" / "config.json").write_text('{"block_out_channels": [64, 128]}', encoding="utf-8")
    assert parameters(tmp_path / "unet") == 15, "one variant counts, the one that is loaded"
    size = model_size(tmp_path, 256, 144, 14)
    assert (size.unet, size.channels, size.vae) == (15, 64, FULL.vae)
    assert model_size(tmp_path / "absent", 1024, 576, 25) == FULL


def test_a_damaged_weights_file_is_no_error_here(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"\xff" * 100)
    assert parameters(tmp_path) == 0


def test_windows_is_asked_in_its_own_way(monkeypatch):
    import ctypes

    kernel = SimpleNamespace(IsProcessorFeaturePresent=lambda feature: feature == 41)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel), raising=False)
    monkeypatch.setattr(processor.platform, "processor", lambda: "AMD64 Family 25 Model 97 Stepping 2, AuthenticAMD")
    monkeypatch.setitem(sys.modules, "torch", None)
    assert processor._windows_flags() == {"avx512f", "avx512_bf16"}
    monkeypatch.setitem(
        sys.modules, "torch", SimpleNamespace(cpu=SimpleNamespace(_is_avx512_bf16_supported=lambda: False))
    )
    assert processor._windows_flags() == {"avx512f"}


def test_a_mac_computes_in_32_bits(monkeypatch):
    """An M2 has bf16; its torch has not."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: SimpleNamespace(stdout="hw.optional.arm.FEAT_BF16: 1\n"))
    processor.cpu_flags.cache_clear()
    try:
        assert not processor.cpu_bf16()
        assert not processor.cpu_flags()
    finally:
        processor.cpu_flags.cache_clear()
