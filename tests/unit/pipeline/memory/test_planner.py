"""The memory plan as a table: what each kind of machine gets. `test_fallback_laws` has what holds of every plan."""

from dataclasses import replace
from itertools import pairwise

import pytest
from fanslymotion.pipeline.families import family
from fanslymotion.pipeline.families.base import SIZE, MemoryPlan, ModelSize, Offload, Savings, Work
from fanslymotion.pipeline.families.forecast import duration_text, forecast, forecast_text, tile_side
from fanslymotion.pipeline.families.ltx.folder import FULL as LTX
from fanslymotion.pipeline.families.svd.model_size import ATTENTION, FULL
from fanslymotion.pipeline.families.wan.folder import FULL as WAN
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.hardware.units import GIB
from fanslymotion.pipeline.media.upscale.network import Network
from fanslymotion.pipeline.media.upscale.tiles import SIDES
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

GENERAL, X4PLUS = Network("compact", 64, 32, 4), Network("rrdb", 64, 23, 4, 32)
XT = FULL
SVD = replace(FULL, frames=14)
MINI = replace(FULL, unet=9_000_000, vae=2_000_000, image_encoder=3_000_000, channels=64, vae_channels=32,
                 attention=64 * ATTENTION, width=256, height=144, frames=14)  # fmt: skip
CLIP_720P = Work(1024, 576, 36, 25, True, 72, 1280 * 720)


def gpu(vram: float, free: float | None = None, ram: float = 32) -> Machine:
    """vram, free: GiB. A card shows a little less than it is sold with, and a desktop holds some of it."""
    free = vram * 0.93 if free is None else free
    return Machine("cuda", "card", int(vram * 0.99 * GIB), int(free * GIB), int(ram * GIB), int(ram * 0.75 * GIB),
                   gpu_speed=20)  # fmt: skip


def cpu(ram: float, bf16: bool = True, half: bool = True) -> Machine:
    return Machine(
        cpu_half=half, ram_total=int(ram * GIB), ram_free=int(ram * 0.8 * GIB), cpu_bf16=bf16, cpu_speed=0.35
    )


@pytest.mark.parametrize(
    ("vram", "offload", "size", "two_pass", "chunked"),
    [
        (80, Offload.NONE, (1024, 576), False, False),
        (24, Offload.NONE, (1024, 576), False, False),
        (16, Offload.NONE, (1024, 576), True, False),
        (12, Offload.MODEL, (1024, 576), True, False),
        (8, Offload.MODEL, (1024, 576), True, True),
        (6, Offload.GROUP, (1024, 576), True, True),
        (4, Offload.SEQUENTIAL, (1024, 576), True, True),
        (3, Offload.SEQUENTIAL, None, True, True),
    ],
)
def test_each_card_gets_the_best_that_fits(vram, offload, size, two_pass, chunked):
    found = plan(gpu(vram), XT, CLIP_720P)
    assert forecast(found).fits
    assert found.device == "cuda"
    assert found.dtype == "float16"
    assert (found.offload, found.two_pass, found.chunked) == (offload, two_pass, chunked)
    if size is None:
        assert found.shrunk
    else:
        assert (found.width, found.height) == size
        assert not found.shrunk
    assert forecast(found).need <= forecast(found).limit < vram * GIB


def test_below_16_gb_a_full_size_model_offloads_even_when_it_would_fit():
    assert plan(gpu(15), replace(FULL, frames=14), Work(576, 320, 14, 10, False)).offload is Offload.MODEL
    assert plan(gpu(16), replace(FULL, frames=14), Work(576, 320, 14, 10, False)).offload is Offload.NONE


def test_a_small_model_never_offloads_on_a_small_card():
    found = plan(gpu(4), MINI, Work(256, 144, 36, 15, False))
    assert (found.offload, found.device, found.dtype) == (Offload.NONE, "cuda", "float16")


def test_what_other_programs_hold_counts():
    full, taken = plan(gpu(24), XT, CLIP_720P), plan(gpu(24, free=6), XT, CLIP_720P)
    assert full.offload is Offload.NONE
    assert taken.offload is not Offload.NONE
    assert forecast(taken).fits


def test_little_ram_keeps_the_weights_on_the_card():
    # Offload would need 5 GB of RAM for the waiting weights.
    found = plan(gpu(12, ram=6), XT, CLIP_720P)
    assert found.offload is Offload.NONE
    assert forecast(found).fits


@pytest.mark.parametrize("model", [XT, LTX, WAN])
def test_too_little_ram_is_no_reason_to_move_weights_into_it(model: ModelSize) -> None:
    """A card with room for all of a model, in a computer with too little memory: offload takes more of that."""
    here = gpu(48, ram=3)
    found = plan(here, model, replace(CLIP_720P, width=model.width, height=model.height))
    assert not forecast(found).fits
    assert forecast(found).over == []
    assert (found.device, found.offload) == ("cuda", Offload.NONE)
    size = {name: getattr(found, name) for name in SIZE}
    assert fit_to_checkpoint(found, size).offload is Offload.NONE


