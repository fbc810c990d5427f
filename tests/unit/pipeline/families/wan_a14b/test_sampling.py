"""Two transformers in turn, windows that begin with a known frame, a state that is taken up after any step."""

import gc
import json
import logging
import shutil
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fanslymotion.bench.checkpoint_sinks import Everything, Nowhere
from fanslymotion.errors import ModelError
from fanslymotion.pipeline.families import family
from fanslymotion.pipeline.families.base import ModelFolder, Offload, Window
from fanslymotion.pipeline.families.guidance import Guidance
from fanslymotion.pipeline.families.placement import Placement, choose_placement
from fanslymotion.pipeline.families.wan.model import IMAGE
from fanslymotion.pipeline.families.wan.options import WanOptions
from fanslymotion.pipeline.families.wan.prompts import encode
from fanslymotion.pipeline.families.wan.vae import scaled
from fanslymotion.pipeline.families.wan_a14b.experts import Experts
from fanslymotion.pipeline.families.wan_a14b.folder import EXPERTS, FOLDERS
from fanslymotion.pipeline.families.wan_a14b.model import A14BModel, load
from fanslymotion.pipeline.sampling.windowed import SamplingParams, SamplingState, begin, sample_clip
from fanslymotion.pipeline.windows import WindowOptions, WindowPlan
from fanslymotion.tests.kept_states import read_back
from fanslymotion.tests.soak import soak
from PIL import Image
from torch import nn

STEPS = 4
CLIP = SamplingParams(
    width=64,
    height=32,
    seed=5,
    steps=STEPS,
    schedule="flow",
    guidance=Guidance(1.0, 1.0),
    family_options=WanOptions("waves", "", 5.0, "euler"),
    plan=WindowPlan(total=9, frames=5, count=2, overlap=1),
    options=WindowOptions(guidance_cap=None),
)


def distilled(folder: Path, placement: Placement | None = None, frames: int = 17) -> A14BModel:
    """The tiny model, sampled as the distilled one, in windows of 17 frames."""
    preset = FOLDERS.preset(folder)
    sampling = preset.sampling.model_copy(update={"solver": "euler", "max_guidance": 1.0, "min_guidance": 1.0})
    preset = preset.model_copy(update={"sampling": sampling, "frames": frames})
    return load(ModelFolder(preset, folder), placement or choose_placement())


@pytest.fixture(scope="module")
def model(tiny_wan_a14b: Path) -> A14BModel:
    return distilled(tiny_wan_a14b)


@pytest.fixture(scope="module")
def begun(model: A14BModel, smaller_photo: Image.Image) -> SamplingState:
    words = encode(model.model.folder, "waves", "", model.placement)
    return begin(model, CLIP, smaller_photo, words.tensors)


@pytest.fixture(scope="module")
def whole(model: A14BModel, begun: SamplingState) -> tuple[Everything, torch.Tensor]:
    sink = Everything()
    return sink, sample_clip(model, CLIP, begun, checkpoints=sink)


@pytest.mark.parametrize("step", [1, 4, 6, *soak(2, 3, 5, 7, 8)])
def test_taken_up_after_any_step(
    tiny_wan_a14b: Path, whole: tuple[Everything, torch.Tensor], step: int, tmp_path: Path
) -> None:
    """From the file that a checkpoint is, by another program, which reads no transformer whose turn is over."""
    sink, expected = whole
    saved = read_back(sink, step, STEPS, tmp_path)
    fresh = distilled(tiny_wan_a14b)
    fresh.experts.both = False
    read: list[str] = []
    real = fresh.experts._read
    fresh.experts._read = lambda name: (read.append(name), real(name))[1]
    assert torch.equal(sample_clip(fresh, CLIP, saved, checkpoints=Nowhere()), expected)
    order = [EXPERTS[0]] * 2 + [EXPERTS[1]] * 2
    left = [name for at, name in enumerate(order * 2) if at >= step]
    assert read == [name for at, name in enumerate(left) if at == 0 or left[at - 1] != name]


@pytest.mark.parametrize("frames", [14, 15, 16])
def test_any_number_of_frames_in_a_window(
    tiny_wan_a14b: Path, begun: SamplingState, smaller_photo: Image.Image, frames: int
) -> None:
    """As a preset may have it: its last latent frame stands for fewer than four."""
    odd = replace(CLIP, plan=family("wan_a14b").geometry.windows(frames, frames), steps=1)
    words = {name: tensor for name, tensor in begun.conditioning.items() if name != IMAGE}
    model = distilled(tiny_wan_a14b, frames=frames)
    found = sample_clip(model, odd, begin(model, odd, smaller_photo, words), checkpoints=Nowhere())
    assert found.shape[1] == 5


