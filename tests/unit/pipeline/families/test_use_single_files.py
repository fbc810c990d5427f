"""A safetensors file becomes a model of its own; what is no transformer's weights is named for what it is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from fanslymotion.errors import BadInput, FanslymotionError, ModelError
from fanslymotion.models.commands import models_app
from fanslymotion.models.find import taken_by
from fanslymotion.models.registry import look
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets import load_presets
from fanslymotion.presets.loras import LoraChoice
from fanslymotion.queue.submit import check_request
from fanslymotion.tests import tiny_lora, tiny_safetensors
from fanslymotion.tests.tiny_safetensors import E4M3, LAYOUTS, all_as, blocks_as
from fanslymotion.tests.weights_place import Place
from safetensors.torch import save_file
from typer.testing import CliRunner

CHECKPOINT = "model.diffusion_model."
PLAIN = all_as(torch.float16)


@pytest.mark.parametrize(
    ("choose", "layout", "quantisation"),
    [
        (PLAIN, "unscaled", "FP16"),
        (all_as(torch.bfloat16), "unscaled", "BF16"),
        (blocks_as(E4M3), "unscaled", "FP8"),
        (blocks_as(E4M3), "scale_weight", "FP8_scaled"),
        (blocks_as(tiny_safetensors.E5M2), "comfy_quant", "FP8_E5M2_scaled"),
    ],
)
def test_it_finds_the_model_that_it_fits_and_is_named_by_its_numbers(
    place: Place, choose: Any, layout: str, quantisation: str
) -> None:
    beside = {"vae.decoder.conv_in.weight": torch.ones(3), "text_embedding_projection.weight": torch.ones(3)}
    name = "ltxv-distilled.safetensors"
    file = place.write(name, "ltx", choose, LAYOUTS[layout], prefix=CHECKPOINT, beside=beside)
    made = place.use(file)
    assert (made.name, made.base) == (f"small-ltx-{quantisation.lower()}", "small-ltx")
    assert made.label.endswith(f", {quantisation}")
    entry = look(made.name, place.presets, place.settings)
    assert (entry.state, entry.size) == ("ready", file.stat().st_size)


def test_lightricks_files_say_whether_they_are_distilled(place: Place) -> None:
    """In `config`, beside the architecture; a distilled one names its noise levels there."""

    def write(name: str, config: str) -> Path:
        return place.write(name, "ltx", PLAIN, prefix=CHECKPOINT, metadata={"config": config})

    levels = {"transformer": {}, "scheduler": {"sampler": "LinearQuadratic"}, "allowed_inference_steps": [1.0, 0.9937]}
    assert place.use(write("a.safetensors", json.dumps(levels)), name="a").sampling.steps == 8
    del levels["allowed_inference_steps"]
    assert place.use(write("c.safetensors", json.dumps(levels)), name="c").sampling.steps == 40
    assert place.use(write("c-distilled.safetensors", json.dumps(levels)), name="d").sampling.steps == 8
    for n, other in enumerate((json.dumps({"transformer": {}}), '{"allowed_inference_steps": null}', "[]", "{", "")):
        with pytest.raises(BadInput, match="does not say"):
            place.use(write(f"b{n}.safetensors", other))


def test_the_vae_beside_the_weights_tells_a_first_version(place: Place, ltx: Any) -> None:
    """Lightricks' file has it; the transformer alone looks the same in all versions."""
    channels = ltx.vae.config.block_out_channels[-1]

    def write(inputs: int) -> Path:
        beside = {"vae.encoder.conv_out.conv.weight": torch.ones(3, inputs, 1, 1, 1)}
        return place.write(f"ltxv-{inputs}-dev.safetensors", "ltx", PLAIN, prefix=CHECKPOINT, beside=beside)

    assert place.use(write(channels), name="same").sampling.steps == 40
    with pytest.raises(ModelError, match="which has another VAE than the models here") as found:
        place.use(write(channels + 1))
    assert "другой VAE" in found.value.message.say("ru")


