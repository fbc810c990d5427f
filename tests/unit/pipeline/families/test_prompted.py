"""What both families that read a prompt must do alike: interrupted anywhere, the frames stay the same."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from fanslymotion.errors import HandBack
from fanslymotion.pipeline.families import family
from fanslymotion.pipeline.families.flow.family import FlowFamily
from fanslymotion.pipeline.families.flow.text import text_encoder
from fanslymotion.pipeline.media.mp4 import read_metadata
from fanslymotion.pipeline.progress import Progress, Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets import Sampling
from fanslymotion.tests.soak import soak

WHOLE: dict[str, Any] = {}
"""By family: the measures of a video that nothing interrupted."""


@dataclass(frozen=True)
class Case:
    """A family with its tiny model: `make` takes a request, and keywords of `produce`."""

    name: str
    folder: Path
    make: Callable[..., Any]
    steps: int

    @property
    def request(self) -> VideoRequest:
        """4 s at 24 frames a second: two windows that share a few latent frames."""
        return VideoRequest(
            "small", 4, "sampled", seed=7, steps=self.steps, prompt="A boat sways", detail=False, model=self.name
        )


@pytest.fixture(params=[("ltx", 8), *soak((("wan", 4),))], ids=lambda param: param[0])
def case(request: pytest.FixtureRequest, make_with: Callable) -> Case:
    name, steps = request.param
    folder = request.getfixturevalue(f"brief_{name}")
    return Case(name, folder, lambda asked, **changes: make_with(folder, asked, **changes), steps)


def test_what_is_told_on_the_way(case: Case) -> None:
    seen: list[Progress] = []
    case.make(case.request, progress=seen.append)
    stages = [moment.stage for moment in seen]
    assert stages == sorted(stages, key=list(Stage).index)
    fractions = [moment.fraction for moment in seen]
    assert fractions == sorted(fractions)
    steps = [moment for moment in seen if moment.x0 is not None]
    count = case.steps
    assert [(m.step, m.steps, m.window, m.windows) for m in steps] == [
        (i + 1, 2 * count, i // count + 1, 2) for i in range(2 * count)
    ]
    assert steps[0].preview is not None
    assert steps[0].preview()[8:12] == b"WEBP"


@pytest.mark.parametrize("share", [1.0, 1.5, *soak(0.4, 2.0)])
def test_taken_up_again(share: float, case: Case, tmp_path: Path) -> None:
    """Where the windows meet and in the second; `test_resume` has each place of the loop, which all families share.

    share: of a window's steps.
    """
    step, count = round(share * case.steps), case.steps
    if case.name not in WHOLE:
        WHOLE[case.name] = {}
        case.make(case.request, work=tmp_path / "whole", out=tmp_path / "whole.mp4", measures=WHOLE[case.name])

    def hand_back(moment: Progress) -> None:
        if moment.stage is Stage.SAMPLING and moment.step >= step:
            raise HandBack

    with pytest.raises(HandBack):
        case.make(case.request, progress=hand_back)
    measures: dict[str, Any] = {}
    case.make(case.request, measures=measures)
    assert measures["resumed"] in (divmod(step, count), (step // count - 1, count))
    assert measures["latents"].equal(WHOLE[case.name]["latents"])
    assert measures["frames_sha256"] == WHOLE[case.name]["frames_sha256"]


def test_prompts_are_encoded_once(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second video with the same prompt reads it from the disk, in a program where no encoder can be loaded."""
    request = replace(case.request, seconds=1)
    first: dict[str, Any] = {}
    case.make(request, measures=first)

    def refuse(*_: Any) -> None:
        raise AssertionError("the text encoder was loaded again")

    with monkeypatch.context() as patch:
        patch.setattr(text_encoder, "read_encoder", refuse)
        again: dict[str, Any] = {}
        case.make(request, measures=again, work=tmp_path / "again")
    found = {first["frames_sha256"]}
    assert again["frames_sha256"] in found
    for i, prompt in enumerate(("", "Лодка 🚤 качается, قارب يتمايل")):
        other: dict[str, Any] = {}
        result = case.make(replace(request, prompt=prompt), measures=other, work=tmp_path / str(i))
        assert read_metadata(result.path)["request"]["prompt"] == prompt
        found.add(other["frames_sha256"])
    assert len(found) == 3


@pytest.mark.parametrize(
    ("case", "letter"), [(("ltx", 8), "sea "), (("ltx", 8), "море"), (("wan", 4), "🚤")], indirect=["case"]
)
def test_a_prompt_that_is_too_long_is_cut_and_said(case: Case, letter: str) -> None:
    """Whatever its letters take in the video file, which has no room for all of them."""
    prompt = letter * (10_000 // len(letter))
    result = case.make(replace(case.request, seconds=1, prompt=prompt))
    told = read_metadata(result.path)["request"]["prompt"]
    assert prompt.startswith(told)
    assert len(told) > 300
    said = [str(warning) for warning in result.warnings]
    assert any("its end was left out: «" in line and len(line) < 200 for line in said), said


def test_the_fingerprints_change_with_their_own_files(case: Case, tmp_path: Path) -> None:
    kind = family(case.name)
    assert isinstance(kind, FlowFamily)
    folder = tmp_path / "model"
    shutil.copytree(case.folder, folder)

    def found(place: Path) -> list[str]:
        return [kind.folders.fingerprint(place, parts) for parts in (("text_encoder", "tokenizer"), ("transformer",))]

    before = found(folder)
    assert before == found(case.folder)
    (folder / "text_encoder" / "config.json").write_text("{}", encoding="utf-8")
    after = found(folder)
    assert (after[0] != before[0], after[1] == before[1]) == (True, True)
    weights = next((folder / "transformer").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    assert found(folder)[1] != after[1], "another training, in a file of the same size"


@pytest.mark.parametrize("name", ["ltx", "wan", "wan_a14b"])
def test_what_a_preset_says_of_sampling_counts(name: str, request: pytest.FixtureRequest) -> None:
    """A user's preset: its levels and its solver are taken, and a checkpoint made with others is not gone on with."""
    model, asked = request.getfixturevalue(name), VideoRequest(seconds=1)

    def options(**sampling: Any) -> Any:
        preset = model.model.preset.model_copy(update={"sampling": Sampling.model_validate(sampling)})
        return preset, family(name).options(asked, preset, 12)

    preset, noisy = options(schedule="fixed", sigmas=[1.0, 0.6], solver="lcm")
    found = replace(model, model=replace(model.model, preset=preset)).schedule(2, "fixed", 3, 64, 32)
    assert found.sigmas.tolist() == pytest.approx([1.0, 0.6, 0.0])
    assert found.solver == noisy.metadata()["solver"] == "lcm"
    _, plain = options(schedule="fixed", sigmas=[1.0, 0.6])
    assert noisy != plain
    assert len({options(shift=shift)[1] for shift in (1.0, 3.0)}) == 2
