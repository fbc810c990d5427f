"""Interrupted anywhere and taken up again, a job gives the very frames of an undisturbed one."""

import json
import logging
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fanslymotion.errors import HandBack, RenderError
from fanslymotion.models.find import find_model
from fanslymotion.pipeline.families.placement import Placement
from fanslymotion.pipeline.families.svd.decoding import vae as decode_module
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.hardware.units import GIB
from fanslymotion.pipeline.media.mp4 import probe, read_metadata
from fanslymotion.pipeline.model_cache import ModelCache
from fanslymotion.pipeline.progress import Progress, Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.settings import ROOT, Settings
from fanslymotion.tests.soak import soak

SAMPLE = ROOT / "assets" / "sample.jpg"

STEPS = 3
"""Of each of FAST's three windows."""


KILLED = """
import json, sys
from pathlib import Path
import psutil
from fanslymotion.models.find import find_model
from fanslymotion.pipeline.model_cache import ModelCache
from fanslymotion.pipeline.produce import produce
from fanslymotion.pipeline.progress import Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets import load_presets
from fanslymotion.settings import Settings

request, home, models, photo, work, out, step = sys.argv[1:]
settings = Settings.local(Path(home), Path(models))

def die(moment):
    if moment.stage == Stage.DECODING and moment.step >= int(step):
        print("in mid-decode", flush=True)
        psutil.Process().kill()

request, presets = VideoRequest.from_json(json.loads(request)), load_presets(settings)
produce(
    request, model=find_model(request.model, presets, settings), photo=Path(photo), out=Path(out), work=Path(work),
    settings=settings, presets=presets, renderers=ModelCache(), progress=die,
)
"""
"""A process that makes a video until it kills itself at a step of decoding."""


def at(stage: Stage, step: int):
    """A progress callback that hands the job back at that moment, once."""

    def callback(moment: Progress) -> None:
        if moment.stage == stage and moment.step >= step:
            raise HandBack

    return callback


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Filled by the first test that needs it."""
    return {}


@pytest.fixture(scope="module")
def whole_files() -> dict[str, bytes]:
    """Files of undisturbed runs by resolution, filled by the first test that needs one."""
    return {}


def enlarged(fast: VideoRequest, resolution: str) -> VideoRequest:
    """With the photo's detail and frames in between: what the detail carries along must be found again."""
    return replace(fast, resolution=resolution, quality="standard", detail=True)


def whole_file(run: Any, whole_files: dict[str, bytes], request: VideoRequest, tmp_path: Path) -> bytes:
    if request.resolution not in whole_files:
        made = run(request, photo=SAMPLE, work=tmp_path / "whole", out=tmp_path / "whole.mp4")
        whole_files[request.resolution] = made.path.read_bytes()
    return whole_files[request.resolution]


def frames_of(run: Any, undisturbed: dict[str, Any], tmp_path: Path) -> str:
    if not undisturbed:
        run(work=tmp_path / "undisturbed", out=tmp_path / "undisturbed.mp4", measures=undisturbed)
        assert undisturbed["resumed"] is None
    return undisturbed["frames_sha256"]


@pytest.mark.parametrize(
    ("stage", "step", "resumed"),
    [
        (Stage.CONDITIONING, 1, None),
        (Stage.SAMPLING, 1, (0, 1)),
        (Stage.SAMPLING, 4, (1, 1)),
        (Stage.SAMPLING, 9, (2, 3)),
        (Stage.DECODING, 1, (3, 0)),
        *soak((Stage.SAMPLING, 3, (0, 3)), (Stage.SAMPLING, 8, (2, 2)), (Stage.SAVING, 0, (3, 0))),
    ],
)
def test_handed_back_and_resumed(
    stage: Stage, step: int, resumed: tuple[int, int] | None, run, undisturbed, tmp_path: Path, caplog
) -> None:
    expected = frames_of(run, undisturbed, tmp_path)
    with pytest.raises(HandBack):
        run(progress=at(stage, step))
    assert not list(tmp_path.glob("*clip.mp4*"))
    measures: dict[str, Any] = {}
    seen: list[Progress] = []
    with caplog.at_level(logging.INFO):
        result = run(progress=seen.append, measures=measures)
    assert measures["resumed"] == resumed
    assert measures["frames_sha256"] == expected
    assert probe(result.path).frames == 12
    sampled = [moment.step for moment in seen if moment.stage == Stage.SAMPLING]
    if resumed and resumed[0] < 3:
        assert f"resumed at window {resumed[0] + 1}, step {resumed[1]} of {STEPS}" in caplog.text
        first = resumed[0] * STEPS + resumed[1]
        assert sorted(set(sampled)) == list(range(first, 3 * STEPS + 1))[: 0 if first == 3 * STEPS else None]
    elif resumed:
        assert "resumed after sampling" in caplog.text
        assert not sampled


