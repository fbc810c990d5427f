"""LoRAs of Wan 2.2 I2V-A14B: a pair of files changes one transformer each, a single file both."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fanslymotion.errors import HandBack, ModelError
from fanslymotion.models.loras import list_loras, with_loras
from fanslymotion.pipeline.families import family
from fanslymotion.pipeline.families.base import Lora, ModelFolder
from fanslymotion.pipeline.families.placement import Placement
from fanslymotion.pipeline.families.wan_a14b.folder import EXPERTS
from fanslymotion.pipeline.families.wan_a14b.model import A14BModel
from fanslymotion.pipeline.families.weights.int8 import to_int8
from fanslymotion.pipeline.media.mp4 import read_metadata
from fanslymotion.pipeline.progress import Progress, Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets.loras import LoraChoice
from fanslymotion.settings import Settings
from fanslymotion.tests import tiny_lora
from safetensors.torch import load_file

CPU = Placement(torch.device("cpu"), torch.float32)
SCALE = tiny_lora.ALPHA / tiny_lora.RANK
Matrices = dict[str, tuple[torch.Tensor, torch.Tensor]]


def matrices(model: A14BModel, seed: int) -> Matrices:
    return tiny_lora.matrices(model.experts.bring(EXPERTS[0]), tiny_lora.WAN, seed)


def write(folder: Path, name: str, made: Matrices) -> Path:
    return tiny_lora.write(folder / f"{name}.safetensors", tiny_lora.own_layout(made))


def weights(model: ModelFolder, *loras: Lora, int8: bool = False) -> list[dict[str, torch.Tensor]]:
    """Of the two transformers, with LoRAs."""
    loaded: Any = family("wan_a14b").load(replace(model, loras=loras, int8=int8), CPU, lambda part: None, True)
    return [loaded.experts.bring(part).state_dict() for part in EXPERTS]


def added(before: dict[str, torch.Tensor], made: Matrices, scale: float) -> dict[str, torch.Tensor]:
    """W + s · (alpha / r) · B A, written out."""
    after = dict(before)
    for layer, (down, up) in made.items():
        after[f"{layer}.weight"] = after[f"{layer}.weight"] + scale * (up @ down)
    return after


def same(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> None:
    assert found.keys() == wanted.keys()
    for key, tensor in wanted.items():
        torch.testing.assert_close(found[key], tensor, rtol=1e-6, atol=1e-7)


def test_each_transformer_gets_its_half_and_a_single_file_goes_to_both(wan_a14b: A14BModel, tmp_path: Path) -> None:
    made = [matrices(wan_a14b, seed) for seed in (1, 2, 3)]
    high, low, both = (write(tmp_path, str(n), one) for n, one in enumerate(made))
    plain = weights(wan_a14b.model)
    found = weights(wan_a14b.model, tiny_lora.lora(high, low, strength=0.5), tiny_lora.lora(both, strength=0.3))
    for expert in (0, 1):
        wanted = added(added(plain[expert], made[expert], 0.5 * SCALE), made[2], 0.3 * SCALE)
        same(found[expert], wanted)


def test_they_are_added_before_the_weights_are_rounded(wan_a14b: A14BModel, tmp_path: Path) -> None:
    high, low = (write(tmp_path, str(seed), matrices(wan_a14b, seed)) for seed in (1, 2))
    pair = tiny_lora.lora(high, low)
    loaded: Any = family("wan_a14b").load(replace(wan_a14b.model, loras=(pair,)), CPU, lambda part: None, True)
    for found, part in zip(weights(wan_a14b.model, pair, int8=True), EXPERTS, strict=True):
        fused = loaded.experts.bring(part)
        to_int8(fused, torch.device("cpu"))
        theirs = fused.state_dict()
        assert all(torch.equal(tensor, theirs[key]) for key, tensor in found.items())


def test_layers_that_wan_2_1_alone_has_are_left_out(
    wan_a14b: A14BModel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A LoRA of Wan 2.1 I2V 14B changes its image encoder, too; Wan 2.2 has none."""
    caplog.set_level("INFO")
    made = matrices(wan_a14b, 1)
    more = {
        "blocks.0.cross_attn.k_img": 24, "blocks.1.cross_attn.v_img": 24, "img_emb.proj.1": 40,
    }  # fmt: skip
    extra = {
        f"diffusion_model.{layer}.{half}.weight": torch.ones((2, width) if half == "lora_down" else (width, 2))
        for layer, width in more.items()
        for half in ("lora_down", "lora_up")
    }
    path = tiny_lora.write(tmp_path / "wan21.safetensors", tiny_lora.own_layout(made) | extra)
    found = weights(wan_a14b.model, tiny_lora.lora(path))
    for expert, plain in enumerate(weights(wan_a14b.model)):
        same(found[expert], added(plain, made, SCALE))
    assert f"{len(more)} of its layers are for a part that this model lacks" in caplog.text
    lonely = tiny_lora.write(tmp_path / "none.safetensors", extra)
    with pytest.raises(ModelError, match="was made for another model"):
        weights(wan_a14b.model, tiny_lora.lora(lonely))


