"""The whole path: file, progress, metadata, cancel at every stage, errors, and nothing left behind."""

import math
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
import torch
from fanslymotion.bench.metrics import psnr
from fanslymotion.errors import BadInput, Cancelled, RenderError
from fanslymotion.models.find import find_model
from fanslymotion.pipeline import stages
from fanslymotion.pipeline.families.flow.weights_files import fingerprints
from fanslymotion.pipeline.families.svd.conditioning import encode
from fanslymotion.pipeline.families.svd.model import LoadedModel
from fanslymotion.pipeline.media import encoder_thread as film_module
from fanslymotion.pipeline.media.encode import VideoEncoder
from fanslymotion.pipeline.media.ffmpeg import ffmpeg_path
from fanslymotion.pipeline.media.mp4 import probe, read_metadata
from fanslymotion.pipeline.media.normalised_photo import NormalisedPhoto
from fanslymotion.pipeline.model_cache import ModelCache
from fanslymotion.pipeline.progress import Progress, Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.pipeline.resolve import resolve
from fanslymotion.pipeline.video_file import SMALL_PHOTO
from fanslymotion.presets import Presets
from fanslymotion.settings import ROOT, Settings
from fanslymotion.tests.soak import soak
from PIL import Image, ImageColor


def ours() -> set[str]:
    """Threads of the pipeline that are alive."""
    names = ("fanslymotion", "interpolate")
    return {thread.name for thread in threading.enumerate() if thread.name.startswith(names)}


@pytest.mark.parametrize("change", [Path.unlink, lambda file: file.write_bytes(b"another file")])
def test_a_file_of_weights_that_goes_or_changes_after_loading_costs_no_video(
    run: Callable, fast: VideoRequest, presets: Presets, settings: Settings, tmp_path: Path, change: Callable
) -> None:
    """It lay on a disk that was unplugged, or a newer one was copied over it."""
    file = tmp_path / "weights.gguf"
    file.write_bytes(b"a file")
    found = find_model(fast.model, presets, settings)
    model = replace(found, preset=found.preset.model_copy(update={"weights": (str(file),)}))
    used = list(fingerprints(model.preset))

    def on_progress(moment: Progress) -> None:
        if moment.stage is Stage.SAMPLING and not changed:
            changed.append(moment)
            change(file)

    changed: list[Progress] = []
    result = run(fast, model=model, progress=on_progress)
    assert changed
    assert read_metadata(result.path)["model"]["weights"] == used


