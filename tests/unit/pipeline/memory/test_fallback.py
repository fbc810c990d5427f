"""Out of memory at every place and rung: the job ends done, with the right size and length, and harms no other."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
from fanslymotion.errors import RenderError
from fanslymotion.models.find import find_model
from fanslymotion.pipeline.checkpoint import Checkpoints, keep_note, newest_note
from fanslymotion.pipeline.families.base import SIZE, ModelSize, Offload, Work
from fanslymotion.pipeline.families.svd import model, vae
from fanslymotion.pipeline.families.svd.model import Placement
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.hardware.measurements import Measurements
from fanslymotion.pipeline.hardware.units import GIB
from fanslymotion.pipeline.media.mp4 import probe
from fanslymotion.pipeline.memory import fallback
from fanslymotion.pipeline.memory.history import PlanHistory
from fanslymotion.pipeline.memory.planner import next_fallback, plan
from fanslymotion.pipeline.model_cache import ModelCache
from fanslymotion.pipeline.progress import Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.pipeline.sampling.windowed import SamplingState
from fanslymotion.presets import Presets, load_presets
from fanslymotion.settings import Settings

CPU = Machine(cores=2, ram_total=64 * GIB, ram_free=60 * GIB)
GPU = replace(CPU, device="cuda", name="a large GPU", vram_total=24 * GIB, vram_free=23 * GIB, gpu_speed=20.0)

GPU_ERRORS = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
)
ERRORS = (*GPU_ERRORS, MemoryError())


def soak(*cases: tuple[str, int]) -> list[Any]:
    """Ways down that share each step with a case of the default run; `test_fallback_laws` has what holds of all."""
    return [pytest.param(*case, marks=pytest.mark.soak) for case in cases]


@pytest.fixture
def presets(presets: Presets, settings: Settings, tiny_model: Path) -> Presets:
    """With the tiny model once more, as one that is drawn with guidance: then every rung exists."""
    (settings.presets_dir / "models" / "guided.toml").write_text(
        f"label = 'guided'\nsource = 'folder'\nfolder = {json.dumps(str(tiny_model))}\n"
        "width = 128\nheight = 72\nframes = 14\n[sampling]\nmin_guidance = 1.0\nmax_guidance = 3.0\n",
        encoding="utf-8",
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
def failing(
    monkeypatch: pytest.MonkeyPatch, place: str, times: int, errors: tuple[Exception, ...] = GPU_ERRORS
) -> Iterator[list[int]]:
    """The first `times` calls at the place find no memory; the list's only number counts them down."""
    left = [times]

    def guard(real: Callable) -> Callable:
        def call(*args: Any, **options: Any) -> Any:
            if left[0] > 0:
                left[0] -= 1
                raise errors[left[0] % len(errors)]
            return real(*args, **options)

        return call

    where, name = {
        "load": (model, "_part"),
        "encode": (AutoencoderKLTemporalDecoder, "encode"),
        "decode": (vae, "decode_frames"),
        "step": (torch.nn.Module, ""),
    }[place]
    with monkeypatch.context() as patch:
        if place == "step":
            from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel as Unet

            patch.setattr(Unet, "forward", guard(Unet.forward))
        else:
            patch.setattr(where, name, guard(getattr(where, name)))
        yield left


def learned(settings: Settings) -> Any:
    """What is remembered of plans, beside the speeds."""
    return Measurements(settings.home).read().plans


def check(result: Any) -> None:
    info = probe(result.path)
    assert (info.width, info.height, info.frames) == (128, 72, 24)


