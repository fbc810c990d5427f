"""A file of weights becomes a model of its own beside the one whose parts it shares, or one sentence says why not."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from fanslymotion.doctor.checks.models import check_models
from fanslymotion.doctor.examination import Examination
from fanslymotion.errors import BadInput, FanslymotionError, ModelError, PresetError
from fanslymotion.messages import codes
from fanslymotion.models.commands import models_app
from fanslymotion.models.find import find_model, taken_by
from fanslymotion.models.registry import check, look, remove
from fanslymotion.models.use import use_model
from fanslymotion.pipeline.families.weights.files.header import weights_fingerprint
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets.loras import LoraChoice
from fanslymotion.queue.submit import check_request
from fanslymotion.tests import tiny_gguf
from fanslymotion.tests.weights_place import Place
from gguf import GGMLQuantizationType as Kind
from typer.testing import CliRunner

BLOCKS = tiny_gguf.in_blocks(Kind.Q4_0)


def test_it_finds_the_model_that_it_fits_and_shares_its_parts(place: Place, wan: Any) -> None:
    file = place.write("Wan-Q4_K_M.gguf")
    made = place.use(file)
    assert (made.name, made.base, made.label) == ("small-wan-q4_k_m", "small-wan", "random test model, Q4_K_M")
    model = find_model(made.name, place.presets, place.settings)
    assert model.folder == wan.model.folder
    assert model.preset == made
    entry = look(made.name, place.presets, place.settings)
    assert (entry.state, entry.size) == ("ready", file.stat().st_size)
    assert check(made.name, place.presets, place.settings) == []
    found = list(check_models(Examination(place.settings, place.presets)))
    assert [made.name in one.values["names"] for one in found] == [True]


def test_the_command_line_makes_lists_and_forgets_it(place: Place) -> None:
    file = place.write("ltx-distilled.gguf", "ltx")
    runner = CliRunner()
    done = runner.invoke(models_app, ["use", str(file), "--for", "small-ltx", "--name", "mine"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "mine is ready: fanslymotion generate PHOTO --model mine" in done.output
    assert "It shares all else with small-ltx. It takes 8 steps without guidance" in done.output
    assert "mine" in runner.invoke(models_app, ["list"], catch_exceptions=False).output
    done = runner.invoke(models_app, ["remove", "mine"], catch_exceptions=False)
    assert "its files stay" in done.output
    assert file.is_file()
    assert "mine" not in place.presets.models


def test_settings_that_change_weights_are_refused(place: Place) -> None:
    name = place.use(place.write("wan.gguf")).name
    assert {"loras", "int8"}.isdisjoint(taken_by(place.presets.model(name)))
    assert "int8" in taken_by(place.presets.model("small-wan"))
    request = VideoRequest(model=name)
    check_request(request, place.settings)
    for changes in ({"int8": True}, {"loras": (LoraChoice("style"),)}):
        with pytest.raises(BadInput, match=r"come from a quantised file and stay as they are; .* choose small-wan"):
            check_request(replace(request, **changes), place.settings)


def test_the_shared_model_stays_as_long_as_it_is_used(place: Place) -> None:
    name = place.use(place.write("wan.gguf")).name
    presets = place.presets
    hub = presets.model("small-wan").model_copy(update={"source": "hub", "repository": "acme/wan"})
    presets = replace(presets, models={**presets.models, "small-wan": hub})
    with pytest.raises(BadInput, match=f"small-wan stays: the model {name} uses its text encoder"):
        remove("small-wan", presets, place.settings)


def test_a_model_whose_own_transformer_is_gone_still_gives_the_rest(place: Place, tmp_path: Path, wan: Any) -> None:
    import shutil

    folder = tmp_path / "bare"
    shutil.copytree(wan.model.folder, folder)
    (folder / "transformer" / "diffusion_pytorch_model.safetensors").unlink()
    hub = place.presets.model("small-wan").model_copy(update={"name": "bare", "folder": str(folder)})
    presets = replace(place.presets, models={"bare": hub})
    made = use_model([place.write("wan.gguf")], presets, place.settings, "mine")
    assert look("mine", replace(presets, models={"bare": hub, "mine": made}), place.settings).ready


def test_a_second_file_of_the_same_kind_takes_no_models_name(place: Place) -> None:
    first = place.use(place.write("first-Q4_K_M.gguf"))
    second = place.write("second-Q4_K_M.gguf")
    with pytest.raises(BadInput, match=r"another model of yours.*first-Q4_K_M"):
        place.use(second, name=first.name)
    for _ in range(2):
        assert place.use(second).name == f"{first.name}-2"
    assert place.presets.model(first.name) == first
    assert place.use(Path(first.weights[0])).name == first.name, "the same file again"
    Path(first.weights[0]).unlink()
    assert place.use(second).weights == (str(second),)
    assert place.presets.model(first.name).weights == (str(second),), "the name of what is gone is free"


def test_a_changed_file_is_another_model(place: Place, tmp_path: Path) -> None:
    """Of the same size and header, as two trainings of one model are."""
    file = place.write("wan.gguf")
    before = weights_fingerprint(file)
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    assert weights_fingerprint(file) != before


# --------------------------------------------------------------------------------------------------- two transformers


def test_two_files_or_their_folder_make_a_pair(place: Place) -> None:
    low = place.write("Wan2.2-I2V-A14B-GGUF/LowNoise/Wan2.2-I2V-A14B-LowNoise-Q4_K_M.gguf", "wan_a14b")
    high = place.write("Wan2.2-I2V-A14B-GGUF/HighNoise/Wan2.2-I2V-A14B-HighNoise-Q4_K_M.gguf", "wan_a14b")
    assert place.use(low, high).weights == (str(high), str(low))
    made = place.use(high.parents[1])
    assert (made.base, made.weights) == ("pair", (str(high), str(low)))
    assert look(made.name, place.presets, place.settings).size == 2 * high.stat().st_size
    low.unlink()
    entry = look(made.name, place.presets, place.settings)
    assert not entry.ready
    assert f"there is no file {low}" in str(entry.problem)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["x-HighNoise.gguf"], "x-HighNoise.gguf is one of two transformers of pair; give the other one, too"),
        (["a.gguf", "b.gguf"], "pair has two transformers, .* found: a.gguf, b.gguf"),
        (["a-high.gguf", "b-high.gguf"], "one file with HighNoise and one with LowNoise"),
        (["a-high.gguf", "b-low.gguf", "c-low.gguf"], "one file with HighNoise and one with LowNoise"),
    ],
)
def test_not_just_two_files_are_refused(place: Place, names: list[str], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        place.use(*(place.write(name, "wan_a14b") for name in names))


def test_files_that_are_not_distilled_are_sampled_as_their_makers_do(place: Place) -> None:
    """The model here is distilled (Lightning), the files are not, but for those that say so."""
    base = place.presets.model("wan-14b-fast")
    pair = place.presets.model("pair").model_copy(update={"sampling": base.sampling, "name": "wan-14b-fast"})
    presets = replace(place.presets, models={"wan-14b-fast": pair})

    def steps(name: str, distilled: bool | None = None) -> tuple[int, float]:
        files = [place.write(f"{name}-{noise}.gguf", "wan_a14b") for noise in ("high", "low")]
        found = use_model(files, presets, place.settings, f"mine-{name}-{distilled}", distilled=distilled).sampling
        return found.steps, found.max_guidance

    assert steps("A14B-Q4_K_M") == (40, 3.5)
    assert steps("A14B-Lightning-Q4_K_M") == (4, 1.0)
    assert steps("A14B-Q4_K_M", distilled=True) == (4, 1.0)
    assert steps("A14B-4steps-Q4_K_M", distilled=False) == (40, 3.5)


def test_distilled_files_of_a_model_that_is_not_take_their_few_steps(place: Place) -> None:
    """Fifty steps with guidance would burn the pictures of a model that is trained for a few without."""

    def steps(*names: str, kind: str = "wan", distilled: bool | None = None) -> tuple[int, float, str]:
        found = place.use(*(place.write(name, kind) for name in names), distilled=distilled).sampling
        return found.steps, found.max_guidance, found.solver

    assert steps("Wan2.2-TI2V-5B-Q8_0.gguf") == (50, 5.0, "unipc")
    assert steps("Wan2_2-TI2V-5B-Turbo-Q8_0.gguf") == (4, 1.0, "lcm")
    assert steps("FastWan2.2-TI2V-5B-q8_0.gguf") == (3, 1.0, "lcm")
    assert steps("mine.gguf", distilled=True) == (4, 1.0, "lcm")
    assert steps("Turbo-Q8_0.gguf", distilled=False) == (50, 5.0, "unipc")
    assert steps("high-Lightning.gguf", "low-Lightning.gguf", kind="wan_a14b") == (4, 1.0, "euler")
    assert steps("high-Q8_0.gguf", "low-Q8_0.gguf", kind="wan_a14b") == (40, 3.5, "unipc")


def test_a_file_of_a_family_with_both_kinds_must_say_which_it_is(place: Place) -> None:
    """LTX-Video's makers publish both: in eight steps without guidance a dev model gives a blur."""
    file = place.write("mine-Q4_0.gguf", "ltx")
    with pytest.raises(BadInput, match=r"mine-Q4_0.gguf does not say, .* Add --distilled or --not-distilled") as found:
        place.use(file)
    assert found.value.code == codes.WRONG_SETTING
    assert "дистилл" in found.value.message.say("ru")
    assert place.use(file, name="few", distilled=True).sampling.steps == 8
    assert place.use(file, name="full", distilled=False).sampling.steps == 40


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("ltxv-13b-0.9.7-dev-Q4_K_M.gguf", 40),
        ("ltxv-2b-0.9.6-dev-04-25_Q8_0.gguf", 40),
        ("ltx-video-2b-v0.9.5-Q8_0.gguf", 40),
        ("LTXV-13B-0.9.8-DEV.gguf", 40),
        ("ltxv-2b-0.9.6-distilled-04-25-Q4_0.gguf", 8),
        ("ltxv-13b-0.9.7-dev-distilled-merge-Q4_0.gguf", 8),
        ("ltxv-0.9.5-8step.gguf", 8),
        ("developer-0.9.50.gguf", None),
    ],
)
def test_names_tell_the_models_that_are_not_distilled(place: Place, name: str, steps: int | None) -> None:
    """city96's and QuantStack's names; the tiny model has the layers of neither size, and is sampled as a small one."""
    file = place.write(name, "ltx")
    if steps is None:
        with pytest.raises(BadInput, match="does not say"):
            place.use(file)
        return
    made = place.use(file)
    assert made.sampling.steps == steps
    guided = steps > 8
    assert (made.sampling.max_guidance > 1, "negative_prompt" in taken_by(made)) == (guided, guided)
    assert made.name == ("small-ltx-dev-q4_k_m" if guided else "small-ltx-q4_k_m")
    assert made.label == f"{Path(name).stem if guided else 'random test model'}, Q4_K_M"
    assert made.summary == ("40 steps with guidance 3." if guided else "")
    assert made.summary_ru == ("Шагов: 40, guidance 3." if guided else "")


