"""Out of memory at every place and rung: the job ends done, with the right size and length, and harms no other."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fanslymotion.errors import RenderError
from fanslymotion.pipeline import conditioning, decode, renderer
from fanslymotion.pipeline.estimate import GIB, Offload
from fanslymotion.pipeline.memory import Machine
from fanslymotion.pipeline.metadata import probe
from fanslymotion.pipeline.renderer import Placement, RendererCache
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets import Presets, load_presets
from fanslymotion.settings import Settings

CPU = Machine(cores=2, ram_total=64 * GIB, ram_free=60 * GIB)
GPU = replace(CPU, device="cuda", name="a large GPU", vram_total=24 * GIB, vram_free=23 * GIB, gpu_speed=20.0)

ERRORS = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    MemoryError(),
)


@pytest.fixture
def presets(presets: Presets, settings: Settings, tiny_model: Path) -> Presets:
    """With the tiny model once more, as one that is drawn with guidance: then every rung exists."""
    (settings.presets_dir / "models" / "guided.toml").write_text(
        f"label = 'guided'\nsource = 'folder'\nfolder = {json.dumps(str(tiny_model))}\n"
        "width = 128\nheight = 72\nframes = 14\n[sampling]\nmin_guidance = 1.0\nmax_guidance = 3.0\n"
    )
    return load_presets(settings)


@pytest.fixture
def guided(fast: VideoRequest) -> VideoRequest:
    return replace(fast, model="guided")


@pytest.fixture
def pretend_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The GPU's rungs with their real hooks, computed on the CPU."""

    def of(plan: Any) -> Placement:
        return Placement(torch.device("cpu"), torch.float32, plan.offload)

    monkeypatch.setattr(Placement, "of", staticmethod(of))


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, place: str, times: int) -> Iterator[list[int]]:
    """The first `times` calls at the place find no memory; the list's only number counts them down."""
    left = [times]

    def guard(real: Callable) -> Callable:
        def call(*args: Any, **options: Any) -> Any:
            if left[0] > 0:
                left[0] -= 1
                raise ERRORS[left[0] % len(ERRORS)]
            return real(*args, **options)

        return call

    where, name = {
        "load": (renderer, "_part"),
        "encode": (conditioning, "encode"),
        "decode": (decode, "decode_frames"),
        "step": (torch.nn.Module, ""),
    }[place]
    with monkeypatch.context() as patch:
        if place == "step":
            from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel as Unet

            patch.setattr(Unet, "forward", guard(Unet.forward))
        else:
            patch.setattr(where, name, guard(getattr(where, name)))
        yield left


def check(result: Any) -> None:
    info = probe(result.path)
    assert (info.width, info.height, info.frames) == (128, 72, 24)


@pytest.mark.parametrize("place", ["load", "encode", "step", "decode"])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_on_a_cpu(run: Callable, guided, monkeypatch, caplog, place: str, times: int) -> None:
    rungs = {"load": 1, "encode": 2, "step": 4, "decode": 5}[place]
    cache = RendererCache()
    with failing(monkeypatch, place, min(times, rungs)) as left:
        result = run(guided, renderers=cache, machine=CPU)
    assert left == [0]
    check(result)
    warned = [w for w in result.warnings if w.startswith("Out of memory")]
    assert len(warned) == min(times, rungs)
    assert all(f"{w}" in caplog.text for w in warned)
    again = run(replace(guided, seed=5), renderers=cache, machine=CPU)
    check(again)


@pytest.mark.parametrize(("place", "rungs"), [("load", 3), ("encode", 5), ("step", 6), ("decode", 6)])
def test_every_rung_of_a_gpu(run: Callable, guided, pretend_gpu, monkeypatch, place: str, rungs: int) -> None:
    """Down to the last rung that is still on the GPU, with the real offload hooks."""
    cache, measures = RendererCache(), {}
    with failing(monkeypatch, place, rungs) as left:
        result = run(guided, renderers=cache, machine=GPU, measures=measures)
    assert left == [0]
    check(result)
    assert len(result.warnings) == rungs
    check(run(replace(guided, seed=5), renderers=cache, machine=GPU))


def test_the_rungs_come_in_their_order(run: Callable, guided, pretend_gpu, monkeypatch) -> None:
    with failing(monkeypatch, "step", 6):
        result = run(guided, renderers=RendererCache(), machine=GPU)
    changes = [w.split("going on with: ")[1] for w in result.warnings]
    assert changes[0].startswith("guidance in two passes")
    assert changes[1].startswith("forward chunking")
    assert [change.split()[0] for change in changes[2:5]] == ["model", "group", "sequential"]
    assert changes[5].startswith("sampling at")


def test_sampling_goes_on_from_its_checkpoint(run: Callable, guided, monkeypatch) -> None:
    """Frames that are drawn stay drawn: memory that runs out while decoding costs no step."""
    steps: list[int] = []
    with failing(monkeypatch, "decode", 1):
        run(
            guided,
            renderers=RendererCache(),
            machine=CPU,
            progress=lambda p: steps.append(p.step) if p.x0 is not None else None,
        )
    assert steps == list(range(1, 10))


@pytest.mark.parametrize("offload", [Offload.MODEL, Offload.GROUP, Offload.SEQUENTIAL])
def test_offload_gives_the_same_frames(run: Callable, guided, pretend_gpu, tmp_path, offload: Offload) -> None:
    plain, offloaded = {}, {}
    run(guided, renderers=RendererCache(), machine=CPU, measures=plain)
    work = tmp_path / "other"
    work.mkdir()
    rungs = {"device": "cuda", "dtype": "float16", "offload": str(offload), "width": 128, "height": 72, "window": 14}
    rungs |= {"guided": True, "two_pass": False, "chunked": False, "decode_chunk": 14}
    (work / "plan.json").write_text(json.dumps(rungs))
    run(guided, renderers=RendererCache(), machine=GPU, measures=offloaded, work=work)
    assert offloaded["plan"].offload is offload
    assert plain["frames_sha256"] == offloaded["frames_sha256"]


def test_what_worked_is_remembered(run: Callable, guided, monkeypatch, tmp_path) -> None:
    with failing(monkeypatch, "step", 2):
        run(guided, renderers=RendererCache(), machine=CPU)
    measures: dict[str, Any] = {}
    later = run(guided, renderers=RendererCache(), machine=CPU, measures=measures, work=tmp_path / "later")
    assert measures["plan"].two_pass
    assert measures["plan"].chunked
    assert not [w for w in later.warnings if "Out of memory" in w]


def test_a_job_taken_up_again_keeps_its_size(run: Callable, guided, monkeypatch, tmp_path) -> None:
    """Less memory was free when it began: its checkpoint must fit now that there is more."""

    class Stop(BaseException):
        pass

    def stop(moment: Any) -> None:
        if moment.window == 2:
            raise Stop

    with failing(monkeypatch, "step", 4), pytest.raises(Stop):
        run(guided, renderers=RendererCache(), machine=CPU, progress=stop)
    measures: dict[str, Any] = {}
    run(guided, renderers=RendererCache(), machine=CPU, measures=measures)
    assert measures["resumed"] is not None
    assert measures["plan"].width < 128


def test_at_the_end_of_the_ladder_it_says_so(run: Callable, guided, monkeypatch, tmp_path) -> None:
    with failing(monkeypatch, "step", 99), pytest.raises(RenderError, match="the memory is too small"):
        run(guided, renderers=RendererCache(), machine=CPU)
    assert not list(tmp_path.glob("*.mp4*"))