@pytest.mark.parametrize(
    ("place", "times"),
    [
        ("encode", 2),
        ("step", 1),
        ("step", 4),
        ("decode", 4),
        *soak(("encode", 1), ("step", 2), ("step", 3), ("decode", 1), ("decode", 2), ("decode", 3)),
    ],
)
def test_on_a_cpu(run: Callable, guided, monkeypatch, caplog, place: str, times: int) -> None:
    cache = ModelCache()
    with failing(monkeypatch, place, times, ERRORS) as left:
        result = run(guided, renderers=cache, machine=CPU)
    assert left == [0]
    check(result)
    warned = [w for w in result.warnings if w.startswith("Out of memory")]
    assert len(warned) == times
    assert all(f"{w}" in caplog.text for w in warned)
    again = run(replace(guided, seed=5), renderers=cache, machine=CPU)
    check(again)


@pytest.mark.parametrize(("place", "times"), [("load", 1), ("step", 5), *soak(("encode", 3), ("decode", 5))])
def test_after_a_cpus_last_rung(run: Callable, guided, monkeypatch, place: str, times: int) -> None:
    cache = ModelCache()
    with failing(monkeypatch, place, times, ERRORS), pytest.raises(RenderError, match="the memory is too small"):
        run(guided, renderers=cache, machine=CPU)
    check(run(replace(guided, seed=5), renderers=cache, machine=CPU))


def test_half_the_numbers_where_the_cpu_can_bear_them() -> None:
    first = plan(CPU, ModelSize(), Work(448, 256, 14, 2, False))
    assert first.dtype == "float32"
    assert next_fallback(first, Stage.LOADING) is None
    able = plan(replace(CPU, cpu_half=True), ModelSize(), Work(448, 256, 14, 2, False))
    below = next_fallback(able, Stage.LOADING)
    assert below is not None
    assert below.dtype == "bfloat16"


@pytest.mark.parametrize(("place", "rungs"), [("step", 6), ("decode", 5), *soak(("load", 3), ("encode", 3))])
def test_every_rung_of_a_gpu(run: Callable, guided, pretend_gpu, monkeypatch, place: str, rungs: int) -> None:
    """Down to the last rung that is still on the GPU, with the real offload hooks."""
    cache, measures = ModelCache(), {}
    with failing(monkeypatch, place, rungs) as left:
        result = run(guided, renderers=cache, machine=GPU, measures=measures)
    assert left == [0]
    check(result)
    assert len(result.warnings) == rungs
    check(run(replace(guided, seed=5), renderers=cache, machine=GPU))


@pytest.mark.parametrize(("place", "rungs"), [("load", 4), ("step", 8), *soak(("encode", 4), ("decode", 6))])
def test_from_a_gpus_last_rung_to_the_cpu(run: Callable, guided, monkeypatch, place: str, rungs: int) -> None:
    """The device itself is not pretended here where it is the CPU: that rung is carried out as it would be."""
    real = Placement.of

    def of(plan: Any) -> Placement:
        return real(plan) if plan.device == "cpu" else Placement(torch.device("cpu"), torch.float32, plan.offload)

    monkeypatch.setattr(Placement, "of", staticmethod(of))
    cache, measures = ModelCache(), {}
    with failing(monkeypatch, place, rungs) as left:
        result = run(guided, renderers=cache, machine=GPU, measures=measures)
    assert left == [0]
    check(result)
    plan = measures["plan"]
    assert (plan.device, plan.dtype, plan.offload) == ("cpu", "float32", Offload.NONE)
    # Reading and decoding do not try hooks that only the denoiser has.
    last = "model" if place in ("encode", "decode") else "sequential"
    assert f"CPU instead of {last} offload" in result.warnings[-1]
    check(run(replace(guided, seed=5), renderers=cache, machine=GPU))