def test_a_card_too_small_for_anything_gives_way_to_the_cpu():
    found = plan(gpu(2, free=1), XT, CLIP_720P)
    assert found.device == "cpu"
    assert forecast(found).fits
    assert not found.guided


@pytest.mark.parametrize(
    ("bf16", "ram", "dtype"), [(True, 16, "bfloat16"), (False, 32, "float32"), (False, 12, "bfloat16")]
)
def test_cpu_samples_small_without_guidance(bf16, ram, dtype):
    found = plan(cpu(ram, bf16), XT, CLIP_720P)
    assert forecast(found).fits
    assert (found.device, found.dtype, found.guided) == ("cpu", dtype, False)
    assert (found.width, found.height, found.window) == (448, 256, 14)
    assert found.shrunk


def test_cpu_keeps_a_small_model_as_its_preset_says():
    found = plan(cpu(8), MINI, Work(256, 144, 36, 15, True))
    assert (found.width, found.height, found.window, found.guided) == (256, 144, 14, True)
    assert found.dtype == "float32"


def test_cpu_estimate_is_what_was_measured():
    # Two cores with bf16: 20 s a step at 448×256×14, 2.5 s a frame decoded.
    found = plan(cpu(16), SVD, Work(448, 256, 14, 10, False))
    assert forecast(found).stage_seconds[Stage.SAMPLING] == pytest.approx(200, rel=0.1)
    assert forecast(found).stage_seconds[Stage.DECODING] == pytest.approx(35, rel=0.35)


def test_no_room_at_all_says_so_and_still_gives_the_smallest():
    found = plan(cpu(4), XT, CLIP_720P)
    assert not forecast(found).fits
    assert found.decode_chunk == 1
    assert found.chunked


def test_portrait_keeps_its_shape_when_it_shrinks():
    found = plan(gpu(3), XT, Work(576, 1024, 36, 25, True))
    assert found.width < found.height
    assert found.width / found.height == pytest.approx(576 / 1024, rel=0.03)
    assert found.width % 8 == found.height % 8 == 0


def ladder(first: MemoryPlan, at: Stage | None = None) -> list[MemoryPlan]:
    rungs = [first]
    while (below := next_fallback(rungs[-1], at)) is not None:
        rungs.append(below)
        assert len(rungs) < 60, "the ladder has no end"
    return rungs


def test_the_ladder_goes_down_in_the_documented_order():
    rungs = ladder(_best(gpu(24), XT, CLIP_720P))
    said = [describe_change(a, b) for a, b in pairwise(rungs)]
    first = {
        word: next(i for i, text in enumerate(said) if word in text)
        for word in ("two passes", "forward chunking", "decoding", "model offload", "group offload",
                     "sequential offload", "generating at", "CPU instead")
    }  # fmt: skip
    assert list(first.values()) == sorted(first.values())
    assert all(said), "every step says what it changes"
    assert rungs[-1].device == "cpu"


def test_after_ram_ran_out_nothing_asks_for_more_of_it():
    tight = _best(gpu(12), SVD, CLIP_720P)
    assert tight.offload is Offload.MODEL
    below = next_fallback(tight, Stage.LOADING, ram=True)
    assert below is not None
    assert (below.offload, forecast(below).fits) == (Offload.NONE, True)
    assert after_oom_kill(tight, Stage.LOADING) == below, "also when the system killed for it"
    for at in Stage:
        rung = tight
        while (rung := next_fallback(rung, at, ram=True)) is not None:
            assert forecast(rung).ram <= forecast(tight).ram
            assert rung.device == "cuda", "a processor would need more"
    assert next_fallback(_best(gpu(4), XT, CLIP_720P), Stage.LOADING, ram=True) is None, (
        "the card has no room for it all"
    )


def test_a_long_video_is_not_put_together_of_tiles_where_ram_ran_out() -> None:
    minute = _best(gpu(48, ram=64), WAN, Work(WAN.width, WAN.height, 60 * 24, 20, True))
    below = next_fallback(minute, Stage.DECODING)
    assert below is not None
    assert forecast(below).ram > forecast(minute).ram + 2 * GIB
    assert next_fallback(minute, Stage.DECODING, ram=True) is None


def test_running_out_while_decoding_never_samples_again():
    for rung in ladder(_best(gpu(12), XT, CLIP_720P), Stage.DECODING):
        assert same_latents(_best(gpu(12), XT, CLIP_720P), rung)


def test_running_out_while_loading_goes_straight_to_offload():
    first = next_fallback(_best(gpu(24), XT, CLIP_720P), Stage.LOADING)
    assert first is not None
    assert first.offload is Offload.MODEL


def test_a_job_sampled_on_the_card_keeps_its_latents_on_the_cpu():
    rungs = ladder(_best(gpu(24), XT, CLIP_720P), Stage.SAMPLING)
    last_gpu = [rung for rung in rungs if rung.device == "cuda"][-1]
    first_cpu = next(rung for rung in rungs if rung.device == "cpu")
    assert same_latents(last_gpu, first_cpu)


