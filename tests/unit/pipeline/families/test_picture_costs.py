"""What pictures cost: encoding the photo, by the networks' own operations, and ending the video with one."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from fanslymotion.models.find import find_model
from fanslymotion.pipeline.families import family
from fanslymotion.pipeline.families.base import MemoryPlan, Work
from fanslymotion.pipeline.families.forecast import figure_key, forecast, windows
from fanslymotion.pipeline.families.ltx.cost import COST as LTX
from fanslymotion.pipeline.families.ltx.folder import BUNDLED
from fanslymotion.pipeline.families.ltx.folder import FULL as LTX_FULL
from fanslymotion.pipeline.families.svd.cost import ENCODE_FLOP
from fanslymotion.pipeline.families.wan.cost import COST as WAN
from fanslymotion.pipeline.families.wan.folder import FULL as WAN_FULL
from fanslymotion.pipeline.families.wan_a14b.cost import COST as A14B
from fanslymotion.pipeline.families.wan_a14b.cost import frames_encoded
from fanslymotion.pipeline.families.wan_a14b.folder import FULL as A14B_FULL
from fanslymotion.pipeline.families.weights.folders import read_json
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.hardware.units import GIB
from fanslymotion.pipeline.memory.planner import plan
from fanslymotion.pipeline.memory.request_plan import work_of
from fanslymotion.pipeline.progress import Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets import Presets, load_presets
from fanslymotion.settings import Settings
from torch.utils.flop_counter import FlopCounterMode

CARD = Machine("cuda", "NVIDIA GeForce RTX 4090", 80 * GIB, 79 * GIB, 250 * GIB, 240 * GIB, cores=16, gpu_speed=165)
SIDE = 64
"""Pixels of the counted square."""


def counted(encode: Callable[[], object], frames: int = 1) -> float:
    """Return the operations per pixel and frame of a pass without numbers."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        encode()
    return counter.get_total_flops() / (SIDE * SIDE * frames)


def wan_vae(**changes: Any) -> Any:
    from diffusers import AutoencoderKLWan

    with torch.device("meta"):
        return AutoencoderKLWan(dim_mult=[1, 2, 4, 4], num_res_blocks=2, **changes)


def test_encoders_cost_what_their_convolutions_take() -> None:
    from diffusers import AutoencoderKLLTXVideo, AutoencoderKLTemporalDecoder
    from fanslymotion.pipeline.families.wan.vae import encode_video

    frames = 17
    vae = wan_vae(base_dim=96, z_dim=16)
    with torch.device("meta"):
        video = [torch.empty(1, 3, 1, SIDE, SIDE), *[torch.empty(1, 3, 4, SIDE, SIDE)] * 4]
        assert counted(lambda: encode_video(vae, video), frames) == pytest.approx(A14B.encoder_operations, rel=0.05)
        wan = wan_vae(
            base_dim=160,
            decoder_base_dim=256,
            z_dim=48,
            in_channels=12,
            out_channels=12,
            is_residual=True,
            patch_size=2,
            scale_factor_spatial=16,
        )
        photo = torch.empty(1, 3, 1, SIDE, SIDE)
        assert counted(lambda: wan.encode(photo)) == pytest.approx(WAN.encoder_operations, rel=0.05)
        ltx: Any = AutoencoderKLLTXVideo.from_config(read_json(BUNDLED["vae"]))
        assert counted(lambda: ltx.encode(photo)) == pytest.approx(LTX.encoder_operations, rel=0.05)
        svd: Any = AutoencoderKLTemporalDecoder(
            block_out_channels=(128, 256, 512, 512), down_block_types=("DownEncoderBlock2D",) * 4, layers_per_block=2
        )
        numbers = sum(one.numel() for one in svd.parameters())
        # The middle's attention, which grows with the square, is a tenth at 1024×576 and little here.
        assert counted(lambda: svd.encode(photo[:, :, 0])) == pytest.approx(ENCODE_FLOP * numbers, rel=0.1)