def test_one_transformer_at_a_time(tiny_wan_a14b: Path, begun: SamplingState, whole: Any) -> None:
    """With little RAM the first is gone before the second is read; with enough both stay, and each is read once."""
    for both in (False, True):
        model = distilled(tiny_wan_a14b)
        model.experts.both = both
        alive: list[weakref.ref[nn.Module]] = []
        real = model.experts._read

        def read(name: str, real=real, alive=alive, both=both) -> nn.Module:
            gc.collect()
            assert both or not [one for one in alive if one() is not None]
            component = real(name)
            alive.append(weakref.ref(component))
            return component

        model.experts._read = read
        assert torch.equal(sample_clip(model, CLIP, begun, checkpoints=Nowhere()), whole[1])
        assert len(alive) == (2 if both else 4)
        assert model.experts.here == (EXPERTS if both else EXPERTS[1:])
        assert model.whole


@pytest.mark.parametrize("offload", [Offload.NONE, Offload.MODEL])
def test_the_card_holds_one_of_them(tiny_wan_a14b: Path, offload: Offload) -> None:
    """Whether the other one waits in RAM or not; and neither where the VAE computes with offload."""
    cpu, card = torch.device("cpu"), torch.device("meta")
    model = distilled(tiny_wan_a14b, Placement(cpu, torch.float32))
    model.placement = Placement(card, torch.float32, offload)
    experts = model.experts = Experts(model.experts._read, model.placement)

    def there() -> set[str]:
        return {name for name, part in experts._here.items() if next(part.parameters()).device == card}

    for both in (True, False):
        experts.both = both
        for name in (*EXPERTS, EXPERTS[0]):
            first = next(model.bring(name).parameters())
            assert first.device == card
            assert there() == {name}
            assert set(experts.here) <= ({*EXPERTS} if both else {name})
        model.bring("vae")
        assert len(there()) == (offload is Offload.NONE)
        experts.release()


def test_a_window_begins_with_the_earlier_ones_last_frame(model: A14BModel, whole: Any, begun: SamplingState) -> None:
    """The transformers are told that frame as a picture of its own, as in their training; the join is exact."""
    sink, latents = whole
    second = next(state for state in sink.states if state.window == 1 and state.step == 0)
    assert latents.shape == (1, 9, 16, 4, 8)
    schedule = model.schedule(STEPS, "flow", 5, 64, 32)
    known = second.done[:, -1:]

    def window(done: torch.Tensor | None) -> Window:
        return Window(schedule, CLIP.guidance, None, None, lambda shape: torch.zeros(tuple(shape)), before=done)

    first = model.denoiser(begun.conditioning, CLIP.family_options, window(None))
    later = model.denoiser(begun.conditioning, CLIP.family_options, window(second.done))
    shown = Image.fromarray(list(model.decode(second.done, 4))[-1][-1])
    from_it = model.encode(shown, CLIP.family_options, torch.Generator())[IMAGE]
    told = later._condition[:, 4:].transpose(1, 2)
    assert torch.equal(told, scaled(model.vae, from_it)), "5 latent frames of context are all there are"
    assert torch.equal(later._condition[:, :4], first._condition[:, :4])
    noise = torch.ones_like(known)
    held = later.noised(known, noise, torch.tensor(0.25))
    assert torch.allclose(held, 0.75 * told[:, :1] + 0.25 * noise)
    assert torch.equal(latents[:, 4:5], known), "what was shown stays as it was"
    other = replace(second, done=second.done + 1.0)
    found = sample_clip(model, CLIP, other, checkpoints=Nowhere())
    assert not torch.allclose(latents[:, 5:], found[:, 5:], atol=1e-3)


def test_the_boundary_is_the_folders_own(tiny_wan_a14b: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_wan_a14b, folder)
    index = folder / "model_index.json"
    before = FOLDERS.check(folder).fingerprint
    assert FOLDERS.boundary(folder) == 0.9
    index.write_text(json.dumps({"boundary_ratio": 0.875}), encoding="utf-8")
    assert FOLDERS.boundary(folder) == 0.875
    assert FOLDERS.check(folder).fingerprint != before, "checkpoints of the other boundary are not gone on with"
    index.write_text(json.dumps({"boundary_ratio": None}), encoding="utf-8")
    assert FOLDERS.boundary(folder) == 0.9


def test_a_damaged_second_transformer_is_said_when_it_is_read(
    tiny_wan_a14b: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_wan_a14b, folder)
    (folder / "transformer_2" / "diffusion_pytorch_model.safetensors").write_bytes(b"\0" * 100)
    model = distilled(folder)
    with caplog.at_level(logging.INFO):
        model.bring("transformer")
        with pytest.raises(ModelError, match="transformer_2 could not be loaded"):
            model.bring("transformer_2")
    assert "Reading transformer_2 from the disk" in caplog.text
    assert model.bring("transformer") is not None
