"""Decoding and what runs beside it: added where they share the cores, hidden where they do not."""

from dataclasses import replace

import pytest
from fanslymotion.pipeline.families.base import Work
from fanslymotion.pipeline.families.costs.finishing import CLOSING, decoding_and_saving
from fanslymotion.pipeline.families.svd.model_size import FULL
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.hardware.units import GIB
from fanslymotion.pipeline.memory.planner import plan
from fanslymotion.pipeline.progress import Stage

CARD = Machine("cuda", "card", 80 * GIB, 79 * GIB, 64 * GIB, 48 * GIB, cores=8, gpu_speed=40)
WORK = Work(1024, 576, 40, 25, True, 80, 1280 * 720)
ON_CARD = replace(plan(CARD, FULL, WORK), decode_chunk=10)
ON_CPU = replace(ON_CARD, device="cpu")


def seconds(plan, *parts: float) -> tuple[float, float]:
    found = decoding_and_saving(plan, *parts)
    return found[Stage.DECODING], found[Stage.SAVING] - CLOSING


def test_a_card_decodes_while_the_processor_finishes() -> None:
    assert seconds(ON_CARD, 30, 4, 8) == pytest.approx((30, 2)), "a quarter of the frames comes last"
    assert seconds(ON_CARD, 3, 4, 8) == pytest.approx((6, 2)), "the processor is the slower one"


def test_a_processor_does_both() -> None:
    assert seconds(ON_CPU, 30, 4, 8) == pytest.approx((33, 2))


def test_an_upscaler_computes_where_the_decoder_does() -> None:
    assert seconds(ON_CARD, 30, 4, 8, 20) == pytest.approx((45, 7))
    assert seconds(ON_CPU, 30, 4, 8, 20) == pytest.approx((48, 7))


def test_frames_that_are_decoded_in_one_go_are_all_finished_afterwards() -> None:
    assert seconds(replace(ON_CPU, decode_chunk=60), 30, 4, 8) == pytest.approx((30, 8))


@pytest.mark.parametrize("where", [ON_CARD, ON_CPU])
def test_a_longer_video_takes_longer(where) -> None:
    long = replace(where, work=replace(WORK, frames=80))
    assert sum(seconds(long, 60, 8, 16)) > sum(seconds(where, 30, 4, 8))