def test_the_file_and_what_is_told_on_the_way(run: Callable, fast: VideoRequest) -> None:
    seen: list[Progress] = []
    request = replace(fast, quality="standard", detail=True, motion_bucket_id=40)
    result = run(request, progress=seen.append, record={"job": "7", "name": "кот.jpg"})
    info = probe(result.path)
    assert (info.codec, info.pixel_format) == ("h264", "yuv420p")
    assert (info.width, info.height, info.frames, info.fps, info.duration) == (128, 72, 24, 12, 2)
    assert (result.width, result.height, result.frames, result.fps) == (128, 72, 24, 12)
    assert "untrained" in result.warnings[0]
    assert set(result.stage_seconds) <= {stage.value for stage in Stage}
    assert ours() == set()

    stages = [moment.stage for moment in seen]
    assert stages == sorted(stages, key=list(Stage).index), "stages come in their order"
    assert set(stages) == set(Stage)
    fractions = [moment.fraction for moment in seen]
    assert fractions == sorted(fractions)
    assert fractions[0] >= 0
    assert fractions[-1] <= 1
    # The file of so few pixels is saved before a step of that is told: see test_encode.py for those.
    assert max(later - earlier for earlier, later in pairwise([0.0, *fractions])) < 0.5, "no stage is taken at one leap"
    steps = [moment for moment in seen if moment.x0 is not None]
    assert [(moment.step, moment.steps, moment.window, moment.windows) for moment in steps] == [
        (i + 1, 9, i // 3 + 1, 3) for i in range(9)
    ]
    assert steps[0].x0.shape == (6, 4, 4, 7)
    assert all(moment.eta_seconds is None for moment in steps), "decoding was never measured on this machine"
    assert steps[0].preview is not None
    assert steps[0].preview()[8:12] == b"WEBP"

    settings = read_metadata(result.path)
    assert settings["job"] == {"job": "7", "name": "кот.jpg"}
    assert VideoRequest.from_json(settings["request"]) == request
    assert settings["sampling"]["motion_bucket_id"] == 40
    assert settings["model"]["random"] is True


def test_a_folder_as_model_and_an_upright_photo(
    run: Callable, fast: VideoRequest, tiny_model: Path, photo: Path, tmp_path: Path
) -> None:
    upright = tmp_path / "upright.png"
    with Image.open(photo) as image:
        image.transpose(Image.Transpose.ROTATE_90).save(upright)
    result = run(replace(fast, model=str(tiny_model), fit="pad", seconds=1), photo=upright, model_cache=ModelCache())
    info = probe(result.path)
    assert (info.width, info.height) == (72, 128)
    assert not result.warnings
    assert str(tiny_model.parent) not in str(read_metadata(result.path)), "no path of this machine goes into the file"


@pytest.mark.parametrize(("fit", "size"), [("crop", (1080, 1920)), *soak(("pad", (2232, 928)))])
def test_detail_at_1080p_in_every_shape(
    fit: Any, size: tuple[int, int], run: Callable, fast: VideoRequest, tmp_path: Path
) -> None:
    """An upright photo, and a panorama that is padded."""
    photo = tmp_path / "shape.png"
    with Image.open(ROOT / "assets" / "sample.jpg") as image:
        image.resize((900, 1600) if fit == "crop" else (1600, 400)).save(photo)
    result = run(replace(fast, resolution="1080p", seconds=1, steps=1, detail=True, fit=fit), photo=photo)
    assert (result.width, result.height) == size
    assert probe(result.path).frames == 6
    assert read_metadata(result.path)["request"]["detail"] is True
    assert not any("small" in note for note in result.warnings)


@pytest.mark.parametrize(("position", "kept"), [(0.0, "left"), (None, "middle"), (1.0, "right")])
def test_a_shape_is_cut_from_the_photo_where_it_was_asked_for(
    position: float | None, kept: str, run: Callable, fast: VideoRequest, tmp_path: Path
) -> None:
    """What the model gets, what the file says, and its size."""
    colours = {"left": "red", "middle": "lime", "right": "blue"}
    photo = Image.new("RGB", (1200, 400))
    for at, colour in enumerate(colours.values()):
        photo.paste(Image.new("RGB", (400, 400), colour), (400 * at, 0))
    photo.save(tmp_path / "three.png")
    seen: list[Image.Image] = []
    whole = stages.begin

    def begin(model: Any, clip: Any, image: Image.Image, words: Any, last: Any) -> Any:
        seen.append(image)
        return whole(model, clip, image, words, last)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "begin", begin)
        result = run(replace(fast, shape="1:1", position=position, seconds=1), photo=tmp_path / "three.png")
    assert seen[0].width == seen[0].height
    strayed = np.abs(np.asarray(seen[0]).astype(int) - ImageColor.getrgb(colours[kept]))
    assert strayed.mean() < 1, "but for the edge, over which the scaling reaches"
    info = probe(result.path)
    assert (info.width, info.height) == (result.width, result.height) == (96, 96)
    told = read_metadata(result.path)["request"]
    assert (told["shape"], told["position"]) == ("1:1", position)


def test_another_part_of_the_photo_is_another_video(presets: Presets, settings: Settings) -> None:
    model = find_model("mini", presets, settings)

    class Photo:
        def digest(self) -> str:
            return "same"

    def key(**changes: Any) -> str:
        request = VideoRequest(seed=1, **changes)
        return resolve(request, (1600, 900), model, presets).key(cast(NormalisedPhoto, Photo()), "weights")

    asked = [
        {},
        {"shape": "1:1"},
        {"shape": "1:1", "position": 0.2},
        {"shape": "9:16"},
        {"shape": "9:16", "position": 1.0},
    ]
    assert len({key(**changes) for changes in asked}) == len(asked)
    assert key(shape="1:1", position=0.5) == key(shape="1:1")


def test_a_photo_too_small_to_give_detail_is_said(
    run: Callable, fast: VideoRequest, add_model: Callable, tmp_path: Path
) -> None:
    with Image.open(ROOT / "assets" / "sample.jpg") as image:
        image.resize((64, 64)).save(tmp_path / "small.png")
    request, said = replace(fast, seconds=1, steps=1, detail=True), SMALL_PHOTO.format(size="64×64")
    request, presets = replace(request, model="finer"), add_model("finer", 104, 56)
    assert said in run(request, photo=tmp_path / "small.png", presets=presets).warnings
    without = run(replace(request, detail=False), photo=tmp_path / "small.png", presets=presets)
    assert said not in without.warnings
    assert read_metadata(without.path)["request"]["detail"] is False
    place = {"presets": add_model("as-shown", 128, 72), "work": tmp_path / "as shown"}
    as_drawn = run(replace(request, model="as-shown"), photo=tmp_path / "small.png", **place)
    assert said not in as_drawn.warnings, "nothing is enlarged"


