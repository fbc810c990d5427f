"""Folders of LTX-Video: both layouts are read and give the same numbers; what is missing is named, with the remedy."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import torch
from fanslymotion.errors import ModelError
from fanslymotion.models.find import find_model
from fanslymotion.pipeline.families import family, family_of_folder
from fanslymotion.pipeline.families.base import ModelFolder
from fanslymotion.pipeline.families.flow.text.tokenizers import read_tokenizer, tokenize
from fanslymotion.pipeline.families.ltx.folder import BUNDLED, FOLDERS, FULL, SINGLE_FILES
from fanslymotion.pipeline.families.ltx.model import LtxModel, load
from fanslymotion.pipeline.families.ltx.prompts import TOKENS, encode
from fanslymotion.pipeline.families.ltx.sampling import SIGMAS
from fanslymotion.pipeline.families.placement import choose_placement
from fanslymotion.presets import load_presets
from fanslymotion.settings import Settings
from fanslymotion.tests.own_models import use_folder
from safetensors.torch import load_file, save_file

VAE_NAMES = {
    "decoder.mid_block.": "decoder.up_blocks.0.",
    "time_embedder.timestep_embedder": "last_time_embedder.timestep_embedder",
    "encoder.mid_block.": "encoder.down_blocks.9.",
    "resnets": "res_blocks",
    "latents_mean": "per_channel_statistics.mean-of-means",
    "latents_std": "per_channel_statistics.std-of-means",
}


def original_vae(name: str) -> str:
    """Undo diffusers' conversion of a VAE weight's name. The tiny one is of the kind of 0.9.1."""
    parts = name.split(".")
    if parts[:2] == ["decoder", "up_blocks"]:
        sampler = parts[3] == "upsamplers"
        parts = [*parts[:2], str(2 * int(parts[2]) + (1 if sampler else 2)), *parts[5 if sampler else 3 :]]
    elif parts[:2] == ["encoder", "down_blocks"]:
        sampler = parts[3] == "downsamplers"
        parts = [*parts[:2], str(3 * int(parts[2]) + sampler - (int(parts[2]) == 3)), *parts[5 if sampler else 3 :]]
    name = ".".join(parts)
    if name == "decoder.scale_shift_table":
        name = "decoder.last_scale_shift_table"
    for ours, theirs in VAE_NAMES.items():
        if not (ours.startswith("time_embedder") and not name.startswith("decoder.time_embedder")):
            name = name.replace(ours, theirs)
    return f"vae.{name}"


def original_transformer(name: str) -> str:
    for ours, theirs in {
        "proj_in": "patchify_proj",
        "time_embed.": "adaln_single.",
        "norm_q": "q_norm",
        "norm_k": "k_norm",
    }.items():
        name = name.replace(ours, theirs)
    return f"model.diffusion_model.{name}"


@pytest.fixture(scope="session")
def single(tiny_ltx: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model as Lightricks publishes its own: one file, text encoder and tokenizer beside it."""
    folder = tmp_path_factory.mktemp("single") / "LTX-Video"
    shutil.copytree(tiny_ltx, folder)
    weights = {
        original_transformer(k): v
        for k, v in load_file(folder / "transformer" / "diffusion_pytorch_model.safetensors").items()
    }
    weights |= {
        original_vae(k): v for k, v in load_file(folder / "vae" / "diffusion_pytorch_model.safetensors").items()
    }
    save_file(weights, folder / SINGLE_FILES[0])
    for part in ("transformer", "vae"):
        (folder / part / "diffusion_pytorch_model.safetensors").unlink()
    return folder


def loaded(folder: Path) -> LtxModel:
    return load(ModelFolder(FOLDERS.preset(folder), folder), choose_placement())


def test_a_single_file_has_the_same_weights(single: Path, ltx: LtxModel) -> None:
    found = loaded(single)
    for part in ("transformer", "vae"):
        wanted, own = getattr(ltx, part).state_dict(), getattr(found, part).state_dict()
        assert wanted.keys() == own.keys()
        assert all(torch.equal(own[name], tensor) for name, tensor in wanted.items())
    size = FOLDERS.size(single, FOLDERS.preset(single))
    assert size.unet == sum(p.numel() for p in ltx.transformer.parameters())
    assert size.vae >= sum(p.numel() for p in ltx.vae.parameters())


def test_a_single_file_that_lacks_weights_is_refused(single: Path, tmp_path: Path) -> None:
    folder = tmp_path / "LTX-Video"
    shutil.copytree(single, folder)
    weights = load_file(folder / SINGLE_FILES[0])
    weights.pop("model.diffusion_model.proj_out.weight")
    (folder / SINGLE_FILES[0]).unlink()
    save_file(weights, folder / SINGLE_FILES[0])
    with pytest.raises(ModelError, match="lacks weights of the transformer"):
        loaded(folder)


