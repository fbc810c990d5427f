"""What a request comes to: every resolution, length and quality, and photos of any shape."""

from dataclasses import replace
from itertools import product
from math import log, sqrt

import pytest
from fanslymotion.models.find import find_model
from fanslymotion.pipeline.media.sizes import MULTIPLE, WIDEST, output_size, sampling_size
from fanslymotion.pipeline.memory.request_plan import work_of
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.pipeline.resolve import resolve
from fanslymotion.presets import ModelPreset, Presets, Rate, Resolution
from fanslymotion.presets.options import SHAPES, ShapeName
from fanslymotion.settings import Settings
from hypothesis import example, given
from hypothesis import strategies as st

SIZES = {"480p": (848, 480), "720p": (1280, 720), "1080p": (1920, 1080)}
RATES = {"sampled": 6, "standard": 12, "smooth": 24}
PRESETS = [Resolution(name="x", width=width, height=height) for width, height in [(160, 96), *SIZES.values()]]
MODEL = ModelPreset(name="x", label="x", source="folder", folder="x", width=1024, height=576, frames=25)


def test_every_choice_of_the_form_gives_its_size_length_and_rate(settings: Settings, presets: Presets) -> None:
    for resolution, seconds, quality, upright in product(SIZES, (6, 12), RATES, (False, True)):
        request = VideoRequest(resolution=resolution, seconds=seconds, quality=quality, seed=1)
        model = find_model(request.model, presets, settings)
        order = resolve(request, (1080, 1920) if upright else (1920, 1080), model, presets)
        assert (order.width, order.height) == SIZES[resolution][:: -1 if upright else 1]
        assert (order.fps, order.shown) == (RATES[quality], RATES[quality] * seconds)
        assert order.clip.plan.sampled >= order.frames == 6 * seconds


def test_a_models_own_rates_go_before_those_of_lengths_and_qualities(settings: Settings, presets: Presets) -> None:
    """What is sampled at 24 frames a second is shown as it is; a quality that the preset leaves out is as usual."""
    model = find_model("mini", presets, settings)
    own = model.preset.model_copy(update={"rates": {"smooth": Rate(fps=24)}})
    for quality, frames, shown in (("smooth", 144, 144), ("standard", 36, 72)):
        request = VideoRequest(seconds=6, quality=quality)
        order = resolve(request, (1920, 1080), replace(model, preset=own), presets)
        work = work_of(request, (1920, 1080), replace(model, preset=own), presets)
        assert (order.frames, order.shown, order.fps) == (frames, shown, shown // 6)
        assert (work.frames, work.shown_frames) == (frames, shown)


sides = st.integers(64, 20_000)
resolutions = st.sampled_from(PRESETS)


def check_shaped(size: tuple[int, int], shape: float, base: tuple[int, int], tolerance: float) -> None:
    """`base` where it has about that shape; else its area in that shape, to a grid line beside either side.

    Not always to the next one: the size must stay as it is for a photo of that size. A shape that comes within the
    tolerance by being rounded to the grid counts, too.
    """
    rounding = MULTIPLE / min(size)
    if size in (base, base[::-1]) and abs(log(size[0] / size[1] / shape)) <= tolerance + rounding:
        return
    area = base[0] * base[1]
    assert size[0] == pytest.approx(sqrt(area * shape), abs=1.5 * MULTIPLE)
    assert size[1] == pytest.approx(sqrt(area / shape), abs=1.5 * MULTIPLE)
    assert abs(log(size[0] / size[1] / shape)) < rounding


@given(width=sides, height=sides, resolution=resolutions)
@example(width=4786, height=8181, resolution=Resolution(name="x", width=1920, height=1080))  # 1.04002 times 9:16
def test_a_clip_has_the_presets_area_in_the_photos_shape(width: int, height: int, resolution: Resolution) -> None:
    size = output_size((width, height), resolution)
    assert [side % MULTIPLE for side in size] == [0, 0]
    shape = min(max(width / height, 1 / WIDEST), WIDEST)
    check_shaped(size, shape, (resolution.width, resolution.height), log(1.04))
    assert output_size((height, width), resolution) == size[::-1]


@given(width=sides, height=sides, resolution=resolutions)
def test_a_model_never_draws_more_than_it_was_trained_for(width: int, height: int, resolution: Resolution) -> None:
    output = output_size((width, height), resolution)
    drawn = sampling_size(output, MODEL)
    assert [side % MULTIPLE for side in drawn] == [0, 0]
    if output[0] * output[1] <= MODEL.width * MODEL.height:
        assert drawn == output
    else:
        check_shaped(drawn, output[0] / output[1], (MODEL.width, MODEL.height), log(1.015))


@given(width=sides, height=sides, resolution=resolutions, multiple=st.sampled_from((16, 32)))
def test_a_family_with_a_wider_grid_draws_on_it(width: int, height: int, resolution: Resolution, multiple: int) -> None:
    output = output_size((width, height), resolution)
    drawn = sampling_size(output, MODEL, multiple)
    assert [side % multiple for side in drawn] == [0, 0]
    for side, wanted in zip(drawn, sampling_size(output, MODEL), strict=True):
        assert abs(side - wanted) < multiple + MULTIPLE


@pytest.mark.parametrize("size", SIZES.values())
def test_a_photo_of_about_the_presets_shape_gives_exactly_its_size(size: tuple[int, int]) -> None:
    resolution = Resolution(name="x", width=size[0], height=size[1])
    assert output_size((4000, 2250), resolution) == size
    assert output_size((2250, 4000), resolution) == size[::-1]


@given(width=sides, height=sides, resolution=resolutions, shape=st.sampled_from(SHAPES[1:]))
def test_a_chosen_shape_counts_and_not_the_photos(
    width: int, height: int, resolution: Resolution, shape: ShapeName
) -> None:
    size = output_size((width, height), resolution, shape)
    assert [side % MULTIPLE for side in size] == [0, 0]
    across, down = map(int, shape.split(":"))
    check_shaped(size, across / down, (resolution.width, resolution.height), log(1.04))


def test_the_sizes_of_each_shape() -> None:
    found = {
        shape: [output_size((4000, 3000), Resolution(name="x", width=w, height=h), shape) for w, h in SIZES.values()]
        for shape in SHAPES
    }
    assert found["16:9"] == [(848, 480), (1280, 720), (1920, 1080)]
    assert found["9:16"] == [(480, 848), (720, 1280), (1080, 1920)]
    assert found["1:1"] == [(640, 640), (960, 960), (1440, 1440)]
    assert all(abs(w / h / 0.8 - 1) < 0.02 for w, h in found["4:5"])
    assert found["photo"][0] == output_size((4000, 3000), Resolution(name="x", width=848, height=480))