def test_a_whole_window_is_encoded_where_the_photo_has_empty_frames_behind_it() -> None:
    a14b = plan(CARD, A14B_FULL, Work(1280, 720, 96, 4, False, 96, 1280 * 720))
    wan = plan(CARD, WAN_FULL, Work(1280, 704, 144, 50, True, 144, 1280 * 720))
    assert frames_encoded(a14b) == 97
    assert 5 < forecast(a14b).stage_seconds[Stage.CONDITIONING] < 60
    assert forecast(wan).stage_seconds[Stage.CONDITIONING] < 3
    assert encodings(a14b) == {Stage.CONDITIONING: 1, Stage.SAMPLING: 0}
    ended = replace(a14b, work=replace(a14b.work, ends=True))
    assert encodings(ended)[Stage.SAMPLING] == 1, "with the picture at the end"
    for ends in (False, True):
        longer = replace(a14b, work=replace(a14b.work, frames=192, ends=ends))
        assert windows(longer).count == 2
        assert encodings(longer)[Stage.SAMPLING] == 1, "the second window begins with a picture of its own"


def encodings(now: MemoryPlan) -> dict[Stage, float]:
    """Return how many times a stage encodes a whole window."""
    free = replace(A14B, encoder_operations=0.0).seconds(now)
    return {
        stage: pytest.approx((A14B.seconds(now)[stage] - free[stage]) / A14B.encoding(now), abs=1e-6)
        for stage in (Stage.CONDITIONING, Stage.SAMPLING)
    }


def on_cpu(name: str, presets: Presets, settings: Settings) -> float:
    from fanslymotion.pipeline.memory.request_plan import size_of

    model = find_model(name, presets, settings)
    request = VideoRequest(model=name)
    machine = Machine(ram_total=256 * GIB, ram_free=250 * GIB, cores=2, cpu_speed=0.2)
    now = plan(machine, size_of(model), work_of(request, (1600, 900), model, presets))
    return forecast(now).stage_seconds[Stage.CONDITIONING]


def test_on_a_processor_the_photo_takes_longer_than_a_second(settings: Settings) -> None:
    presets = load_presets(settings)
    for name in ("svd-xt", "ltx-2b", "wan-5b"):
        assert on_cpu(name, presets, settings) > 2, name
    assert on_cpu("mini", presets, settings) < 2


@pytest.mark.parametrize("seconds", [6, 12])
def test_a_picture_at_the_end_is_tokens_of_its_own(seconds: int) -> None:
    """Of LTX-Video, in the last window: one latent frame more."""
    work = Work(1216, 704, 24 * seconds, 8, False, 24 * seconds, 1280 * 720)
    plain = plan(CARD, LTX_FULL, work)
    ended = replace(plain, work=replace(work, ends=True))
    count, frames = windows(plain).count, windows(plain).frames
    assert count == seconds // 6
    more = (frames + 1) / frames
    found, before = forecast(ended), forecast(plain)
    sampled = found.stage_seconds[Stage.SAMPLING] / before.stage_seconds[Stage.SAMPLING]
    assert (count - 1 + more) / count < sampled < (count - 1 + more**2) / count
    assert found.peaks[Stage.SAMPLING] > before.peaks[Stage.SAMPLING]
    assert found.peaks[Stage.DECODING] == before.peaks[Stage.DECODING]
    assert figure_key(ended, Stage.SAMPLING) != figure_key(plain, Stage.SAMPLING), "its memory is measured by itself"


def test_work_knows_a_loop_and_a_last_picture(settings: Settings) -> None:
    presets = load_presets(settings)
    model = find_model("ltx-2b", presets, settings)

    def ends(**changes: Any) -> bool:
        loop = changes.pop("loop", False)
        return work_of(VideoRequest(model="ltx-2b", loop=loop), (1600, 900), model, presets, **changes).ends

    assert (ends(), ends(loop=True), ends(ends=True)) == (False, True, True)
    assert family("ltx").geometry.stride == 8