def test_the_command_line_makes_and_lists_it(place: Place) -> None:
    file = place.write("wan2.2_ti2v_5B_fp16.safetensors", "wan", PLAIN)
    runner = CliRunner()
    done = runner.invoke(models_app, ["use", str(file), "--for", "small-wan", "--name", "mine"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "mine is ready: fanslymotion generate PHOTO --model mine" in done.output
    assert "It shares all else with small-wan." in done.output
    listed = json.loads(runner.invoke(models_app, ["list", "--json"], catch_exceptions=False).output)
    assert [one["state"] for one in listed if one["name"] == "mine"] == ["ready"]


def test_high_and_low_noise_are_told_by_their_names(place: Place) -> None:
    low, high = (
        place.write(f"wan2.2_i2v_{noise}_noise_14B_fp8_scaled.safetensors", "wan_a14b", None, LAYOUTS["scale_weight"])
        for noise in ("low", "high")
    )
    made = place.use(low, high)
    assert (made.base, made.weights) == ("pair", (str(high), str(low)))
    kijai = [
        place.write(f"Wan2_2-I2V-A14B-{noise}_fp8_e4m3fn_scaled_KJ.safetensors", "wan_a14b")
        for noise in ("LOW", "HIGH")
    ]
    assert place.use(*kijai).weights == tuple(map(str, reversed(kijai)))
    with pytest.raises(BadInput, match="one of two transformers of pair; give the other one"):
        place.use(low)


def test_plain_numbers_take_what_changes_weights(place: Place) -> None:
    plain = place.use(place.write("plain.safetensors", "wan", PLAIN), name="plain")
    packed = place.use(place.write("packed.safetensors", "wan"), name="packed")
    assert {"loras", "int8"} <= set(taken_by(plain))
    assert {"loras", "int8"}.isdisjoint(taken_by(packed))
    check_request(VideoRequest(model="plain", int8=True), place.settings)
    for changes in ({"int8": True}, {"loras": (LoraChoice("style"),)}):
        with pytest.raises(BadInput, match="come from a quantised file and stay as they are"):
            check_request(VideoRequest(model="packed", **changes), place.settings)


def test_presets_of_earlier_versions_are_read(place: Place) -> None:
    """They called the files `gguf`."""
    place.use(place.write("wan.gguf"), name="mine")
    file = place.settings.presets_dir / "models" / "mine.toml"
    text = file.read_text(encoding="utf-8")
    assert "\nweights = [" in text
    file.write_text(text.replace("\nweights = [", "\ngguf = ["), encoding="utf-8")
    assert [Path(one).name for one in load_presets(place.settings).model("mine").weights] == ["wan.gguf"]
    assert look("mine", place.presets, place.settings).ready


def test_components_in_diffusers_format_are_no_files_to_use(place: Place, wan: Any, tmp_path: Path) -> None:
    """A model's folder without its index is still said to be not whole."""
    import shutil

    folder = tmp_path / "half"
    shutil.copytree(wan.model.folder, folder)
    (folder / "model_index.json").unlink()
    shutil.rmtree(folder / "vae")
    with pytest.raises(FanslymotionError, match=r"vae/config\.json is missing"):
        place.use(folder)


# ------------------------------------------------------------------------------------------------- what is no such file


def of(**tensors: tuple[int, ...]) -> Callable[[Place], Path]:
    """Return what writes a file with tensors of these shapes; "__" stands for a dot."""

    def write(place: Place) -> Path:
        path = place.files / "given.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({name.replace("__", "."): torch.zeros(shape) for name, shape in tensors.items()}, path)
        return path

    return write


def lora(place: Place) -> Path:
    place.files.mkdir(parents=True, exist_ok=True)
    made = {"blocks.0.attn1.to_q": (torch.ones(2, 8), torch.ones(8, 2))}
    return tiny_lora.write(place.files / "style.safetensors", tiny_lora.diffusers_layout(made))


def with_weights(change: Callable[[dict[str, torch.Tensor]], None]) -> Callable[[Place], Path]:
    """Return what writes a transformer of Wan's with changed tensors."""

    def write(place: Place) -> Path:
        tensors = dict(place.tensors("wan"))
        change(tensors)
        path = place.files / "given.safetensors"
        tiny_safetensors.write(path, tensors, "wan", lambda name, tensor: tensor.dtype)
        return path

    return write


def larger(tensors: dict[str, torch.Tensor]) -> None:
    tensors["patch_embedding.weight"] = torch.ones(24, 36, 1, 2, 2)


def with_image_encoder(tensors: dict[str, torch.Tensor]) -> None:
    tensors["img_emb.proj.0.weight"] = torch.ones(3)


def of_two_lines(tensors: dict[str, torch.Tensor]) -> None:
    tensors["odd\n\x1b[31m"] = torch.ones(3)


def in_integers(tensors: dict[str, torch.Tensor]) -> None:
    tensors["blocks.0.attn1.to_q.weight"] = tensors["blocks.0.attn1.to_q.weight"].to(torch.int8)


def in_pairs(tensors: dict[str, torch.Tensor]) -> None:
    rows, columns = tensors["blocks.0.attn1.to_q.weight"].shape
    tensors["blocks.0.attn1.to_q.weight"] = torch.zeros(rows, columns // 2, dtype=torch.uint8)
    tensors["blocks.0.attn1.to_q.weight_scale"] = torch.zeros(rows, columns // 16, dtype=torch.uint8)
    tensors["blocks.0.attn1.to_q.weight_scale_2"] = torch.ones(())


def in_blocks(tensors: dict[str, torch.Tensor]) -> None:
    weight = tensors["blocks.0.attn1.to_q.weight"]
    tensors["blocks.0.attn1.to_q.weight"] = weight.to(E4M3)
    tensors["blocks.0.attn1.to_q.weight_scale"] = torch.zeros(len(weight), 3, dtype=torch.uint8)


def cut(place: Place) -> Path:
    path = place.write("cut.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    return path


def text(place: Place) -> Path:
    place.files.mkdir(parents=True, exist_ok=True)
    (place.files / "text.safetensors").write_bytes(b"Not Found")
    return place.files / "text.safetensors"


SVD = of(
    model__diffusion_model__input_blocks__0__0__weight=(2, 2),
    model__diffusion_model__input_blocks__1__1__time_stack__0__ff__weight=(2, 2),
    first_stage_model__decoder__conv_in__weight=(2, 2),
    conditioner__embedders__0__open_clip__model__visual__proj=(2, 2),
)
DECLARED = {"_quantization_metadata": json.dumps({"layers": {"blocks.0.self_attn.q": {"format": "nvfp4"}}})}
BAD = {
    "SVD": (SVD, r"given.safetensors is Stable Video Diffusion in a single file.*models download svd-xt"),
    "SVD of diffusers": (
        of(down_blocks__0__attentions__0__temporal_transformer_blocks__0__norm1__weight=(2,)),
        "is Stable Video Diffusion in a single file",
    ),
    "LoRA": (lora, r"style.safetensors is a LoRA, which is added to a model: put it into .*loras"),
    "VAE": (of(decoder__conv1__weight=(2,), encoder__conv1__weight=(2,), conv1__weight=(2,)), "is only a VAE;"),
    "VAE of diffusers": (of(decoder__conv_in__conv__weight=(2,), latents_mean=(2,)), "is only a VAE;"),
    "UMT5": (of(shared__weight=(2, 2), encoder__block__0__layer__0__SelfAttention__q__weight=(2,)), "a text encoder;"),
    "Wan's UMT5": (of(token_embedding__weight=(2, 2), blocks__0__attn__q__weight=(2, 2)), "is only a text encoder;"),
    "CLIP": (of(vision_model__embeddings__class_embedding=(2,)), "is only an image encoder;"),
    "one of several": (
        lambda place: place.write("diffusion_pytorch_model-00001-of-00003.safetensors"),
        "model-00001-of-00003.safetensors is one part of several",
    ),
    "something else": (of(layer__weight=(2,)), "fits none of the models that are here"),
    "of another kind": (with_weights(with_image_encoder), "img_emb.proj.0.weight is in only one of them"),
    "of a name with control characters": (with_weights(of_two_lines), r"odd .x1b.31m is in only one of them"),
    "of another size": (with_weights(larger), r"made for another model than small-wan: patch_embedding.weight is"),
    "int8": (with_weights(in_integers), r"has weights of the type I8 \(blocks.0.self_attn.q.weight\)"),
    "NVFP4": (with_weights(in_pairs), r"has weights of the type NVFP4 \(.*choose a file with one of BF16, F16, F32"),
    "MXFP8": (with_weights(in_blocks), "has weights of the type F8_E4M3 × U8"),
    "declared": (lambda place: place.write("given.safetensors", metadata=DECLARED), "weights of the type nvfp4"),
    "cut": (cut, "cut short, damaged, or of an unsupported kind .*it is cut short"),
    "text": (text, "is no safetensors file"),
    "not there": (lambda place: place.files / "none.safetensors", "there is no file .*none.safetensors"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_such_file_is_named(place: Place, kind: str) -> None:
    write, words = BAD[kind]
    before = set(place.presets.models)
    with pytest.raises(FanslymotionError, match=words) as found:
        place.use(write(place))
    russian = found.value.message.say("ru")
    assert any("а" <= letter <= "я" for letter in russian)
    assert "\n" not in russian
    assert set(place.presets.models) == before


def test_a_damaged_declaration_is_no_reason_to_refuse(place: Place) -> None:
    file = place.write("odd.safetensors", metadata={"_quantization_metadata": "{[", "modelspec.architecture": "wan\n2"})
    assert place.use(file).base == "small-wan"


@pytest.mark.parametrize("seed", range(30))
def test_whatever_bytes_a_header_has_one_sentence_comes_of_it(place: Place, seed: int) -> None:
    file = place.write("wan.safetensors", "wan", None, LAYOUTS["comfy_quant"])
    assert "\n" not in place.said_of_scrambled(file, seed)