def test_interrupted_where_features_of_an_earlier_step_are_in_use_the_file_is_the_same(
    run, fast, settings: Settings, presets, tmp_path: Path, caplog
) -> None:
    """Balanced, with guidance: what a step takes from the one before is in no checkpoint, so that none stands there."""
    found = find_model("mini", presets, settings)
    guided = found.preset.sampling.model_copy(update={"max_guidance": 3.0})
    model = replace(found, preset=found.preset.model_copy(update={"modes": None, "sampling": guided}))
    request, whole = replace(fast, mode="balanced", steps=8), {}
    place = {"model": model, "work": tmp_path / "whole", "out": tmp_path / "whole.mp4"}
    run(request, measures=whole, **place)
    wanted = (tmp_path / "whole.mp4").read_bytes()
    assert read_metadata(tmp_path / "whole.mp4")["sampling"]["full_every"] == 3
    place = {"model": model, "work": tmp_path / "broken", "out": tmp_path / "broken.mp4"}
    again: dict[str, Any] = {}
    with caplog.at_level(logging.INFO):
        # Of each window's steps 1 to 8 the 3rd takes features of the 2nd, the 5th and the 6th those of the 4th.
        for step in (3, 4, 5, 8 + 5, 16 + 2):
            with pytest.raises(HandBack):
                run(request, progress=at(Stage.SAMPLING, step), **place)
        run(request, measures=again, **place)
    resumed = re.findall(r"resumed at window (\d), step (\d) of 8", caplog.text)
    assert resumed == [("1", "3"), ("1", "3"), ("1", "3"), ("2", "3"), ("3", "1")]
    assert again["frames_sha256"] == whole["frames_sha256"]
    assert (tmp_path / "broken.mp4").read_bytes() == wanted


def test_interrupted_at_every_second_step(run, undisturbed, tmp_path: Path) -> None:
    """A machine that never lets the job work for long: it still ends, with the same frames."""
    expected = frames_of(run, undisturbed, tmp_path)
    measures: dict[str, Any] = {}

    def impatient():
        steps = 0

        def callback(moment: Progress) -> None:
            nonlocal steps
            steps += moment.stage == Stage.SAMPLING and moment.x0 is not None
            if steps == 4:
                raise HandBack

        return callback

    for _ in range(4):
        try:
            run(progress=impatient(), measures=measures)
            break
        except HandBack:
            continue
    assert measures["frames_sha256"] == expected


@pytest.mark.soak
def test_interrupted_twice_in_mid_decode_the_file_is_the_same(run, fast, whole_files, tmp_path: Path) -> None:
    request = enlarged(fast, "small")
    for step in (3, 9):
        with pytest.raises(HandBack):
            run(request, photo=SAMPLE, progress=at(Stage.DECODING, step))
    again = run(request, photo=SAMPLE)
    assert again.path.read_bytes() == whole_file(run, whole_files, request, tmp_path)