def test_ram_that_runs_out_sends_the_weights_to_the_card(
    run: Callable, guided, pretend_gpu, monkeypatch, settings, tmp_path
) -> None:
    """A small paging file on Windows: what leaves the weights in RAM is no help there."""
    planned = fallback.plan_request

    def with_offload(*args: Any, **options: Any) -> Any:
        return PlanHistory(settings).recall(replace(planned(*args, **options), offload=Offload.MODEL), "guided")

    monkeypatch.setattr(fallback, "plan_request", with_offload)
    measures: dict[str, Any] = {}
    with failing(monkeypatch, "load", 1, (MemoryError(),)):
        result = run(guided, renderers=ModelCache(), machine=GPU, measures=measures)
    assert "all on the GPU instead of model offload" in result.warnings[0]
    check(run(guided, renderers=ModelCache(), machine=GPU, measures=measures, work=tmp_path / "later"))
    assert measures["plan"].offload is Offload.NONE, "it is remembered"
    more = replace(GPU, ram_free=2 * GPU.ram_free)
    run(guided, renderers=ModelCache(), machine=more, measures=measures, work=tmp_path / "with more")
    assert measures["plan"].offload is Offload.MODEL


def test_ram_that_runs_out_with_everything_on_the_card_is_said_to_be_too_small(
    run: Callable, guided, pretend_gpu, monkeypatch
) -> None:
    with failing(monkeypatch, "load", 1, (MemoryError(),)), pytest.raises(RenderError, match="memory is too small"):
        run(guided, renderers=ModelCache(), machine=GPU)


def test_the_rungs_come_in_their_order(run: Callable, guided, pretend_gpu, monkeypatch) -> None:
    with failing(monkeypatch, "step", 6):
        result = run(guided, renderers=ModelCache(), machine=GPU)
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
            renderers=ModelCache(),
            machine=CPU,
            progress=lambda p: steps.append(p.step) if p.x0 is not None else None,
        )
    assert steps == list(range(1, 10))


@pytest.mark.parametrize("offload", [Offload.MODEL, Offload.GROUP, Offload.SEQUENTIAL])
def test_offload_gives_the_same_frames(
    run: Callable, guided, pretend_gpu, monkeypatch, tmp_path, offload: Offload
) -> None:
    plain, offloaded = {}, {}
    run(guided, renderers=ModelCache(), machine=CPU, measures=plain)
    planned = fallback.plan_request

    def with_offload(*args: Any, **options: Any) -> Any:
        return replace(planned(*args, **options), offload=offload)

    monkeypatch.setattr(fallback, "plan_request", with_offload)
    run(guided, renderers=ModelCache(), machine=GPU, measures=offloaded, work=tmp_path / "other")
    assert offloaded["plan"].offload is offload
    assert plain["frames_sha256"] == offloaded["frames_sha256"]


@pytest.mark.parametrize("part", ["unet", "vae"])
def test_a_component_that_was_half_moved_harms_nobody(
    run: Callable, guided, pretend_gpu, monkeypatch, part: str
) -> None:
    """`.to()` goes tensor by tensor. bf16 stands for the card here: any mixture breaks the next forward pass."""
    cache = ModelCache()
    run(guided, renderers=cache, machine=GPU)
    kept = cache._renderer
    assert kept is not None
    real, left = type(kept).bring, [1]

    def half_way(self: Any, name: str) -> Any:
        if name == part and left[0]:
            left[0] -= 1
            for tensor in list(getattr(self, part).parameters())[:3]:
                tensor.data = tensor.data.to(torch.bfloat16)
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return real(self, name)

    monkeypatch.setattr(type(kept), "bring", half_way)
    check(run(replace(guided, seed=5), renderers=cache, machine=GPU))
    assert left == [0]
    assert cache._renderer is not None
    assert cache._renderer.whole


def test_what_worked_is_remembered(run: Callable, guided, monkeypatch, tmp_path) -> None:
    with failing(monkeypatch, "step", 2):
        run(guided, renderers=ModelCache(), machine=CPU)
    measures: dict[str, Any] = {}
    later = run(guided, renderers=ModelCache(), machine=CPU, measures=measures, work=tmp_path / "later")
    assert measures["plan"].two_pass
    assert measures["plan"].chunked
    assert not [w for w in later.warnings if "Out of memory" in w]


