"""The estimates against what was measured on an H100, an H200 (a tenth quicker) and two cores (bench/RESULTS.md)."""

from dataclasses import replace

import pytest
from fanslymotion.pipeline.families.base import MemoryPlan, Offload, Work
from fanslymotion.pipeline.families.svd.cost import SHORTCUTS, forecast, unet_operations
from fanslymotion.pipeline.families.svd.decoding.chunks import chunk_ranges, decoded_frames
from fanslymotion.pipeline.families.svd.model_size import FULL, model_size
from fanslymotion.pipeline.hardware.devices import gpu_speed
from fanslymotion.pipeline.hardware.gpus import Gpus
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.hardware.units import GIB
from fanslymotion.pipeline.memory.planner import next_fallback, plan
from fanslymotion.pipeline.progress import Stage
from fanslymotion.settings import ROOT

H100 = Machine(
    "cuda", "H100", 80 * GIB, 79 * GIB, 126 * GIB, 120 * GIB, cores=16,
    gpu_speed=gpu_speed(Gpus("nvidia", capability=9.0, cores=16896, clock_mhz=1980)),
)  # fmt: skip
ONE_WINDOW = Work(1024, 576, 25, 3, True, 25, 1280 * 720)
XT = FULL


def on(gb: int) -> MemoryPlan:
    return plan(replace(H100, vram_total=gb * GIB, vram_free=gb * GIB), XT, ONE_WINDOW)


@pytest.mark.parametrize(
    ("gb", "offload", "step", "decode"),
    [
        (24, Offload.NONE, 0.569, 2.86),
        (16, Offload.NONE, 0.619, 3.18),
        (12, Offload.MODEL, 0.624, 3.29),
        (8, Offload.MODEL, 0.622, 2.60),
        (6, Offload.GROUP, 0.836, 2.67),
        (4, Offload.SEQUENTIAL, 0.890, 2.68),
    ],
)
def test_steps_and_decoding(gb: int, offload: Offload, step: float, decode: float) -> None:
    """Seconds of an H200 whose allocator was limited to so many GiB."""
    found = on(gb)
    assert found.offload is offload
    assert forecast(found).stage_seconds[Stage.SAMPLING] / 3 == pytest.approx(step, rel=0.25)
    assert forecast(found).stage_seconds[Stage.DECODING] == pytest.approx(decode, rel=0.25)


def test_loading_on_a_large_card() -> None:
    assert forecast(on(80)).stage_seconds[Stage.LOADING] == pytest.approx(11.2, rel=0.25)


@pytest.mark.parametrize(
    ("gb", "stage", "allocated"),
    [
        (80, Stage.SAMPLING, 12.03),
        (80, Stage.DECODING, 32.4),
        (80, Stage.CONDITIONING, 6.15),
        (12, Stage.SAMPLING, 6.64),
        (12, Stage.CONDITIONING, 2.10),
        (6, Stage.SAMPLING, 2.90),
        (6, Stage.DECODING, 2.47),
        (4, Stage.SAMPLING, 2.27),
        (4, Stage.DECODING, 2.29),
    ],
)
def test_memory_is_never_planned_below_what_was_allocated(gb: int, stage: Stage, allocated: float) -> None:
    """GiB of tensors. The plan adds what lies outside of the allocator (0.5) and a tenth for its gaps."""
    assert allocated <= forecast(on(gb)).peaks[stage] / GIB - 0.5 <= 1.25 * allocated


@pytest.mark.parametrize(("width", "height", "operations"), [(1024, 576, 160), (848, 480, 105)])
def test_operations_of_a_step_with_guidance(width: int, height: int, operations: float) -> None:
    """10¹², counted on the full-size architecture."""
    found = replace(on(80), width=width, height=height)
    assert 2 * unet_operations(found) / 1e12 == pytest.approx(operations, rel=0.02)


def test_guidance_in_two_passes_and_chunks_cost_time() -> None:
    one = replace(on(80), two_pass=False)
    two = next_fallback(one, Stage.SAMPLING)
    assert two is not None
    chunked = next_fallback(two, Stage.SAMPLING)
    assert chunked is not None
    steps = [forecast(found).stage_seconds[Stage.SAMPLING] for found in (one, two, chunked)]
    assert steps[1] / steps[0] == pytest.approx(0.719 / 0.651, rel=0.02)
    assert steps[1] < steps[2] < 1.1 * steps[1]


def test_two_cores_as_before() -> None:
    """20 s a step of a full-size model without shortcuts and attention counted in, 2.5 s a frame decoded."""
    cores = Machine(ram_total=16 * GIB, ram_free=13 * GIB, cpu_bf16=True, cpu_half=True, cpu_speed=0.35)
    found = forecast(plan(cores, replace(FULL, frames=14), Work(448, 256, 14, 10, False))).stage_seconds
    assert found[Stage.SAMPLING] == pytest.approx(200, rel=0.05)
    assert found[Stage.DECODING] == pytest.approx(35, rel=0.05)


def test_mini_on_two_cores() -> None:
    """0.17 s a pass of 14 frames; 0.014 s a decoded frame. The VAE's own: 0.32 s in fp32, 0.4 of that in bf16."""
    cores = Machine(ram_total=16 * GIB, ram_free=13 * GIB, cpu_bf16=True, cpu_half=True, cpu_speed=0.35)
    size = model_size(ROOT / "assets" / "mini", 256, 144, 14)
    found = forecast(plan(cores, size, Work(256, 144, 14, 10, False))).stage_seconds
    assert found[Stage.SAMPLING] / 10 == pytest.approx(0.17, rel=0.25)
    assert found[Stage.DECODING] / 14 == pytest.approx(0.014, rel=0.25)
    temporal = replace(size, vae=size.vae - size.patch_decoder, patch_decoder=0)
    found = forecast(plan(cores, temporal, Work(256, 144, 14, 10, False))).stage_seconds
    assert found[Stage.DECODING] / 14 == pytest.approx(0.32 * 0.4, rel=0.25)


def test_attention_is_read_from_the_models_configuration() -> None:
    mini = model_size(ROOT / "assets" / "mini", 256, 144, 14)
    assert mini.attention == 4 * 96 / 16, "one block down, two up and one in the middle, all at half the size"
    assert XT.attention == pytest.approx(5 * 320 + 5 * 40 + 5 * 5 + 1280 / 4096)
    assert set(SHORTCUTS) == {"cpu", "cuda"}


@pytest.mark.parametrize(
    ("total", "chunk", "frames"), [(25, 25, 25), (25, 13, 29), (25, 7, 33), (25, 4, 25), (6, 1, 6)]
)
def test_frames_decoded_with_their_neighbours(total: int, chunk: int, frames: int) -> None:
    assert decoded_frames(total, chunk) == frames
    assert sum(end - first for first, end in chunk_ranges(total, chunk)) == total


def test_of_a_video_shorter_than_a_window_no_more_is_decoded() -> None:
    """25 frames are sampled for a second of six; seven are decoded, in less memory."""
    short, whole = (plan(H100, XT, replace(ONE_WINDOW, frames=n, shown_frames=2 * n)) for n in (6, 24))
    assert (short.decode_chunk, whole.decode_chunk) == (7, 25)
    one, other = forecast(short), forecast(whole)
    assert one.stage_seconds[Stage.SAMPLING] == other.stage_seconds[Stage.SAMPLING]
    assert one.stage_seconds[Stage.DECODING] < 0.5 * other.stage_seconds[Stage.DECODING]
    assert one.peaks[Stage.DECODING] < 0.6 * other.peaks[Stage.DECODING]