def test_norms_and_biases_as_distilled_loras_have_them(wan_a14b: A14BModel, tmp_path: Path) -> None:
    """lightx2v's files hold whole differences of norms, under Wan's own names."""
    norm, cross, bias = torch.randn(24), torch.randn(24), torch.randn(24)
    given = {
        "diffusion_model.blocks.0.self_attn.norm_k.diff": norm,
        "diffusion_model.blocks.0.norm3.diff": cross,
        "diffusion_model.blocks.0.norm3.diff_b": bias,
    }
    found = weights(wan_a14b.model, tiny_lora.lora(tiny_lora.write(tmp_path / "fast.safetensors", given)))
    for after, before in zip(found, weights(wan_a14b.model), strict=True):
        torch.testing.assert_close(after["blocks.0.attn1.norm_k.weight"], before["blocks.0.attn1.norm_k.weight"] + norm)
        torch.testing.assert_close(after["blocks.0.norm2.weight"], before["blocks.0.norm2.weight"] + cross)
        torch.testing.assert_close(after["blocks.0.norm2.bias"], before["blocks.0.norm2.bias"] + bias)


# --- choosing them ---------------------------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    """With a folder of LoRAs of its own."""
    return Settings.local(tmp_path / "data", tmp_path / "models")


@pytest.fixture
def folder(here: Settings, wan_a14b: A14BModel) -> Path:
    """A pair, and one for both."""
    place = here.models / "loras"
    for name, seed in (("rain_high_noise", 1), ("rain_low_noise", 2), ("soft", 3)):
        write(place, name, matrices(wan_a14b, seed))
    return place


def chosen(model: ModelFolder, settings: Settings, *loras: str | LoraChoice, **more: Any) -> ModelFolder:
    named = tuple(one if isinstance(one, LoraChoice) else LoraChoice(one) for one in loras)
    return with_loras(model, VideoRequest(loras=named), settings, **more)


def test_a_pair_is_one_lora(wan_a14b: A14BModel, here: Settings, folder: Path) -> None:
    listed = {one.name: [path.stem for path in one.paths] for one in list_loras(here)}
    assert listed == {"rain": ["rain_high_noise", "rain_low_noise"], "soft": ["soft"]}
    for name in ("rain", "rain_high_noise", "rain_low_noise"):
        (lora,) = chosen(wan_a14b.model, here, name).loras
        assert [file.path.stem for file in lora.files] == ["rain_high_noise", "rain_low_noise"]
    loras = chosen(wan_a14b.model, here, LoraChoice("soft", 0.4), "rain").loras
    assert [(one.name, one.strength, len(one.files)) for one in loras] == [("soft", 0.4, 1), ("rain", 1.0, 2)]
    with pytest.raises(ModelError, match="the LoRA 'rain_low_noise' is asked for twice"):
        chosen(wan_a14b.model, here, "rain", "rain_low_noise")


def test_a_half_alone_names_the_missing_file(wan_a14b: A14BModel, here: Settings, folder: Path) -> None:
    (folder / "rain_low_noise.safetensors").unlink()
    with pytest.raises(ModelError, match=r"one half, .* missing; put rain_low_noise\.safetensors beside it") as told:
        chosen(wan_a14b.model, here, "rain_high_noise")
    assert "rain_low_noise.safetensors" in told.value.message.say("ru")
    assert {one.name: one.missing for one in list_loras(here)} == {
        "rain_high_noise": "rain_low_noise.safetensors", "soft": "",
    }  # fmt: skip


def test_a_model_with_one_transformer_takes_single_files(wan: Any, here: Settings, folder: Path) -> None:
    (lora,) = chosen(wan.model, here, "rain_low_noise").loras
    assert [file.path.stem for file in lora.files] == ["rain_low_noise"]
    with pytest.raises(ModelError, match="is a pair of files, one for each transformer"):
        chosen(wan.model, here, "rain")


def test_a_swapped_half_is_another_lora(wan_a14b: A14BModel, here: Settings, folder: Path) -> None:
    sent = [one.fingerprint for one in chosen(wan_a14b.model, here, "soft", "rain").loras]
    assert chosen(wan_a14b.model, here, "soft", "rain", expected=sent).loras
    low = folder / "rain_low_noise.safetensors"
    tensors = {key: tensor * 2 for key, tensor in load_file(low).items()}
    low.unlink()
    tiny_lora.write(low, tensors)
    with pytest.raises(ModelError, match=r"place of the LoRA rain_low_noise\.safetensors lies another file"):
        chosen(wan_a14b.model, here, "soft", "rain", expected=sent)


@pytest.mark.soak
def test_a_job_goes_on_with_the_same_frames(
    run: Callable, wan_a14b: A14BModel, here: Settings, folder: Path, warm: Any, tmp_path: Path
) -> None:
    request = VideoRequest(
        "small", 1, "sampled", seed=7, steps=3, detail=False, loras=(LoraChoice("rain", 0.8), LoraChoice("soft"))
    )

    brief = replace(wan_a14b.model, preset=wan_a14b.model.preset.model_copy(update={"frames": 17}))

    def make(asked: VideoRequest, place: str, **changes: Any) -> tuple[Any, dict[str, Any]]:
        measures: dict[str, Any] = {}
        model = with_loras(brief, asked, here)
        changes = {"model": model, "renderers": warm, "measures": measures, "work": tmp_path / place, **changes}
        return run(asked, **changes), measures

    def hand_back(moment: Progress) -> None:
        if moment.stage is Stage.SAMPLING and moment.step:
            raise HandBack

    result, whole = make(request, "whole")
    told = read_metadata(result.path)["loras"]
    assert [(one["name"], one["strength"]) for one in told] == [("rain", 0.8), ("soft", 1.0)]
    with pytest.raises(HandBack):
        make(request, "again", progress=hand_back)
    _, again = make(request, "again")
    assert (again["resumed"], again["frames_sha256"]) == ((0, 1), whole["frames_sha256"])
    _, plain = make(replace(request, loras=()), "plain")
    assert plain["frames_sha256"] != whole["frames_sha256"]