def test_memory_that_another_program_took_for_a_while_is_asked_for_again(
    run: Callable, guided, pretend_gpu, monkeypatch, tmp_path
) -> None:
    """A game is opened in the middle of a job and closed after it."""
    now = [GPU]
    monkeypatch.setattr(fallback.devices, "machine", lambda *_, **__: now[0])
    real = fallback.MemoryFallback.step_down

    def while_the_game_runs(self: Any, *args: Any) -> bool:
        now[0] = replace(GPU, vram_free=2 * GIB)
        return real(self, *args)

    monkeypatch.setattr(fallback.MemoryFallback, "step_down", while_the_game_runs)
    with failing(monkeypatch, "step", 3):
        run(guided, renderers=ModelCache())
    measures: dict[str, Any] = {}
    run(guided, renderers=ModelCache(), measures=measures, work=tmp_path / "beside the game")
    assert measures["plan"].offload is Offload.MODEL
    now[0] = GPU
    run(guided, renderers=ModelCache(), measures=measures, work=tmp_path / "after it")
    assert (measures["plan"].offload, measures["plan"].two_pass) == (Offload.NONE, False)


@pytest.mark.parametrize("place", ["encode", "step", "decode"])
def test_a_card_that_gives_nan_at_16_bits_goes_on_in_32(
    run: Callable, guided, monkeypatch, tmp_path, place: str
) -> None:
    """As GTX 16xx cards do."""
    from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel as Unet
    from transformers import CLIPVisionModelWithProjection as Encoder

    computed: list[str] = []

    def of(plan: Any) -> Placement:
        computed.append(plan.dtype)
        return Placement(torch.device("cpu"), torch.float32, plan.offload)

    def broken(real: Callable) -> Callable:
        def call(*args: Any, **options: Any) -> Any:
            found = real(*args, **options)
            if computed[-1] == "float16":
                for tensor in found.values() if hasattr(found, "values") else found:
                    tensor.fill_(torch.nan)
            return found

        return call

    monkeypatch.setattr(Placement, "of", staticmethod(of))
    kind, name = {
        "encode": (Encoder, "forward"),
        "step": (Unet, "forward"),
        "decode": (AutoencoderKLTemporalDecoder, "decode"),
    }[place]
    monkeypatch.setattr(kind, name, broken(getattr(kind, name)))
    steps: list[int] = []
    result = run(
        guided,
        renderers=ModelCache(),
        machine=GPU,
        progress=lambda p: steps.append(p.step) if p.x0 is not None else None,
    )
    check(result)
    assert computed == ["float16", "float32"]
    assert steps == list(range(1, 10)), "what was drawn stays drawn"
    assert "not finite (NaN)" in result.warnings[-1]
    assert "float32 instead of float16" in result.warnings[-1]
    check(run(guided, renderers=ModelCache(), machine=GPU, work=tmp_path / "later"))
    assert computed == ["float16", "float32", "float32"], "it is remembered"


def test_nan_in_32_bits_is_the_models_fault(run: Callable, guided, pretend_gpu, monkeypatch, settings) -> None:
    from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel as Unet

    real = Unet.forward
    monkeypatch.setattr(Unet, "forward", lambda *args, **options: (real(*args, **options)[0] * torch.nan,))
    with pytest.raises(RenderError, match="models check") as caught:
        run(guided, renderers=ModelCache(), machine=GPU)
    assert "float32 instead of float16" in caught.value.__notes__[-1]
    assert not Measurements(settings.home).read().float32


class Stop(BaseException):
    """The process dies."""


def stop_in_window(number: int) -> Callable[[Any], None]:
    def stop(moment: Any) -> None:
        if moment.window == number:
            raise Stop

    return stop


