"""Model folders: found, checked, loaded, and every fault told in a sentence."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from fanslymotion.errors import ModelError, PresetError
from fanslymotion.models.find import find_model, require_model
from fanslymotion.pipeline.families import family
from fanslymotion.pipeline.families.base import parts
from fanslymotion.pipeline.families.svd.clip import network
from fanslymotion.pipeline.families.svd.folder import ModelFolder, check_folder, folder_preset, native_size
from fanslymotion.pipeline.families.svd.model import Placement, choose_placement, load
from fanslymotion.pipeline.hardware.oom import is_oom
from fanslymotion.pipeline.model_cache import ModelCache
from fanslymotion.presets import Presets
from fanslymotion.settings import Settings
from safetensors.torch import load_file, save_file

CPU16 = Placement(torch.device("cpu"), torch.bfloat16)


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "модель one"))


def model_of(folder: Path) -> ModelFolder:
    return ModelFolder(folder_preset(folder), folder)


def edit(path: Path, **changes) -> None:
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


def test_a_folder_tells_its_size(folder: Path) -> None:
    preset = folder_preset(folder)
    assert (preset.width, preset.height, preset.frames) == (56, 32, 6)
    (folder / "fanslymotion.json").unlink()
    preset = folder_preset(folder)
    assert (preset.width, preset.height, preset.frames, preset.name) == (64, 64, 6, "модель one")
    edit(folder / "unet" / "config.json", sample_size=[9, 16])
    preset = folder_preset(folder)
    assert (preset.width, preset.height, preset.frames) == (128, 72, 6)
    edit(folder / "unet" / "config.json", num_frames=25, sample_size=96)
    preset = folder_preset(folder)
    assert (preset.width, preset.height, preset.frames) == (1024, 576, 25)


@pytest.mark.parametrize(
    ("sample_size", "factor", "size"),
    [
        (96, 8, (1024, 576)),
        ([72, 128], 8, (1024, 576)),
        ((36, 64), 4, (256, 144)),
        (48, 4, (256, 144)),
        (None, 8, (1024, 576)),
    ],
)
def test_native_size(sample_size: object, factor: int, size: tuple[int, int]) -> None:
    assert native_size(sample_size, factor) == size


def test_wrong_keys_in_the_folders_own_file(folder: Path) -> None:
    edit(folder / "fanslymotion.json", frames="many")
    with pytest.raises(ModelError, match="frames is 'many'"):
        folder_preset(folder)


def test_mini_without_its_files_is_the_random_one(settings: Settings, presets: Presets) -> None:
    model = find_model("mini", presets, settings)
    if model.random:
        assert (model.preset.width, model.preset.height) == (56, 32)
        assert require_model("mini", presets, settings) == model
    else:
        assert require_model("mini", presets, settings).folder.is_dir()


def test_neither_a_preset_nor_a_folder(settings: Settings, presets: Presets) -> None:
    with pytest.raises(PresetError, match=r"model is '/no/where'; choose one of mini, .* or give the path"):
        find_model("/no/where", presets, settings)


def test_a_model_not_downloaded_yet(settings: Settings, presets: Presets) -> None:
    assert find_model("svd", presets, settings).folder == settings.models / "svd"
    with pytest.raises(ModelError, match=r"no model folder .*; download it: fanslymotion models download svd"):
        require_model("svd", presets, settings)


@pytest.mark.parametrize(
    "missing",
    [
        "unet/config.json",
        "vae/config.json",
        "image_encoder/config.json",
        "scheduler/scheduler_config.json",
        "feature_extractor/preprocessor_config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "image_encoder/model.safetensors",
    ],
)
def test_a_part_is_missing(missing: str, folder: Path) -> None:
    (folder / missing).unlink()
    with pytest.raises(ModelError, match="is missing"):
        check_folder(folder)
    with pytest.raises(ModelError, match="is missing"):
        ModelCache().get(model_of(folder) if "config" not in missing else _unchecked(folder))


def _unchecked(folder: Path) -> ModelFolder:
    preset = folder_preset.__globals__["ModelPreset"](
        name="m", label="m", source="folder", folder=str(folder), width=128, height=72, frames=14
    )
    return ModelFolder(preset, folder)


def test_not_stable_video_diffusion(folder: Path) -> None:
    edit(folder / "unet" / "config.json", _class_name="UNet2DConditionModel")
    with pytest.raises(ModelError, match="its unet is a UNet2DConditionModel, it must be"):
        check_folder(folder)


def test_pickle_only(folder: Path) -> None:
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    path.rename(path.with_suffix(".bin"))
    with pytest.raises(ModelError, match="pickle"):
        check_folder(folder)


def test_a_configuration_that_is_no_json(folder: Path) -> None:
    (folder / "unet" / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match=r"config\.json cannot be read"):
        check_folder(folder)


def test_damaged_weights(folder: Path) -> None:
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"unet could not be loaded: .*; get these files of the model again"):
        load(model_of(folder), choose_placement())


def test_weights_that_lack_some(folder: Path) -> None:
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(path)
    del weights["conv_in.weight"]
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks 1 weights, the first is conv_in\.weight"):
        load(model_of(folder), choose_placement())


def test_a_scheduler_of_another_kind(folder: Path) -> None:
    edit(folder / "scheduler" / "scheduler_config.json", prediction_type="epsilon")
    with pytest.raises(ModelError, match="prediction_type = 'epsilon'"):
        load(model_of(folder), choose_placement())


def test_half_precision_files(folder: Path) -> None:
    """The download of the real models has the fp16 variant only."""
    for path in folder.rglob("*.safetensors"):
        weights = {name: tensor.half() for name, tensor in load_file(path).items()}
        path.unlink()
        save_file(weights, path.with_name(f"{path.stem}.fp16.safetensors"), metadata={"format": "pt"})
    assert set(check_folder(folder).variants.values()) == {("fp16",)}
    for placement in (choose_placement(), CPU16):
        loaded = load(model_of(folder), placement)
        assert loaded.unet.dtype == loaded.vae.dtype == loaded.image_encoder.dtype == placement.dtype


def test_the_cache_keeps_one_model_and_notices_new_files(folder: Path) -> None:
    cache, model = ModelCache(), model_of(folder)
    parts: list[str] = []
    first = cache.get(model, lambda part, done: parts.append(part))
    assert parts[0] == "libraries"
    assert cache.get(model) is first
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    size, weights = path.stat().st_size, load_file(path)
    save_file({name: tensor + 0.01 for name, tensor in weights.items()}, path, metadata={"format": "pt"})
    assert path.stat().st_size == size, "another training of the same model"
    assert cache.get(model) is not first
    cache.release()
    assert cache.loaded is None


def test_memory_that_runs_out_while_a_file_is_read_does_not_blame_the_file(folder: Path, monkeypatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("Файл подкачки слишком мал для завершения операции. (os error 1455)")

    monkeypatch.setattr(network, "load_file", full)
    with pytest.raises(OSError, match="1455") as caught:
        load(ModelFolder(folder_preset(folder), folder), choose_placement())
    assert is_oom(caught.value)


def test_a_load_says_which_part_it_is_at(folder: Path) -> None:
    names = parts(family("svd"))
    seen: list[tuple[str, int]] = []
    ModelCache().get(model_of(folder), lambda part, done: seen.append((part, done)))
    assert seen[0] == (names[0], 0)
    assert [done for _, done in seen] == sorted(done for _, done in seen), "in their order"
    assert all(part == names[done] for part, done in seen if done < len(names))
