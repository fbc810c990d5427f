"""CLIP's image encoder: the numbers of transformers and of the stock pipeline, bit for bit, from the same files."""

from pathlib import Path

import pytest
import torch
from diffusers.pipelines.stable_video_diffusion import pipeline_stable_video_diffusion as stock
from fanslymotion.errors import ModelError
from fanslymotion.pipeline.families.svd.clip.network import read_clip
from fanslymotion.pipeline.families.svd.clip.pixels import Normalisation, read_normalisation, resize
from fanslymotion.pipeline.families.weights.reading import read_component
from safetensors.torch import load_file, save_file
from transformers import CLIPImageProcessorPil, CLIPVisionConfig, CLIPVisionModelWithProjection

SMALL = {"hidden_size": 48, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Another activation, patch and width than mini's, in several files."""
    config = CLIPVisionConfig(**SMALL, patch_size=14, projection_dim=24, hidden_act="gelu")
    CLIPVisionModelWithProjection(config).save_pretrained(tmp_path, max_shard_size="60KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    return tmp_path


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_embeddings_are_transformers_own(tiny_model: Path, folder: Path, dtype: torch.dtype) -> None:
    pixels = torch.randn(2, 3, 224, 224, dtype=dtype)
    for place in (tiny_model / "image_encoder", folder):
        ours, missing = read_clip(place, "", dtype)
        theirs = CLIPVisionModelWithProjection.from_pretrained(place, dtype=dtype).eval()
        with torch.no_grad():
            assert torch.equal(ours(pixels), theirs(pixels).image_embeds)
        assert missing == []
        assert ours.dtype == dtype


@pytest.mark.parametrize(("height", "width"), [(72, 128), (576, 320), (224, 224), (200, 1000)])
def test_photos_are_resized_as_in_the_stock_pipeline(height: int, width: int) -> None:
    pixels = 2 * torch.rand(1, height, width, 3).permute(0, 3, 1, 2) - 1
    assert torch.equal(resize(pixels), stock._resize_with_antialiasing(pixels, (224, 224)))


def test_pixels_are_normalised_as_the_models_folder_says(tmp_path: Path) -> None:
    pixels = torch.rand(1, 3, 224, 224)
    processor = CLIPImageProcessorPil(image_mean=[0.1, 0.2, 0.3], image_std=[0.4, 0.5, 0.6])
    processor.save_pretrained(tmp_path)
    names = ("do_center_crop", "do_resize", "do_rescale")
    theirs = processor(images=pixels, do_normalize=True, return_tensors="pt", **dict.fromkeys(names, False))
    assert torch.equal(read_normalisation(tmp_path / "preprocessor_config.json")(pixels), theirs.pixel_values)
    (tmp_path / "preprocessor_config.json").write_text("{}", encoding="utf-8")
    assert read_normalisation(tmp_path / "preprocessor_config.json") == Normalisation()


def test_files_that_lack_a_weight_or_have_another_size(folder: Path) -> None:
    last = "visual_projection.weight"
    place, whole = next((path, found) for path in folder.glob("*.safetensors") if last in (found := load_file(path)))
    save_file({name: tensor for name, tensor in whole.items() if name != last}, place)
    with pytest.raises(ModelError, match=r"lacks 1 weights, the first is visual_projection\.weight"):
        read_component(folder, lambda: read_clip(folder, "", torch.float32))
    save_file({**whole, last: torch.zeros(3, 3)}, place)
    with pytest.raises(ModelError, match=r"(?s)could not be loaded: .*size mismatch for visual_projection"):
        read_component(folder, lambda: read_clip(folder, "", torch.float32))