def test_the_2b_models_architecture_is_bundled() -> None:
    """The 0.9.5 configuration, whose 3.17 billion numbers the single file of 6.34 GB has."""
    from diffusers.models.autoencoders.autoencoder_kl_ltx import AutoencoderKLLTXVideo
    from diffusers.models.transformers.transformer_ltx import LTXVideoTransformer3DModel

    with torch.device("meta"):
        transformer = LTXVideoTransformer3DModel.from_config(
            json.loads(BUNDLED["transformer"].read_text(encoding="utf-8"))
        )
        vae = AutoencoderKLLTXVideo.from_config(json.loads(BUNDLED["vae"].read_text(encoding="utf-8")))
    sizes = [sum(p.numel() for p in part.parameters()) for part in (transformer, vae)]
    assert sizes == [FULL.unet, FULL.vae]
    assert sum(sizes) * 2 / 1e9 == pytest.approx(6.34, abs=0.02)


def test_the_bundled_configuration_serves_a_single_file_without_one(tmp_path: Path) -> None:
    (tmp_path / SINGLE_FILES[0]).touch()
    assert FOLDERS.config(tmp_path, "transformer")["num_layers"] == 28
    assert FOLDERS.config(tmp_path, "vae")["timestep_conditioning"] is True
    assert family_of_folder(tmp_path).name == "ltx"
    with pytest.raises(ModelError, match=r"lacks the text encoder \(text_encoder/, T5-XXL: 9.5 GB"):
        FOLDERS.check(tmp_path)


def test_a_folder_is_used_by_its_path_and_by_a_name(tiny_ltx: Path, settings: Settings) -> None:
    assert family_of_folder(tiny_ltx) is family("ltx")
    found = find_model(str(tiny_ltx), load_presets(settings), settings)
    assert (found.preset.family, found.preset.sampling.sigmas) == ("ltx", SIGMAS)
    assert use_folder(tiny_ltx, settings).name == "tiny-ltx"
    preset = find_model("tiny-ltx", load_presets(settings), settings).preset
    assert preset.summary == f"{preset.sampling.steps} steps without guidance."
    own = {"label", "name", "summary", "summary_ru"}
    assert preset.model_dump(exclude=own) == found.preset.model_dump(exclude=own)


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("transformer/config.json", "transformer/config.json is missing"),
        ("vae/diffusion_pytorch_model.safetensors", "vae"),
        ("text_encoder/model.safetensors", "lacks the text encoder"),
        ("tokenizer/tokenizer.json", "tokenizer/tokenizer.json is missing"),
    ],
)
def test_what_is_missing_is_named(gone: str, said: str, tiny_ltx: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_ltx, folder)
    (folder / gone).unlink()
    with pytest.raises(ModelError, match=said):
        FOLDERS.check(folder)


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("transformer", {"patch_size": 2}),
        ("vae", {"decoder_inject_noise": [True]}),
        ("vae", {"temporal_compression_ratio": 4}),
        ("transformer", {"_class_name": "WanTransformer3DModel"}),
    ],
)
def test_models_of_another_kind_are_refused(part: str, change: dict[str, Any], tiny_ltx: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_ltx, folder)
    place = folder / part / "config.json"
    place.write_text(json.dumps(json.loads(place.read_text(encoding="utf-8")) | change), encoding="utf-8")
    with pytest.raises(ModelError, match="LTX-Video model"):
        FOLDERS.check(folder)


@pytest.fixture(scope="session")
def spiece(tiny_ltx: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with a tokenizer as Lightricks publishes it: spiece.model alone."""
    folder = tmp_path_factory.mktemp("spiece") / "модель"
    shutil.copytree(tiny_ltx, folder)
    for path in (folder / "tokenizer").iterdir():
        path.unlink()
    with open(folder / "tokenizer" / "spiece.model", "wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["the cat looks at the sea", "a red car drives along the coast"] * 30),
            model_writer=file,
            vocab_size=24,
            hard_vocab_limit=False,
            pad_id=0,
            eos_id=1,
            unk_id=2,
            bos_id=-1,
            minloglevel=2,
        )
    return folder


@pytest.mark.parametrize("prompt", ["", "the cat", "кот 🚤 \u202eشمس\u202c", "a\tb\n c", "the sea " * 1250])
def test_spiece_model_alone_is_enough(spiece: Path, prompt: str) -> None:
    FOLDERS.check(spiece)
    ids, mask, cut = tokenize(read_tokenizer(spiece / "tokenizer"), prompt, TOKENS)
    assert ids.shape == mask.shape == (1, TOKENS)
    count = int(mask.sum())
    assert ids[0, count - 1] == 1, "the text's end"
    assert not ids[0, count:].any()
    assert bool(cut) == (len(prompt) > 2000)
    assert encode(spiece, prompt, choose_placement()).tensors["words"].isfinite().all()