def test_a_job_taken_up_again_keeps_its_size(run: Callable, guided, settings, monkeypatch) -> None:
    """Less memory was free when it began: its checkpoint must fit now that there is more."""
    with failing(monkeypatch, "step", 4), pytest.raises(Stop):
        run(guided, renderers=ModelCache(), machine=CPU, progress=stop_in_window(2))
    measures: dict[str, Any] = {}
    run(guided, renderers=ModelCache(), machine=CPU, measures=measures)
    assert measures["resumed"] is not None
    plan = measures["plan"]
    assert plan.width < 128
    assert (plan.dtype, plan.chunked) == ("float32", False), "only the size is the checkpoint's"
    assert not learned(settings), "nothing ran out in this attempt"


def test_a_failed_jobs_plan_is_not_taken_without_a_checkpoint(run: Callable, guided, settings, tmp_path) -> None:
    """It failed with 1 GB free; the retry, with 60 GB free, is drawn as if nothing had been."""
    kept = {"device": "cuda", "dtype": "float16", "offload": "sequential", "width": 64, "height": 40, "window": 7}
    kept |= {"guided": False, "two_pass": True, "chunked": True, "decode_chunk": 1}
    keep_note(tmp_path / "work", kept, SIZE)
    measures: dict[str, Any] = {}
    check(run(guided, renderers=ModelCache(), machine=CPU, measures=measures))
    plan = measures["plan"]
    assert (plan.device, plan.width, plan.guided, plan.decode_chunk) == ("cpu", 128, True, 14)
    assert not learned(settings)


def test_what_a_kill_ended_is_not_tried_again(run: Callable, guided, tmp_path, caplog) -> None:
    """The kernel's OOM killer leaves no exception behind, only the plan that was tried (T3 on a CPU)."""
    drawn = []
    for window in (1, 1, 9):
        measures: dict[str, Any] = {}
        killed = Stage.SAMPLING if drawn else None
        with suppress(Stop):
            run(
                guided,
                renderers=ModelCache(),
                machine=CPU,
                killed=killed,
                measures=measures,
                progress=stop_in_window(window),
            )
        drawn.append(newest_note(tmp_path / "work").values)
    assert drawn[1] != drawn[0]
    assert (drawn[1]["two_pass"], drawn[1]["chunked"]) == (True, True)
    assert "The system ended the worker while drawing: memory ran out. Going on with:" in caplog.text
    assert "it is tried as it was" in caplog.text, "at the last rung"
    after: dict[str, Any] = {}
    run(replace(guided, seed=5), renderers=ModelCache(), machine=CPU, measures=after, work=tmp_path / "later")
    assert after["plan"].two_pass, "the next job has learned from it"


def test_each_plan_is_recorded_beside_the_latents_that_fit_it(
    guided: VideoRequest, settings: Settings, presets: Presets, tmp_path: Path
) -> None:
    """Guided latents are gone on with on the CPU, without guidance; of another size they are of no use."""
    work = tmp_path / "work"
    ladder = fallback.MemoryFallback(
        guided, (320, 180), find_model("guided", presets, settings), presets, settings, work, GPU
    )
    assert newest_note(work) == (ladder.plan.settings, False)
    dropped = 0
    while ladder.plan.device != "cpu":
        state = SamplingState({"x": torch.zeros(1)}, torch.zeros(1, dtype=torch.uint8), torch.float32)
        Checkpoints(work, "key", lambda: ladder.plan.settings).now(state)
        kept = ladder.step_down(Stage.SAMPLING, "CUDA out of memory")
        assert newest_note(work) == (ladder.plan.settings, kept)
        dropped += not kept
    assert dropped
    assert kept


def test_at_the_end_of_the_ladder_it_says_so(run: Callable, guided, monkeypatch, tmp_path) -> None:
    with failing(monkeypatch, "step", 99), pytest.raises(RenderError, match="the memory is too small"):
        run(guided, renderers=ModelCache(), machine=CPU)
    assert not list(tmp_path.glob("*.mp4*"))
