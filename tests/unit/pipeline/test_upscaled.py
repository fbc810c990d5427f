"""Whole jobs through a learned upscaler: interrupted, without memory, without the photo's detail, and its record."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fanslymotion.errors import BadInput, HandBack
from fanslymotion.messages import msg
from fanslymotion.models.find import find_model, find_upscaler
from fanslymotion.pipeline.eta import JobClock
from fanslymotion.pipeline.families.svd.cost import forecast
from fanslymotion.pipeline.hardware.measurements import Measurements
from fanslymotion.pipeline.media import upscale
from fanslymotion.pipeline.media.mp4 import probe, read_metadata
from fanslymotion.pipeline.media.upscale.upscaler import Upscaler
from fanslymotion.pipeline.memory.request_plan import plan_request
from fanslymotion.pipeline.progress import Progress, Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.pipeline.video_file import GAVE_UP
from fanslymotion.presets import Presets, load_presets
from fanslymotion.queue.submit import check_request
from fanslymotion.settings import Settings
from fanslymotion.tests.soak import soak
from fanslymotion.tests.tiny_upscaler import COMPACT, write


@pytest.fixture
def fast(fast: VideoRequest, settings: Settings, tmp_path: Path) -> VideoRequest:
    """Two seconds at twice the drawn size, through an upscaler of one's own."""
    path = write(tmp_path / "own" / "model.safetensors", COMPACT)
    folder = settings.presets_dir / "upscalers"
    folder.mkdir(parents=True)
    (folder / "own.toml").write_text(
        f"label = 'Own'\nsource = 'folder'\nfolder = '{path.parent.as_posix()}'\n", encoding="utf-8"
    )
    (settings.presets_dir / "resolutions.toml").write_text("[double]\nwidth = 112\nheight = 64\n", encoding="utf-8")
    (settings.presets_dir / "durations.toml").write_text("[short]\nseconds = 2\n", encoding="utf-8")
    return replace(fast, resolution="double", seconds=2, steps=1, upscaler="own")


@pytest.fixture
def presets(fast: VideoRequest, settings: Settings) -> Presets:
    return load_presets(settings)


def decoded(step: int) -> Callable[[Progress], None]:
    def callback(moment: Progress) -> None:
        if moment.stage == Stage.DECODING and moment.step >= step:
            raise HandBack

    return callback


@pytest.mark.parametrize("detail", [False, *soak(True)])
def test_interrupted_in_mid_decode_the_file_is_the_same(detail: bool, run, fast: VideoRequest, tmp_path: Path) -> None:
    request, files = replace(fast, detail=detail), []
    for name, stops in (("whole", ()), ("broken", (4, 8))):
        place = {"work": tmp_path / name, "out": tmp_path / f"{name}.mp4"}
        for step in stops:
            with pytest.raises(HandBack):
                run(request, progress=decoded(step), **place)
        files.append(run(request, **place).path)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert (probe(files[0]).width, probe(files[0]).height) == (112, 64)
    plain = run(replace(request, upscaler=None), work=tmp_path / "w", out=tmp_path / "plain.mp4").path
    assert plain.read_bytes() != files[0].read_bytes()
    told = read_metadata(files[0])
    assert told["request"]["upscaler"] == told["upscaler"]["name"] == "own"
    assert VideoRequest.from_json(told["request"]) == request
    assert read_metadata(plain)["upscaler"] is None


def test_without_memory_the_video_is_plain_and_says_so(
    run, fast: VideoRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the job is taken up again with memory enough: half a video of each kind would pop."""

    def full(self: Upscaler, frame: object, tile: object) -> None:
        raise RuntimeError("CUDA error: out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(upscale.upscaler.Upscaler, "_run", full)
        result = run(fast)
    assert msg(GAVE_UP, label="Own") in result.warnings
    again = run(fast, out=tmp_path / "again.mp4")
    plain = run(replace(fast, upscaler=None), work=tmp_path / "w", out=tmp_path / "plain.mp4")
    assert msg(GAVE_UP, label="Own") in again.warnings
    assert probe(again.path).frames == probe(plain.path).frames == probe(result.path).frames == 12


def test_what_an_upscaler_took_in_vain_is_no_measurement(
    run, fast: VideoRequest, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The video is plain, and was decoded twice: its times are those of a plain one, of the second try."""
    hand = [0.0]

    def full(self: Upscaler, frame: object, tile: object) -> None:
        hand[0] += 1000.0
        raise RuntimeError("CUDA error: out of memory")

    clock = time.monotonic
    with monkeypatch.context() as patch:
        patch.setattr(upscale.upscaler.Upscaler, "_run", full)
        patch.setattr(JobClock.__init__, "__defaults__", (None, lambda: clock() + hand[0], lambda: 0, None, False))
        result = run(fast)
    assert hand[0]
    told = read_metadata(result.path)
    assert (told["upscaler"], told["request"]["upscaler"]) == (None, "own"), "what was wished, and what was made"
    plain = Measurements(settings.home).read().figures
    for stage in ("decoding", "saving"):
        (figure,) = [figure for key, figure in plain.items() if f"|{stage}|" in key]
        assert figure.seconds < 1000
    assert not [key for key in plain if " own|" in key]
    assert sum(result.stage_seconds[stage] for stage in ("decoding", "saving")) > 1000, "but it was waited for"
    again = run(fast, out=tmp_path / "again.mp4")  # by the note of the first try
    assert again.warnings
    assert Measurements(settings.home).read().figures.keys() == plain.keys()
    run(fast, out=tmp_path / "new.mp4", work=tmp_path / "new")
    assert [key for key in Measurements(settings.home).read().figures if " own|" in key], "what tells them apart"


def test_where_nothing_is_enlarged_it_has_nothing_to_do(
    run, fast: VideoRequest, add_model: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(upscale.upscaler.Upscaler, "_run")
    made = run(replace(fast, model="as-shown"), presets=add_model("as-shown", 112, 64))
    assert made.width == 112
    assert read_metadata(made.path)["upscaler"] is None


def test_the_forecast_knows_its_cost(fast: VideoRequest, presets: Presets, settings: Settings) -> None:
    with_it, without = (
        forecast(
            plan_request(
                request,
                (1600, 900),
                find_model(request.model, presets, settings),
                presets,
                settings,
                upscaler=find_upscaler(request.upscaler, presets, settings),
            )
        )
        for request in (fast, replace(fast, upscaler=None))
    )
    assert with_it.seconds > without.seconds
    assert with_it.peaks[Stage.DECODING] > without.peaks[Stage.DECODING]
    assert with_it.peaks[Stage.SAMPLING] == without.peaks[Stage.SAMPLING]


def test_one_that_is_not_here_is_said_before_anything_begins(
    fast: VideoRequest, presets: Presets, settings: Settings
) -> None:
    with pytest.raises(BadInput, match="choose one of"):
        check_request(replace(fast, upscaler="nothing"), settings)
    with pytest.raises(BadInput, match="fanslymotion models download realesrgan-x4plus") as caught:
        check_request(replace(fast, upscaler="realesrgan-x4plus"), settings)
    assert "нейросети Real-ESRGAN x4plus здесь нет" in caught.value.message.say("ru")
