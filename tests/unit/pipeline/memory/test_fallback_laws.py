"""The laws of the steps down after memory ran out, on any machine, model and job."""

import math
from dataclasses import replace

from fanslymotion.pipeline.families import family
from fanslymotion.pipeline.families.base import SIZE, MemoryPlan, ModelSize, Offload, Work
from fanslymotion.pipeline.families.forecast import estimate as forecast
from fanslymotion.pipeline.families.ltx.folder import FULL as LTX
from fanslymotion.pipeline.families.svd.model_size import ATTENTION
from fanslymotion.pipeline.families.svd.model_size import FULL as SVD
from fanslymotion.pipeline.families.wan.folder import FULL as WAN
from fanslymotion.pipeline.families.wan_a14b.folder import FULL as WAN_A14B
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.hardware.units import GIB
from fanslymotion.pipeline.memory.planner import (
    _best,
    after_oom_kill,
    describe_change,
    fit_to_checkpoint,
    next_fallback,
    plan,
    same_latents,
)
from fanslymotion.pipeline.progress import Stage
from hypothesis import given, settings
from hypothesis import strategies as st

LONGEST = 60
"""Steps; the longest way down that there is has about 25."""
DRAWING = (Stage.CONDITIONING, Stage.SAMPLING, Stage.DECODING)

gib = st.floats(0.5, 200).map(lambda size: int(size * GIB))
speeds = st.floats(0.01, 400)
machines = st.builds(
    Machine,
    device=st.sampled_from(["cuda", "cpu"]),
    vram_total=gib,
    vram_free=gib,
    ram_total=gib,
    ram_free=gib,
    cpu_bf16=st.booleans(),
    cpu_half=st.booleans(),
    gpu_speed=speeds,
    cpu_speed=speeds,
)
models = st.sampled_from(
    [
        SVD,
        replace(SVD, frames=14),
        replace(SVD, unet=9_000_000, vae=2_000_000, image_encoder=3_000_000, channels=64, vae_channels=32,
                  attention=64 * ATTENTION, width=256, height=144, frames=14),
        LTX,
        WAN,
        WAN_A14B,
    ]
)  # fmt: skip
sides = st.integers(8, 240).map(lambda side: 8 * side)


@st.composite
def plans(draw: st.DrawFn) -> MemoryPlan:
    """The best plan of some machine, or any that lies below it: a job plans for one stage and runs out at another."""
    model = draw(models)
    grid = family(model.family).geometry.multiple  # what is asked for lies on it (`output.sampled_size`)
    width, height = (max(grid, draw(sides) // grid * grid) for _ in range(2))
    work = Work(width, height, draw(st.integers(6, 72)), draw(st.integers(1, 50)), draw(st.booleans()))
    best = _best(draw(machines), model, work)
    for at in draw(st.lists(st.sampled_from([None, *Stage]), max_size=12)):
        best = next_fallback(best, at) or best
    if best.device == "cuda" and draw(st.booleans()):
        best = replace(best, offload=draw(st.sampled_from(Offload)))
    return best


stages = st.sampled_from([None, *Stage])


@given(start=plans(), at=stages, ram=st.booleans())
def test_the_way_down_ends_and_each_step_is_told(start: MemoryPlan, at: Stage | None, ram: bool) -> None:
    now, steps = start, 0
    while (below := next_fallback(now, at, ram)) is not None:
        assert describe_change(now, below), "a step is told by what it changes"
        now, steps = below, steps + 1
        assert steps < LONGEST
    assert ram or now.device == "cpu", "the processor is the last way out"


@given(start=plans(), at=stages)
def test_no_step_needs_more_where_it_ran_out(start: MemoryPlan, at: Stage | None) -> None:
    wanted = (Stage.DECODING,) if at is Stage.SAVING else (at,) if at in DRAWING else DRAWING
    now = start
    while (below := next_fallback(now, at)) is not None and below.device == now.device:
        assert all(forecast(below).peaks[stage] <= forecast(now).peaks[stage] for stage in wanted)
        if below.offload == now.offload:  # a small model's offload may gain nothing; the next step does
            assert any(forecast(below).peaks[stage] < forecast(now).peaks[stage] for stage in wanted)
        now = below


@given(start=plans(), at=st.sampled_from(list(Stage)))
def test_no_step_needs_more_ram_where_ram_ran_out(start: MemoryPlan, at: Stage) -> None:
    now = start
    while (below := next_fallback(now, at, ram=True)) is not None:
        assert now.device == "cpu" or forecast(below).ram <= forecast(now).ram
        assert now.device == "cpu" or below.placement == now.placement or forecast(below).ram < forecast(now).ram
        now = below


@given(start=plans())
def test_what_is_sampled_is_not_sampled_again(start: MemoryPlan) -> None:
    now = start
    while (below := next_fallback(now, Stage.DECODING)) is not None:
        assert same_latents(start, below)
        now = below


@given(start=plans(), at=st.sampled_from(DRAWING))
def test_after_a_kill_the_estimate_is_clearly_lower_or_it_is_the_last_step(start: MemoryPlan, at: Stage) -> None:
    found = after_oom_kill(start, at)
    if found is None or start.device != "cpu":
        return
    assert forecast(found).peaks[at] <= 0.85 * forecast(start).peaks[at] or next_fallback(found, at) is None


@settings(max_examples=200)
@given(machine=machines, model=models, width=sides, height=sides, frames=st.integers(6, 72), guided=st.booleans())
def test_a_plan_never_claims_room_that_is_not_there(
    machine: Machine, model: ModelSize, width: int, height: int, frames: int, guided: bool
) -> None:
    found = plan(machine, model, Work(width, height, frames, 20, guided))
    takes = forecast(found)
    assert takes.fits == (takes.need <= takes.limit and takes.ram <= machine.ram_free)
    assert found.width * found.height <= width * height
    assert found.device == "cpu" or machine.device == "cuda"
    assert math.isfinite(takes.seconds)
    assert takes.seconds > 0


@given(start=plans(), fresh=plans())
def test_a_checkpoints_size_is_kept(start: MemoryPlan, fresh: MemoryPlan) -> None:
    size = {name: getattr(start, name) for name in SIZE}
    assert same_latents(start, fit_to_checkpoint(fresh, size))