@pytest.mark.parametrize("name", ["ltx-video-2b-v0.9-Q3_K_S.gguf", "ltx-video-2b-v0.9.1-dev-Q4_0.gguf"])
def test_the_first_versions_have_another_vae(place: Place, name: str) -> None:
    """Their transformers have the same shapes, and work on latents that this VAE does not know."""
    with pytest.raises(ModelError, match=r"is of a version before LTX-Video 0\.9\.5, which has another VAE"):
        place.use(place.write(name, "ltx"), distilled=False)


# ---------------------------------------------------------------------------------------------------------- bad input


def llama(place: Place) -> Path:
    path = place.files / "llama.gguf"
    path.parent.mkdir(parents=True)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_array("tokenizer.ggml.tokens", ["a", "b"])
    writer.add_tensor("token_embd.weight", np.zeros((4, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def cut(place: Place, share: float) -> Path:
    path = place.write("cut.gguf")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    return path


def text(place: Place, words: bytes) -> Path:
    place.files.mkdir()
    (place.files / "text.gguf").write_bytes(words)
    return place.files / "text.gguf"


def of_a_type(place: Place) -> Path:
    path = place.write("odd-distilled.gguf", "ltx", lambda name, tensor: Kind.F32)
    data = path.read_bytes()
    at = data.index(b"attn1.to_q.weight") + len(b"attn1.to_q.weight") + 4 + 2 * 8
    assert data[at] == Kind.F32
    path.write_bytes(data[:at] + bytes([Kind.I32]) + data[at + 1 :])
    return path


def larger(place: Place) -> Path:
    tensors = {name: torch.cat([one, one]) if one.ndim == 2 else one for name, one in place.tensors("wan").items()}
    path = place.files / "larger.gguf"
    tiny_gguf.write(path, tensors, "wan", lambda name, tensor: Kind.F16)
    return path


def with_more(place: Place) -> Path:
    """As Wan 2.1's, whose photo goes through an image encoder."""
    tensors = {**place.tensors("wan"), "img_emb.proj.0.weight": torch.ones(3)}
    path = place.files / "more.gguf"
    tiny_gguf.write(path, tensors, "wan", lambda name, tensor: Kind.F16)
    return path


BAD = {
    "cut in its weights": (lambda place: cut(place, 0.9), "of an unsupported kind .*it is cut short"),
    "cut in its header": (lambda place: cut(place, 0.01), "damaged, or of an unsupported kind"),
    "text": (lambda place: text(place, b"Not Found"), "is no GGUF file"),
    "empty": (lambda place: text(place, b""), "is no GGUF file"),
    "noise": (lambda place: text(place, b"GGUF\3\0\0\0" + b"\xff" * 64), "damaged, or of an unsupported kind"),
    "of an LLM": (llama, "fits none of the models that are here .*; it says: llama"),
    "of a type that is not read": (of_a_type, "has weights of the type I32 .*, which is not supported"),
    "of another size": (larger, "was made for another model than small-wan: .* is 24×32 there and 48×32 here"),
    "of another kind": (with_more, "another model than small-wan: img_emb.proj.0.weight is in only one of them"),
    "not there": (lambda place: place.files / "none.gguf", "there is no file .*none.gguf"),
}


@pytest.mark.parametrize("make", BAD)
def test_a_bad_file_is_one_sentence(place: Place, make: str) -> None:
    write, words = BAD[make]
    with pytest.raises(FanslymotionError, match=words) as found:
        place.use(write(place))
    russian = found.value.message.say("ru")
    assert any("а" <= letter <= "я" for letter in russian)
    assert "\n" not in russian
    assert not list(place.settings.presets_dir.rglob("*cut*"))


@pytest.mark.parametrize(
    ("base", "words"),
    [
        ("small-ltx", "holds no transformer of a LTX-Video model .it says: wan."),
        ("mini", "mini has no transformer whose place a file of weights could take"),
        ("nothing", "model is 'nothing'; choose one of"),
        ("wan-5b", "fanslymotion models download wan-5b"),
    ],
)
def test_a_model_that_it_cannot_belong_to_is_one_sentence(place: Place, base: str, words: str) -> None:
    with pytest.raises((FanslymotionError, PresetError), match=words):
        place.use(place.write("wan.gguf"), base=base)


def test_a_folder_without_such_files_is_a_models_own(place: Place, wan: Any, tmp_path: Path) -> None:
    assert place.use(wan.model.folder, name="again").weights == ()
    with pytest.raises(BadInput, match=r"there is no \.gguf / \.safetensors file in"):
        place.use(tmp_path, base="small-wan")


def test_a_file_that_is_damaged_later_is_said_before_the_job(place: Place) -> None:
    file = place.write("wan.gguf")
    name = place.use(file).name
    file.write_bytes(file.read_bytes()[:-40])
    entry = look(name, place.presets, place.settings)
    assert not entry.ready
    assert "cut short" in str(entry.problem)
    with pytest.raises(BadInput, match="cut short"):
        check_request(VideoRequest(model=name), place.settings)


@pytest.mark.parametrize("seed", range(40))
def test_whatever_bytes_a_header_has_one_sentence_comes_of_it(place: Place, seed: int) -> None:
    assert "\n" not in place.said_of_scrambled(place.write("wan.gguf"), seed, 8)