@pytest.mark.parametrize(
    ("pixels", "gib"),
    [(576 * 320, 2.4), (848 * 480, 5.3), (1024 * 576, 7.7), (1280 * 720, 12.1)],
)
def test_estimates_agree_with_what_was_computed_on_the_real_architecture(pixels, gib):
    height = 8 * round((pixels * 9 / 16) ** 0.5 / 8)
    width = pixels // height // 8 * 8
    found = _best(gpu(80), XT, Work(width, height, 25, 25, True))
    working = (forecast(found).peaks[Stage.SAMPLING] - XT.unet * 2 - XT.vae * 2 - XT.image_encoder * 2) / GIB - 0.5
    assert working / 1.1 == pytest.approx(gib, rel=0.05)


def test_the_photos_detail_takes_memory_and_time_where_the_frames_are_made():
    plain, detailed = CLIP_720P, replace(CLIP_720P, detail=True)
    for machine in (cpu(64), gpu(24)):
        without, with_it = plan(machine, XT, plain), plan(machine, XT, detailed)
        assert 200e6 < forecast(with_it).ram - forecast(without).ram < 600e6 or machine.device == "cpu"
        assert forecast(with_it).stage_seconds[Stage.DECODING] >= forecast(without).stage_seconds[Stage.DECODING]
        assert forecast(with_it).peaks[Stage.SAMPLING] == forecast(without).peaks[Stage.SAMPLING]
        assert forecast(with_it).peaks[Stage.DECODING] > forecast(without).peaks[Stage.DECODING] + 80e6, "a GPU's, too"
    mini = [plan(cpu(64), MINI, replace(work, width=256, height=144, shown_frames=144)) for work in (plain, detailed)]
    assert forecast(mini[1]).peaks[Stage.DECODING] - forecast(mini[0]).peaks[Stage.DECODING] > 200e6
    more = forecast(mini[1]).seconds - forecast(mini[0]).seconds
    assert 1.5 < more < 4, "measured: 1.7 and 3.5 s, smooth, on two cores"


def test_an_upscaler_costs_what_it_was_measured_to_cost():
    """On two cores, in 16-bit and 32-bit numbers: a frame of 1024×576, computed in tiles with their halos."""
    for network, bf16, least, most in ((GENERAL, True, 3, 7), (GENERAL, False, 8, 16), (X4PLUS, False, 110, 190)):
        machine = replace(cpu(64), cpu_bf16=bf16, cores=2, cpu_speed=0.16)
        without, with_it = (plan(machine, MINI, replace(CLIP_720P, frames=14, upscaler=one)) for one in (None, network))
        assert least < (forecast(with_it).seconds - forecast(without).seconds) / 14 < most


def test_an_upscalers_tiles_are_the_largest_that_fit():
    work = replace(CLIP_720P, upscaler=X4PLUS)
    sides = [tile_side(plan(machine, XT, work)) for machine in (gpu(80), gpu(8), gpu(4))]
    assert sides == sorted(sides, reverse=True)
    assert (sides[0], set(sides) <= set(SIDES)) == (512, True)
    small = forecast(plan(gpu(8), XT, work))
    assert small.peaks[Stage.DECODING] <= small.limit
    with_it, without = (forecast(plan(gpu(80), XT, one)) for one in (work, CLIP_720P))
    assert with_it.peaks[Stage.DECODING] > without.peaks[Stage.DECODING]


def test_summary_is_what_the_form_shows():
    assert forecast_text(forecast(plan(gpu(12), XT, CLIP_720P))) == "about 8 min, 9.4 GB of 12 GB"
    assert forecast_text(forecast(plan(cpu(16), XT, CLIP_720P))).endswith("of 16 GB on the CPU")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1, "5 s"), (42, "40 s"), (58, "1 min"), (86, "1 min 30 s"), (74, "1 min 15 s"), (140, "2 min 30 s"),
     (179, "3 min"), (284, "4 min 30 s"), (286, "5 min"), (3540, "59 min"), (3600, "1 h"), (5400, "1 h 30 min")],
)  # fmt: skip
def test_durations_have_no_more_digits_than_an_estimate(seconds, text):
    assert duration_text(seconds) == text


@pytest.mark.parametrize("machine", [gpu(24), gpu(12), gpu(6), cpu(64)])
def test_only_what_the_family_can_do_is_planned(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def way_down() -> list[MemoryPlan]:
        found = [plan(machine, XT, CLIP_720P)]
        while below := next_fallback(found[-1]):
            found.append(below)
        return found

    assert any(one.chunked for one in way_down())
    monkeypatch.setattr(family("svd"), "savings", Savings(offloads=(Offload.SEQUENTIAL,)))
    plans = way_down()
    assert not any(one.two_pass or one.chunked for one in plans)
    assert {one.offload for one in plans} <= {Offload.NONE, Offload.SEQUENTIAL}
    assert {one.decode_chunk for one in plans} <= {XT.frames, 14}, "14 is a CPU's window"
    assert plans[-1].device == "cpu"