@pytest.mark.parametrize(
    ("resolution", "kills"), [("small", (9,)), pytest.param("720p", (3, 9), marks=pytest.mark.soak)]
)
def test_killed_in_mid_decode_the_file_is_the_same(
    run, fast, whole_files, settings: Settings, tmp_path: Path, resolution: str, kills: tuple[int, ...]
) -> None:
    """A process that ends as by a power cut: nothing is closed, nothing is tidied up, an ffmpeg is left behind."""
    request = enlarged(fast, resolution)
    work, out = tmp_path / "broken", tmp_path / "broken.mp4"
    for step in kills:
        words = json.dumps(request.to_json()), settings.home, settings.models, SAMPLE, work, out, step
        killed = subprocess.run([sys.executable, "-c", KILLED, *map(str, words)], capture_output=True, encoding="utf-8")
        assert "in mid-decode" in killed.stdout, killed.stderr
        assert killed.returncode != 0
        assert not out.exists()
    measures: dict[str, Any] = {}
    again = run(request, photo=SAMPLE, work=work, out=out, measures=measures)
    assert measures["resumed"] == (3, 0), "what was drawn before the kill is not drawn again"
    assert again.path.read_bytes() == whole_file(run, whole_files, request, tmp_path)


def test_a_copy_taken_in_mid_job_resumes_too(run, undisturbed, tmp_path: Path) -> None:
    """What a power cut leaves: no exception was raised anywhere, only what was on the disk is there."""
    expected = frames_of(run, undisturbed, tmp_path)
    copies = []

    def copy(moment: Progress) -> None:
        if moment.stage == Stage.SAMPLING and moment.step in (2, 7):
            copies.append(shutil.copytree(tmp_path / "work", tmp_path / f"copy{moment.step}"))

    run(progress=copy, checkpoint_seconds=0)
    assert len(copies) == 2
    for folder, resumed in zip(copies, [(0, 2), (2, 1)], strict=True):
        measures: dict[str, Any] = {}
        run(work=folder, measures=measures)
        assert measures["resumed"] == resumed
        assert measures["frames_sha256"] == expected


def test_a_checkpoint_of_another_arithmetic_is_not_gone_on_with(run, undisturbed, tmp_path: Path, caplog) -> None:
    """What began under a version without the shortcuts begins anew: no video is drawn half this way, half that way."""
    expected = frames_of(run, undisturbed, tmp_path)
    with pytest.raises(HandBack):
        run(progress=at(Stage.SAMPLING, 4), renderers=ModelCache(shortcuts=False))
    measures: dict[str, Any] = {}
    run(measures=measures)
    assert measures["resumed"] is None
    assert "is not used" in caplog.text
    assert measures["frames_sha256"] == expected


def test_other_settings_do_not_take_the_checkpoint(run, fast, caplog) -> None:
    with pytest.raises(HandBack):
        run(progress=at(Stage.SAMPLING, 4))
    measures: dict[str, Any] = {}
    run(replace(fast, seed=8), measures=measures)
    assert measures["resumed"] is None
    assert "other settings" in caplog.text


def test_frames_that_fail_the_guard_leave_the_latents(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = decode_module.decode_frames
    monkeypatch.setattr(decode_module, "decode_frames", lambda *args: real(*args) * 0)
    with pytest.raises(RenderError, match="frame 1 is black"):
        run()
    assert not list(tmp_path.glob("*clip.mp4*"))
    monkeypatch.undo()
    measures: dict[str, Any] = {}
    run(measures=measures)
    assert measures["resumed"] == (3, 0)


def test_a_job_that_goes_on_with_another_device_says_so(
    run: Any, renderers: ModelCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its frames may differ in the last bits from there. The GPU is pretended: the CPU computes."""
    cpu = Placement(torch.device("cpu"), torch.float32)
    monkeypatch.setattr(Placement, "of", staticmethod(lambda _: cpu))
    gpu = Machine("cuda", "a card", 24 * GIB, 23 * GIB, 64 * GIB, 60 * GIB, gpu_speed=20.0, cores=2)
    machines = (Machine(cores=2), gpu, gpu, replace(gpu, name="another card"))
    for step, machine in enumerate(machines[:-1], 1):
        with pytest.raises(HandBack):
            run(machine=machine, progress=at(Stage.SAMPLING, step), checkpoint_seconds=0.0)
    done = run(machine=machines[-1])
    assert [w for w in done.warnings if "This job ran on" in w] == [
        "This job ran on a card before and goes on with another card: the frames generated from here on may differ "
        "slightly from those that a card would have generated."
    ]
    (tmp_path / "again").mkdir()
    assert not [w for w in run(machine=gpu, work=tmp_path / "again").warnings if "This job ran on" in w]
