"""One worker for each suitable GPU, each with its own GPU and share; otherwise one worker, as it always was."""

from pathlib import Path

import pytest
from fanslymotion.errors import BadInput
from fanslymotion.pipeline.hardware import container, devices
from fanslymotion.pipeline.hardware.gpus import GpuWatch, visible
from fanslymotion.pipeline.hardware.torch_build import TorchBuild
from fanslymotion.queue.liveness.worker_slots import NO_GPU, WorkerSlot, worker_slots
from fanslymotion.settings import Settings
from fanslymotion.tests.nvml import GIB, Nvml

CUDA, CPU = TorchBuild("2.10", (12, 6)), TorchBuild("2.10")
ONE = (WorkerSlot(),)


@pytest.fixture
def gpus(tmp_path: Path):
    """The GPUs that workers get, by their numbers."""

    def chosen(wanted: str = "all", *totals: float, build: TorchBuild = CUDA, **environ: str) -> tuple[str, ...]:
        lib = Nvml(totals=[int(total * GIB) for total in totals], fastest=1) if totals else Nvml(broken=True)
        return tuple(slot.gpu for slot in worker_slots(wanted, GpuWatch(lib, tmp_path), build, environ))

    return chosen


ANY = ("",)


@pytest.mark.parametrize(
    ("wanted", "totals", "environ", "expected"),
    [
        ("all", (24, 12), {}, ("GPU-1", "GPU-0")),
        ("all", (24, 2, 3.99), {}, ("GPU-0", "GPU-2")),
        ("all", (2, 24), {}, ("GPU-1",)),
        ("all", (24,), {}, ANY),
        ("all", (2, 2), {}, ANY),
        ("all", (24, 12, 12), {"CUDA_VISIBLE_DEVICES": "GPU-2"}, ANY),
        ("all", (24, 12, 12), {"CUDA_VISIBLE_DEVICES": "0,2"}, ("GPU-1", "GPU-2")),
        ("all", (24, 12, 12), {"CUDA_VISIBLE_DEVICES": "-1"}, ANY),
        ("all", (24, 12, 12), {"CUDA_VISIBLE_DEVICES": "MIG-1"}, ANY),
        ("all", (), {}, ANY),
        ("0", (), {}, ANY),
        ("0,2", (24, 12, 12), {}, ("GPU-0", "GPU-2")),
        ("GPU-2", (24, 12, 12), {}, ("GPU-2",)),
        ("1,GPU-1", (24, 2), {}, ("GPU-1",)),
        ("0", (24,), {}, ANY),
        ("none", (24, 12), {}, (NO_GPU,)),
        ("none", (), {}, (NO_GPU,)),
    ],
)
def test_which_gpus_get_a_worker(gpus, wanted: str, totals, environ: dict[str, str], expected: tuple[str, ...]) -> None:
    assert gpus(wanted, *totals, **environ) == expected


def test_a_torch_that_cannot_use_them_gets_one_worker(gpus) -> None:
    assert gpus("all", 24, 24, build=CPU) == ANY


def test_a_gpu_that_is_not_here_is_refused_with_those_that_are(gpus) -> None:
    with pytest.raises(BadInput, match=r"names '5', but this machine has 0 \(NVIDIA GeForce RTX 3060, GPU-0\), 1 "):
        gpus("0,5", 24, 12)


def test_a_worker_sees_its_gpu_alone_and_takes_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "cpus", lambda: 8)
    monkeypatch.setattr(container.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(container.psutil, "cpu_count", lambda: 8)
    environ = WorkerSlot("GPU-1", "GPU 1: card", 3).environ({})
    assert environ == {
        "CUDA_VISIBLE_DEVICES": "GPU-1",
        "OMP_NUM_THREADS": "2",
        "OPENCV_FOR_THREADS_NUM": "2",
        container.SHARERS: "3",
    }
    assert WorkerSlot("GPU-1", "", 3).environ({"OMP_NUM_THREADS": "7"})["CUDA_VISIBLE_DEVICES"] == "GPU-1"
    assert "OMP_NUM_THREADS" not in WorkerSlot("GPU-1", "", 3).environ({"OMP_NUM_THREADS": "7"})
    assert WorkerSlot().environ({}) == {}
    assert WorkerSlot(NO_GPU).environ({})["CUDA_VISIBLE_DEVICES"] == "-1"


def test_a_share_of_the_machine_is_what_a_worker_plans_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(container.SHARERS, raising=False)
    monkeypatch.setattr(container, "cpus", lambda: 8)
    monkeypatch.setattr(container, "memory", lambda: container.Memory(64 * GIB, 50 * GIB))
    watch = GpuWatch(Nvml(broken=True), tmp_path)
    whole = devices.machine(watch, build=CPU)
    monkeypatch.setenv(container.SHARERS, "4")
    share = devices.machine(watch, build=CPU)
    assert (share.cores, share.ram_total, share.ram_free) == (2, 16 * GIB, 16 * GIB)
    assert share.cpu_speed == pytest.approx(whole.cpu_speed / 4)
    monkeypatch.setattr(container, "memory", lambda: container.Memory(64 * GIB, 5 * GIB))
    assert devices.machine(watch, build=CPU).ram_free == 5 * GIB, "what is not free is in nobody's share"


def test_a_worker_measures_the_gpu_that_it_sees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = GpuWatch(Nvml(totals=[24 * GIB, 12 * GIB], fastest=1), tmp_path)
    for environ, index in (("GPU-0", 0), ("GPU-1", 1), ("0", 1)):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", environ)
        sample = watch.sample()
        assert sample is not None
        assert sample.index == index
    for hidden in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert watch.sample() is None
        assert devices.machine(watch, build=CUDA).device == "cpu"


def test_cuda_stops_at_the_first_unknown_entry(tmp_path: Path) -> None:
    samples = GpuWatch(Nvml(totals=[GIB] * 3), tmp_path).samples()
    assert [one.index for one in visible(samples, {"CUDA_VISIBLE_DEVICES": "2,9,1"})] == [2]
    assert [one.index for one in visible(samples, {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"})] == [0, 1, 2]


@pytest.mark.parametrize("text", ["all", "none", "0", "0,1", "GPU-1a2b,0", " 0 , 1 "])
def test_what_the_setting_may_be(text: str) -> None:
    settings = Settings.from_env({"FANSLYMOTION_GPUS": text})
    assert settings.gpus == text.replace(" ", "")
    assert Settings.from_env(settings.environ({})) == settings


@pytest.mark.parametrize("text", ["some", "0,all", "-1", "0,,1", "MIG-1", "cuda:0"])
def test_what_it_may_not_be(text: str) -> None:
    with pytest.raises(BadInput, match=r"FANSLYMOTION_GPUS is .* must be all, none, or numbers or UUIDs"):
        Settings.from_env({"FANSLYMOTION_GPUS": text})
