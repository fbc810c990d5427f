"""The estimates against what an H200 took with random weights of the 2B model's size (bench/RESULTS.md)."""

from dataclasses import replace

import pytest
from fanslymotion.pipeline.families.base import MemoryPlan, Offload, Work
from fanslymotion.pipeline.families.ltx.cost import COST
from fanslymotion.pipeline.families.ltx.folder import FULL
from fanslymotion.pipeline.hardware.devices import gpu_speed
from fanslymotion.pipeline.hardware.gpus import Gpus
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.hardware.units import GIB
from fanslymotion.pipeline.memory.planner import plan
from fanslymotion.pipeline.progress import Stage

H200 = Machine(
    "cuda", "H200", 139 * GIB, 138 * GIB, 126 * GIB, 120 * GIB, cores=16,
    gpu_speed=gpu_speed(Gpus("nvidia", capability=9.0, cores=16896, clock_mhz=1980)),
)  # fmt: skip
CONTEXT = 0.68
"""GiB of CUDA's context, outside of what torch reserves."""
WINDOW = Work(1248, 704, 144, 8, False, 144, 1280 * 720)
MODEL = replace(FULL, width=1216, height=704, frames=161)


def on(gb: int) -> MemoryPlan:
    return plan(replace(H200, vram_total=gb * GIB, vram_free=gb * GIB), MODEL, WINDOW)


@pytest.mark.parametrize(
    ("gb", "offload", "reserved"), [(80, Offload.NONE, 8.12), (16, Offload.NONE, 8.12), (8, Offload.MODEL, 5.79)]
)
def test_sampling(gb: int, offload: Offload, reserved: float) -> None:
    found = COST.forecast(on(gb))
    assert on(gb).offload is offload
    assert reserved + CONTEXT < found.peaks[Stage.SAMPLING] / GIB < 1.25 * (reserved + CONTEXT)
    assert found.stage_seconds[Stage.SAMPLING] == pytest.approx(8 * 0.335, rel=0.45)


@pytest.mark.parametrize(("chunk", "reserved"), [(161, 24.87), (33, 9.78)])
def test_decoding(chunk: int, reserved: float) -> None:
    """Bytes reserved for as many frames at 1216×704, the weights beside them."""
    whole = replace(on(80), width=1216, height=704, decode_chunk=chunk)
    planned = COST.forecast(whole).peaks[Stage.DECODING] / GIB
    assert reserved + CONTEXT < planned < 1.35 * (reserved + CONTEXT)


def test_the_text_encoder_sets_what_loading_takes() -> None:
    assert 9.22 < COST.forecast(on(80)).peaks[Stage.LOADING] / GIB < 11


@pytest.mark.parametrize("gb", [6, 8, 12, 16, 24])
def test_usual_cards_sample_at_full_size(gb: int) -> None:
    """With 8 GB it was run; a card with 6 has room for the transformer block by block."""
    found = on(gb)
    assert COST.forecast(found).fits
    assert (found.width, found.height) == (1248, 704)