def test_the_edges_that_a_model_draws_badly_are_not_shown(
    run: Callable, fast: VideoRequest, add_model: Callable, tmp_path: Path
) -> None:
    clips = {}
    for name, trim in (("whole", 0), ("trimmed", 8)):
        presets = add_model(name, 128, 72, trim=trim)
        made = run(replace(fast, model=name, seconds=1, steps=1), presets=presets, out=tmp_path / f"{name}.mp4")
        raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-")
        read = subprocess.run([ffmpeg_path(), "-v", "error", "-i", made.path, *raw], capture_output=True, check=True)
        clips[name] = np.frombuffer(read.stdout, np.uint8).reshape(-1, 72, 128, 3)
    for whole, trimmed in zip(clips["whole"], clips["trimmed"], strict=True):
        assert trimmed.shape == whole.shape
        inner = cv2.resize(whole[8:-8, 8:-8], (128, 72), interpolation=cv2.INTER_LANCZOS4)
        assert psnr(trimmed, inner) > psnr(trimmed, whole) + 3


@pytest.mark.parametrize("stage", list(Stage))
def test_cancel_leaves_nothing(stage: Stage, run: Callable, tmp_path: Path) -> None:
    def cancel(moment: Progress) -> None:
        if moment.stage == stage and (moment.step > 0 or stage == Stage.SAVING):
            raise Cancelled

    cache = ModelCache()
    with pytest.raises(Cancelled):
        run(progress=cancel, model_cache=cache)
    assert not list(tmp_path.glob("*clip.mp4*"))
    if stage == Stage.LOADING:
        assert cache.loaded is None
        cache.release()  # waits for what was being read
    assert ours() == set()


def test_cancel_while_the_encoder_is_behind(run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The decoder waits for a slow disk: cancel does not."""
    monkeypatch.setattr(film_module, "POLL_SECONDS", 0.01)
    gate = threading.Event()
    real = VideoEncoder.write

    def slow(self: VideoEncoder, frame: np.ndarray) -> None:
        gate.wait(30)
        real(self, frame)

    monkeypatch.setattr(VideoEncoder, "write", slow)
    calls = 0

    def cancel(moment: Progress) -> None:
        nonlocal calls
        calls += moment.stage == Stage.DECODING
        if calls == 5:
            gate.set()
            raise Cancelled

    with pytest.raises(Cancelled):
        run(progress=cancel)
    assert not list(tmp_path.glob("*clip.mp4*"))
    assert ours() == set()


def test_an_encoder_that_fails_fails_the_job_and_the_latents_stay(
    run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: VideoEncoder, frame: np.ndarray) -> None:
        raise RenderError("the disk is full; free some space and retry")

    monkeypatch.setattr(VideoEncoder, "write", full)
    with pytest.raises(RenderError, match="disk is full"):
        run()
    assert not list(tmp_path.glob("*clip.mp4*"))
    assert ours() == set()
    monkeypatch.undo()
    measures: dict[str, Any] = {}
    run(measures=measures)
    assert measures["resumed"] == (3, 0)


def test_numbers_that_are_not_finite_fail_at_the_step_they_appear(run: Callable, model_cache: ModelCache) -> None:
    run()
    unet = model_cache._loaded.unet  # type: ignore[union-attr]
    steps: list[int] = []
    handle = unet.register_forward_hook(lambda module, args, output: (output[0] * math.nan,))
    try:
        with pytest.raises(RenderError, match="step 1 of 4"):
            run(VideoRequest(resolution="small", seconds=2, quality="sampled", steps=4), progress=steps.append)
    finally:
        handle.remove()


def test_a_failed_encode_leaves_the_vae_in_its_numbers(loaded: LoadedModel) -> None:
    """A half-precision VAE is raised to float32 to encode the photo, and goes back whatever happens there."""
    vae = loaded.vae
    vae.to(torch.float16)
    handle = vae.encoder.register_forward_pre_hook(_fail)
    try:
        with pytest.raises(RuntimeError, match="out of luck"):
            encode(loaded, torch.zeros(1, 3, 72, 128))
        assert vae.dtype == torch.float16
    finally:
        handle.remove()
        vae.to(torch.float32)


def _fail(module: Any, args: Any) -> None:
    assert args[0].dtype == torch.float32
    raise RuntimeError("out of luck")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resolution": "999p"}, "resolution is '999p'; choose one of"),
        ({"seconds": 7}, "seconds is 7; choose one of"),
        ({"quality": "best"}, "quality is 'best'"),
        ({"model": "no-such-model"}, "model is 'no-such-model'; choose one of"),
        ({"model": "svd-xt"}, "download it: fanslymotion models download svd-xt"),
    ],
)
def test_a_request_that_cannot_be_met(changes: dict, message: str, run: Callable, fast: VideoRequest) -> None:
    with pytest.raises(Exception, match=message) as caught:
        run(replace(fast, **changes), model_cache=ModelCache())
    assert isinstance(caught.value, BadInput) or "model" in changes


def test_the_seed_decides(run: Callable, fast: VideoRequest, tmp_path: Path) -> None:
    hashes = []
    for i, seed in enumerate((1, 1, 2)):
        measures: dict[str, Any] = {}
        run(replace(fast, seed=seed, seconds=1), work=tmp_path / str(i), measures=measures)
        hashes.append(measures["frames_sha256"])
    assert hashes[0] == hashes[1] != hashes[2]
