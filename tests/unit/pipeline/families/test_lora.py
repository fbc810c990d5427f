"""LoRA files: read as diffusers reads them, added to the weights by the formula, refused where they do not fit."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest
import torch
from diffusers.loaders.lora_pipeline import LTXVideoLoraLoaderMixin, WanLoraLoaderMixin
from fanslymotion.errors import HandBack, ModelError
from fanslymotion.models.loras import list_loras, with_loras
from fanslymotion.pipeline.families import family
from fanslymotion.pipeline.families.base import Lora, LoraFile, ModelFolder, Offload
from fanslymotion.pipeline.families.flow.family import FlowFamily
from fanslymotion.pipeline.families.flow.lora import read_layers
from fanslymotion.pipeline.families.flow.lora_fusing import fuse
from fanslymotion.pipeline.families.placement import Placement
from fanslymotion.pipeline.media.mp4 import MAX_COMMENT, read_metadata, settings_comment
from fanslymotion.pipeline.media.normalised_photo import NormalisedPhoto
from fanslymotion.pipeline.progress import Progress, Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.pipeline.resolve import resolve
from fanslymotion.presets import Presets
from fanslymotion.presets.loras import LoraChoice
from fanslymotion.presets.options import MAX_PROMPT
from fanslymotion.settings import Settings
from fanslymotion.tests import tiny_lora
from safetensors.torch import load_file, save_file

CPU = Placement(torch.device("cpu"), torch.float32)
LAYERS = {"ltx": tiny_lora.LTX, "wan": tiny_lora.WAN}
LAYOUTS = {
    ("ltx", "diffusers"): tiny_lora.diffusers_layout,
    ("ltx", "own"): tiny_lora.own_layout,
    ("wan", "diffusers"): tiny_lora.diffusers_layout,
    ("wan", "own"): tiny_lora.own_layout,
    ("wan", "musubi"): tiny_lora.musubi_layout,
}
MIXINS: dict[str, Any] = {"ltx": LTXVideoLoraLoaderMixin, "wan": WanLoraLoaderMixin}


def made(model: Any, name: str) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    return tiny_lora.matrices(model.transformer, LAYERS[name])


def loaded(model: Any, path: Path, strength: float = 1.0, placement: Placement = CPU) -> Any:
    folder = replace(model.model, loras=(tiny_lora.lora(path, strength=strength),))
    return family(folder.preset.family).load(folder, placement, lambda part: None, True)


def expected(model: Any, name: str, scale: float) -> dict[str, torch.Tensor]:
    """W + s · (alpha / r) · B A, written out."""
    weights = {key: tensor.clone() for key, tensor in model.transformer.state_dict().items()}
    for layer, (down, up) in made(model, name).items():
        weights[f"{layer}.weight"] += scale * (up @ down)
    return weights


@pytest.mark.parametrize(("name", "layout"), LAYOUTS)
@pytest.mark.parametrize("strength", [1.0, 0.35, 0.0])
def test_the_weights_are_those_of_the_formula(
    name: str, layout: str, strength: float, model: Any, tmp_path: Path
) -> None:
    path = tiny_lora.write(tmp_path / "style.safetensors", LAYOUTS[name, layout](made(model, name)))
    alpha = tiny_lora.RANK if layout == "diffusers" or name == "ltx" else tiny_lora.ALPHA
    found = loaded(model, path, strength).transformer.state_dict()
    wanted = expected(model, name, strength * alpha / tiny_lora.RANK)
    assert found.keys() == wanted.keys()
    for key, tensor in wanted.items():
        torch.testing.assert_close(found[key], tensor, rtol=1e-6, atol=1e-7)
        touched = key.removesuffix(".weight") in LAYERS[name] and strength > 0
        assert torch.equal(found[key], model.transformer.state_dict()[key]) != touched


@pytest.mark.parametrize(("name", "layout"), LAYOUTS)
def test_layers_are_called_as_diffusers_calls_them(name: str, layout: str, model: Any, tmp_path: Path) -> None:
    """Its own converters, on a file with every layer that a LoRA of this model may change."""
    linear = [layer for layer, module in model.transformer.named_modules() if isinstance(module, torch.nn.Linear)]
    every = tuple(layer for layer in linear if "blocks." in layer)
    own = {layer: own_wan(layer) for layer in every} if name == "wan" else {}
    tensors = tiny_lora.matrices(model.transformer, every)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny_lora, "OWN_WAN", own)
        path = tiny_lora.write(tmp_path / "every.safetensors", LAYOUTS[name, layout](tensors))
    theirs = MIXINS[name].lora_state_dict(load_file(path))
    wanted = {key.removeprefix("transformer.").rpartition(".lora_")[0] for key in theirs}
    kind = family(name)
    assert isinstance(kind, FlowFamily)
    found = kind.folders.lora_layers(model.model, path)
    assert set(found.layers) == wanted == set(every)


def own_wan(layer: str) -> str:
    for theirs, ours in ((".attn1.", ".self_attn."), (".attn2.", ".cross_attn."), (".ffn.net.0.proj", ".ffn.0")):
        layer = layer.replace(theirs, ours)
    for part in "qkv":
        layer = layer.replace(f".to_{part}", f".{part}")
    return layer.replace(".to_out.0", ".o").replace(".ffn.net.2", ".ffn.2")


def test_two_are_added_one_after_the_other(name: str, model: Any, tmp_path: Path) -> None:
    """As if a model that holds the first one were loaded with the second; in 16-bit numbers the order counts."""
    made = [tiny_lora.matrices(model.transformer, LAYERS[name], seed) for seed in (1, 2)]
    first, second = (
        tiny_lora.lora(tiny_lora.write(tmp_path / f"{n}.safetensors", tiny_lora.own_layout(one)), strength=strength)
        for n, (one, strength) in enumerate(zip(made, (0.7, 1.3), strict=True))
    )
    narrow = Placement(torch.device("cpu"), torch.bfloat16)

    def fused(*loras: Lora) -> Any:
        return family(name).load(replace(model.model, loras=loras), narrow, lambda part: None, True).transformer

    kind = family(name)
    assert isinstance(kind, FlowFamily)
    found, by_hand = fused(first, second), fused(first)
    layers = kind.folders.lora_layers(model.model, second.files[0].path)
    fuse(by_hand, second.files[0].path, layers, second.strength)
    wanted, turned = by_hand.state_dict(), fused(second, first).state_dict()
    assert all(torch.equal(tensor, wanted[key]) for key, tensor in found.state_dict().items())
    assert any(not torch.equal(tensor, wanted[key]) for key, tensor in turned.items())


def test_peft_fuses_the_same_weights(name: str, model: Any, tmp_path: Path) -> None:
    """Where peft is installed; fanslymotion does not need it."""
    pytest.importorskip("peft")
    path = tiny_lora.write(tmp_path / "style.safetensors", tiny_lora.diffusers_layout(made(model, name)))
    other = type(model.transformer).from_config(model.transformer.config)
    other.load_state_dict(model.transformer.state_dict())
    other.load_lora_adapter(load_file(path), prefix="transformer", adapter_name="style")
    other.fuse_lora(lora_scale=0.6)
    other.unload_lora()
    found = loaded(model, path, 0.6).transformer.state_dict()
    for key, tensor in other.state_dict().items():
        torch.testing.assert_close(found[key], tensor, rtol=1e-6, atol=1e-7)


def test_sixteen_bit_weights_are_changed_in_32_bit_numbers(name: str, model: Any, tmp_path: Path) -> None:
    path = tiny_lora.write(tmp_path / "style.safetensors", tiny_lora.diffusers_layout(made(model, name)))
    narrow = Placement(torch.device("cpu"), torch.bfloat16)
    plain = family(name).load(model.model, narrow, lambda part: None, True)
    found = loaded(model, path, 0.6, narrow).transformer
    for layer, (down, up) in made(model, name).items():
        weight = plain.transformer.get_submodule(layer).weight
        assert weight.dtype == torch.bfloat16
        wanted = weight.double() + 0.6 * (up.double() @ down.double())
        assert found.get_submodule(layer).weight.dtype == torch.bfloat16
        off = (found.get_submodule(layer).weight.double() - wanted).abs()
        assert (off <= wanted.abs() * 2**-8 + 1e-7).all(), "rounded once, to eight bits"


@pytest.mark.parametrize("offload", [Offload.GROUP, Offload.SEQUENTIAL])
def test_offloaded_weights_hold_it_too(name: str, model: Any, offload: Offload, tmp_path: Path) -> None:
    path = tiny_lora.write(tmp_path / "style.safetensors", tiny_lora.diffusers_layout(made(model, name)))
    here, away = loaded(model, path), loaded(model, path, placement=replace(CPU, offload=offload))
    wanted = here.transformer.state_dict()
    assert all(torch.equal(tensor, wanted[key]) for key, tensor in away.transformer.state_dict().items())


def test_biases_and_whole_differences(wan: Any, tmp_path: Path) -> None:
    """As distilled models are published (lightx2v)."""
    head, bias = torch.randn(192, 24), torch.randn(24)
    given = {"diffusion_model.head.head.diff": head, "diffusion_model.blocks.0.self_attn.q.diff_b": bias}
    found = loaded(wan, tiny_lora.write(tmp_path / "fast.safetensors", given), 0.5).transformer
    plain = wan.transformer
    torch.testing.assert_close(found.proj_out.weight, plain.proj_out.weight + 0.5 * head)
    torch.testing.assert_close(found.blocks[0].attn1.to_q.bias, plain.blocks[0].attn1.to_q.bias + 0.5 * bias)


@pytest.mark.parametrize("count", [0, 2])
def test_an_alpha_of_several_numbers_is_refused_before_the_job(wan: Any, tmp_path: Path, count: int) -> None:
    made = tiny_lora.own_layout(tiny_lora.matrices(wan.transformer, tiny_lora.WAN))
    odd = {key: torch.ones(count) if key.endswith(".alpha") else tensor for key, tensor in made.items()}
    path = tiny_lora.write(tmp_path / "odd.safetensors", odd)
    folder = replace(wan.model, loras=(tiny_lora.lora(path),))
    with pytest.raises(ModelError, match=f"alpha is 1 there and {count} here"):
        family("wan").check_loras(folder)


def test_pefts_alpha_counts_and_what_is_not_known_is_refused(wan: Any, tmp_path: Path) -> None:
    tensors = tiny_lora.diffusers_layout(made(wan, "wan"))

    def told(**settings: Any) -> Path:
        said = json.dumps({f"transformer.{key}": value for key, value in settings.items()})
        return tiny_lora.write(tmp_path / "told.safetensors", tensors, {"lora_adapter_metadata": said})

    assert read_layers(told(lora_alpha=8, r=4), ()).alpha == 8
    found = loaded(wan, told(lora_alpha=8, r=4)).transformer.state_dict()
    for key, tensor in expected(wan, "wan", 2.0).items():
        torch.testing.assert_close(found[key], tensor)
    for settings in ({"use_rslora": True}, {"alpha_pattern": {"to_q": 2}}, {"use_dora": True}):
        with pytest.raises(ModelError, match="is not a supported kind of LoRA"):
            read_layers(told(lora_alpha=8, **settings), ())


@pytest.mark.parametrize("said", ["[" * 100_000, '{"lora_alpha": ' + "9" * 400 + "}", "17", '{"x": '])
def test_settings_of_pefts_that_cannot_be_read_are_told(wan: Any, tmp_path: Path, said: str) -> None:
    tensors = tiny_lora.diffusers_layout(made(wan, "wan"))
    path = tiny_lora.write(tmp_path / "told.safetensors", tensors, {"lora_adapter_metadata": said})
    with pytest.raises(ModelError, match=r"is damaged .*; get it again"):
        read_layers(path, ())


# --- choosing one ----------------------------------------------------------------------------------------------------


@pytest.fixture
def style(settings: Settings, model: Any, name: str) -> Path:
    path = settings.models / "loras" / f"{name} стиль.safetensors"
    return tiny_lora.write(path, LAYOUTS[name, "own"](made(model, name)))


def asked(model: Any, style: Path, strength: float | None = None) -> VideoRequest:
    return VideoRequest("small", 1, "sampled", seed=7, steps=2, detail=False, loras=(LoraChoice(style.stem, strength),))


@pytest.fixture
def make(run: Callable, model: Any, settings: Settings, warm: Any) -> Callable:
    def call(request: VideoRequest, **changes: Any) -> Any:
        return run(request, **{"model": with_loras(model.model, request, settings), "model_cache": warm, **changes})

    return call


@pytest.mark.parametrize("name", ["ltx"])
def test_it_changes_the_video_by_its_strength(make: Callable, model: Any, style: Path, tmp_path: Path) -> None:
    frames = {}
    for strength in (None, 1.0, 0.5, 0.0):
        measures: dict[str, Any] = {}
        result = make(asked(model, style, strength), measures=measures, work=tmp_path / str(strength))
        frames[strength] = measures["frames_sha256"]
        told = read_metadata(result.path)
        assert [one["name"] for one in told["loras"]] == [style.stem]
        assert told["loras"][0]["strength"] == (1.0 if strength is None else strength)
    plain: dict[str, Any] = {}
    result = make(replace(asked(model, style), loras=()), measures=plain, work=tmp_path / "plain")
    assert read_metadata(result.path)["loras"] == []
    assert frames[None] == frames[1.0]
    assert frames[0.0] == plain["frames_sha256"]
    assert len(set(frames.values())) == 3


@pytest.mark.parametrize("name", ["ltx"])
def test_a_job_goes_on_with_the_same_lora_alone(make: Callable, model: Any, style: Path, tmp_path: Path) -> None:
    whole: dict[str, Any] = {}
    make(asked(model, style), measures=whole, work=tmp_path / "whole")

    def hand_back(moment: Progress) -> None:
        if moment.stage is Stage.SAMPLING and moment.step:
            raise HandBack

    def interrupted(request: VideoRequest) -> dict[str, Any]:
        """What becomes of a job that was interrupted with the file as it was, and goes on with `request`."""
        work, found = tmp_path / uuid4().hex, dict[str, Any]()
        with pytest.raises(HandBack):
            make(asked(model, style), progress=hand_back, work=work)
        change()
        make(request, measures=found, work=work)
        return found

    change: Callable[[], object] = lambda: None  # noqa: E731
    found = interrupted(asked(model, style))
    assert (found["resumed"], found["frames_sha256"]) == ((0, 1), whole["frames_sha256"])
    assert interrupted(asked(model, style, 0.5))["resumed"] is None
    change = lambda: swap(style)  # noqa: E731
    found = interrupted(asked(model, style))
    assert found["resumed"] is None
    assert found["frames_sha256"] != whole["frames_sha256"]


def test_order_and_strengths_are_in_the_key_and_one_lora_keeps_that_of_earlier_versions(
    presets: Presets, tmp_path: Path
) -> None:
    class Photo:
        def digest(self) -> str:
            return "photo"

    style, motion = LoraFile(Path("a"), "0123456789abcdef"), LoraFile(Path("b"), "fedcba9876543210")

    def key(*loras: tuple[tuple[LoraFile, ...], float]) -> str:
        added = tuple(Lora("any name", files, strength) for files, strength in loras)
        model = ModelFolder(presets.model("wan-5b"), tmp_path, loras=added)
        resolved = resolve(VideoRequest(model="wan-5b", seed=7), (1600, 900), model, presets)
        return resolved.key(cast(NormalisedPhoto, Photo()), "weights")

    one, other = ((style,), 0.5), ((motion,), 1.0)
    before_there_were_several = "a94c64eccca375cb649c9fe98956267c818dc07ec9edaa29a0c15145d910565f"
    keys = [key(), key(one), key(one, other), key(other, one), key(((style,), 0.6), other), key(((style, motion), 0.5))]
    assert keys[1] == before_there_were_several
    assert len(set(keys)) == len(keys)


def test_four_long_names_fit_into_the_file_beside_the_longest_texts(presets: Presets, tmp_path: Path) -> None:
    names = [f"{n}{'ы' * 119}" for n in range(4)]
    files = (LoraFile(tmp_path / "a", "0123456789abcdef"), LoraFile(tmp_path / "b", "fedcba9876543210"))
    model = ModelFolder(presets.model("wan-5b"), tmp_path, loras=tuple(Lora(name, files, 0.75) for name in names))
    texts = {"prompt": "я" * MAX_PROMPT, "negative_prompt": "ж" * MAX_PROMPT}
    request = VideoRequest(model="wan-5b", **texts, loras=tuple(LoraChoice(name, 0.75) for name in names))
    told = resolve(request, (1600, 900), model, presets).metadata()
    assert len(settings_comment(told)) <= MAX_COMMENT
    assert VideoRequest.from_json(told["request"]).loras == request.loras
    assert len(told["request"]["prompt"]) > 100


def test_another_file_of_the_same_size_and_time_is_another_one(model: Any, style: Path, settings: Settings) -> None:
    """As `cp -p` or an archive puts it there."""
    before, state = with_loras(model.model, asked(model, style), settings), style.stat()
    swap(style)
    os.utime(style, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert (style.stat().st_size, style.stat().st_mtime_ns) == (state.st_size, state.st_mtime_ns)
    after = with_loras(model.model, asked(model, style), settings)
    assert before.loras != after.loras
    with pytest.raises(ModelError, match="lies another file than when the job was sent"):
        with_loras(model.model, asked(model, style), settings, [before.loras[0].fingerprint])
    with pytest.raises(ModelError, match="lies another file than when the job was sent"):  # between hash and load
        family(model.model.preset.family).load(before, CPU, lambda part: None, True)


def swap(style: Path) -> None:
    """Put another training of the same layers there."""
    tensors = {key: tensor * 2 if tensor.ndim == 2 else tensor for key, tensor in load_file(style).items()}
    style.unlink()
    save_file(tensors, style)


@pytest.mark.parametrize("kept", [0, 7, 100, -1])
def test_one_that_is_cut_short_is_refused(model: Any, style: Path, settings: Settings, kept: int) -> None:
    style.write_bytes(style.read_bytes()[:kept])
    with pytest.raises(ModelError, match=r"is damaged .*; get it again"):
        with_loras(model.model, asked(model, style), settings)
    assert list_loras(settings)[0].problem


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda key, tensor: (key.replace("blocks.0.", "blocks.7."), tensor), r"it has no (transformer_)?blocks\.7\."),
        (lambda key, tensor: (key, tensor[..., :-1] if "lora_A" in key else tensor), r"weight is \d+×\d+ there and"),
        (lambda key, tensor: (f"{key}.dora_scale", tensor), "is not a supported kind of LoRA"),
        (lambda key, tensor: (key.replace("lora_A", "hada_w1"), tensor), "is not a supported kind of LoRA"),
        (lambda key, tensor: (key.replace("lora_A", "lora_B"), tensor), "has only one of its two matrices"),
    ],
)
def test_one_of_another_model_is_refused(
    model: Any, style: Path, settings: Settings, change: Callable, said: str
) -> None:
    tensors = dict(change(key, tensor.contiguous()) for key, tensor in load_file(style).items())
    style.unlink()
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, style)
    with pytest.raises(ModelError, match=said):
        with_loras(model.model, asked(model, style), settings)


def test_numbers_that_are_none_are_refused(model: Any, style: Path, name: str) -> None:
    tensors = load_file(style)
    next(tensor for tensor in tensors.values() if tensor.ndim == 2)[0] = torch.nan
    style.unlink()
    save_file(tensors, style)
    with pytest.raises(ModelError, match="holds NaN or infinity"):
        loaded(model, style)


def test_one_that_is_not_here_is_named(model: Any, style: Path, settings: Settings) -> None:
    request = replace(asked(model, style), loras=(LoraChoice("../secret"),))
    with pytest.raises(ModelError, match=rf"there is no LoRA '\.\./secret'; choose one of {style.stem}"):
        with_loras(model.model, request, settings)
    style.unlink()
    with pytest.raises(ModelError, match=r"and none at all here; put its \.safetensors file into"):
        with_loras(model.model, request, settings)
