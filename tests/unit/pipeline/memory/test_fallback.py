"""Out of memory at every place and rung: the job ends done, with the right size and length, and harms no other.

The soak tests have the ways down that share each step with a case here; `test_fallback_laws` has what holds of all.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
from fanslymotion.errors import RenderError
from fanslymotion.pipeline.families.base import Offload, Work
from fanslymotion.pipeline.families.svd.model import Placement
from fanslymotion.pipeline.families.svd.model_size import FULL
from fanslymotion.pipeline.hardware.measurements import Measurements
from fanslymotion.pipeline.memory import fallback
from fanslymotion.pipeline.memory.history import PlanHistory
from fanslymotion.pipeline.memory.planner import next_fallback, plan
from fanslymotion.pipeline.model_cache import ModelCache
from fanslymotion.pipeline.progress import Stage
from fanslymotion.tests.soak import soak

from .exhausted import CPU, ERRORS, GPU, check, failing


def noting(steps: list[int]) -> Callable:
    """Return a progress callback that keeps each step that was computed."""
    return lambda moment: steps.append(moment.step) if moment.x0 is not None else None


@pytest.mark.parametrize(
    ("place", "times"),
    [
        ("encode", 2),
        ("step", 1),
        ("decode", 3),
        *soak(("encode", 1), ("step", 4), ("step", 2), ("step", 3), ("decode", 1), ("decode", 2)),
    ],
)
def test_on_a_cpu(run: Callable, guided, monkeypatch, caplog, place: str, times: int) -> None:
    cache, steps = ModelCache(), []
    with failing(monkeypatch, place, times, ERRORS) as left:
        result = run(guided, renderers=cache, machine=CPU, progress=noting(steps))
    assert left == [0]
    check(result)
    if place == "decode":
        assert steps == [1, 2, 3], "frames that are drawn stay drawn: decoding that fails costs no step"
    warned = [w for w in result.warnings if w.startswith("Out of memory")]
    assert len(warned) == times
    assert all(f"{w}" in caplog.text for w in warned)
    again = run(replace(guided, seed=5, steps=1), renderers=cache, machine=CPU)
    check(again)


@pytest.mark.parametrize(("place", "times"), [("load", 1), *soak(("step", 5), ("encode", 3), ("decode", 4))])
def test_after_a_cpus_last_rung(run: Callable, guided, monkeypatch, place: str, times: int) -> None:
    cache = ModelCache()
    with failing(monkeypatch, place, times, ERRORS), pytest.raises(RenderError, match="the memory is too small"):
        run(guided, renderers=cache, machine=CPU)
    check(run(replace(guided, seed=5, steps=1), renderers=cache, machine=CPU))


def test_half_the_numbers_where_the_cpu_can_bear_them() -> None:
    first = plan(CPU, FULL, Work(448, 256, 14, 2, False))
    assert first.dtype == "float32"
    assert next_fallback(first, Stage.LOADING) is None
    able = plan(replace(CPU, cpu_half=True), FULL, Work(448, 256, 14, 2, False))
    below = next_fallback(able, Stage.LOADING)
    assert below is not None
    assert below.dtype == "bfloat16"


@pytest.mark.parametrize(("place", "rungs"), [("decode", 4), *soak(("load", 3), ("encode", 3), ("step", 6))])
def test_every_rung_of_a_gpu(run: Callable, guided, pretend_gpu, monkeypatch, place: str, rungs: int) -> None:
    """Down to the last rung that is still on the GPU, with the real offload hooks."""
    cache, measures = ModelCache(), {}
    with failing(monkeypatch, place, rungs) as left:
        result = run(guided, renderers=cache, machine=GPU, measures=measures)
    assert left == [0]
    check(result)
    assert len(result.warnings) == rungs
    check(run(replace(guided, seed=5, steps=1), renderers=cache, machine=GPU))


@pytest.mark.parametrize(("place", "rungs"), [("load", 4), *soak(("step", 8), ("encode", 4), ("decode", 5))])
def test_from_a_gpus_last_rung_to_the_cpu(run: Callable, guided, monkeypatch, place: str, rungs: int) -> None:
    """All rungs in their order. The device is not pretended where it is the CPU: that rung is carried out as it is."""
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
    if place == "step":
        changes = [warning.split("going on with: ")[1] for warning in result.warnings]
        assert changes[0].startswith("guidance in two passes")
        assert changes[1].startswith("forward chunking")
        assert [change.split()[0] for change in changes[2:5]] == ["model", "group", "sequential"]
        assert changes[5].startswith("generating at")
    check(run(replace(guided, seed=5, steps=1), renderers=cache, machine=GPU))


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


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    """Measures of a run without offload, filled by the first test that needs them."""
    return {}


@pytest.mark.parametrize("offload", [Offload.GROUP, *soak(Offload.MODEL, Offload.SEQUENTIAL)])
def test_offload_gives_the_same_frames(
    run: Callable, guided, pretend_gpu, plain, monkeypatch, tmp_path, offload: Offload
) -> None:
    offloaded: dict[str, Any] = {}
    if not plain:
        run(guided, renderers=ModelCache(), machine=CPU, measures=plain)
    planned = fallback.plan_request

    def with_offload(*args: Any, **options: Any) -> Any:
        return replace(planned(*args, **options), offload=offload)

    monkeypatch.setattr(fallback, "plan_request", with_offload)
    run(guided, renderers=ModelCache(), machine=GPU, measures=offloaded, work=tmp_path / "other")
    assert offloaded["plan"].offload is offload
    assert plain["frames_sha256"] == offloaded["frames_sha256"]


@pytest.mark.parametrize("part", ["unet", *soak("vae")])
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
    check(run(replace(guided, seed=5, steps=1), renderers=cache, machine=GPU))
    assert left == [0]
    assert cache._renderer is not None
    assert cache._renderer.whole


@pytest.mark.parametrize("place", ["step", *soak("encode", "decode")])
def test_a_card_that_gives_nan_at_16_bits_goes_on_in_32(
    run: Callable, guided, monkeypatch, settings, tmp_path, place: str
) -> None:
    """As GTX 16xx cards do."""
    from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel as Unet
    from fanslymotion.pipeline.families.svd.clip.network import ClipImageEncoder as Encoder

    computed: list[str] = []

    def of(plan: Any) -> Placement:
        computed.append(plan.dtype)
        return Placement(torch.device("cpu"), torch.float32, plan.offload)

    def broken(real: Callable) -> Callable:
        def call(*args: Any, **options: Any) -> Any:
            found = real(*args, **options)
            if computed[-1] == "float16":
                for tensor in (
                    found.values() if isinstance(found, dict) else [found[0] if isinstance(found, tuple) else found]
                ):
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
        progress=noting(steps),
    )
    check(result)
    assert computed == ["float16", "float32"]
    assert steps == [1, 2, 3], "what was drawn stays drawn"
    assert "not finite (NaN)" in result.warnings[-1]
    assert "float32 instead of float16" in result.warnings[-1]
    assert Measurements(settings.home).read().float32, "it is remembered"
    if place == "step":
        check(run(replace(guided, steps=1), renderers=ModelCache(), machine=GPU, work=tmp_path / "later"))
        assert computed == ["float16", "float32", "float32"], "and the next job goes by it"


def test_nan_in_32_bits_is_the_models_fault(run: Callable, guided, pretend_gpu, monkeypatch, settings) -> None:
    from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel as Unet

    real = Unet.forward
    monkeypatch.setattr(Unet, "forward", lambda *args, **options: (real(*args, **options)[0] * torch.nan,))
    with pytest.raises(RenderError, match="models check") as caught:
        run(guided, renderers=ModelCache(), machine=GPU)
    assert "float32 instead of float16" in caught.value.__notes__[-1]
    assert not Measurements(settings.home).read().float32


def test_at_the_end_of_the_ladder_it_says_so(run: Callable, guided, monkeypatch, tmp_path) -> None:
    with failing(monkeypatch, "step", 99), pytest.raises(RenderError, match="the memory is too small"):
        run(guided, renderers=ModelCache(), machine=CPU)
    assert not list(tmp_path.glob("*.mp4*"))
