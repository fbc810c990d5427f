"""Encoded prompts on the disk: whole or absent, bounded in number, by encoder and text."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fanslymotion.pipeline.families import family
from fanslymotion.pipeline.families import prompts as module
from fanslymotion.pipeline.families.base import Lora, ModelFolder
from fanslymotion.pipeline.families.forecast import forecast
from fanslymotion.pipeline.families.prompts import PromptCache, PromptEmbeds, prompt_key
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.memory.request_plan import plan_request
from fanslymotion.pipeline.progress import Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets import Presets
from fanslymotion.presets.loras import LoraChoice
from fanslymotion.settings import Settings


def some(value: float = 1.0, cut: str = "") -> PromptEmbeds:
    return PromptEmbeds(
        {"words": torch.full((1, 4, 8), value, dtype=torch.bfloat16), "mask": torch.ones(1, 4).long()}, cut
    )


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    cache = PromptCache(tmp_path / "слова")
    assert cache.read("key") is None
    cache.write("key", some(cut="the end 🚤"))
    found = cache.read("key")
    assert found is not None
    assert found.cut == "the end 🚤"
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in some().tensors.items())
    assert cache.read("other") is None


def test_keys_differ_by_text_and_encoder() -> None:
    texts = ("", "a", "a ", "A", "b")
    assert len({prompt_key(encoder, text) for encoder in ("one", "two") for text in texts}) == 2 * len(texts)


@pytest.mark.parametrize("content", [b"", b"\0" * 8, b"nonsense that is no safetensors file at all", None])
def test_a_damaged_file_counts_as_absent(tmp_path: Path, content: bytes | None) -> None:
    cache = PromptCache(tmp_path)
    cache.write("key", some())
    path = tmp_path / "key.safetensors"
    path.write_bytes(path.read_bytes()[:-9] if content is None else content)
    assert cache.read("key") is None
    cache.write("key", some(2.0))
    found = cache.read("key")
    assert found is not None
    assert found.tensors["words"].max() == 2.0


def test_the_ones_used_longest_ago_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 3)
    cache = PromptCache(tmp_path)
    for i in range(3):
        cache.write(f"{i}", some())
        (tmp_path / f"{i}.safetensors").touch()
        os.utime(tmp_path / f"{i}.safetensors", (1000 + i, 1000 + i))
    assert cache.read("0") is not None
    cache.write("3", some())
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["0", "2", "3"]


def test_a_folder_that_cannot_be_written_costs_only_the_cache(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = PromptCache(tmp_path / "file")
    cache.write("key", some())
    assert cache.read("key") is None


@pytest.mark.parametrize("name", ["ltx", "wan"])
def test_for_a_new_prompt_a_loaded_model_is_loaded_again(
    name: str, request: pytest.FixtureRequest, presets: Presets, settings: Settings
) -> None:
    """It makes room for the text encoder. For a prompt that is on the disk it stays."""
    kind, place = family(name), request.getfixturevalue(f"tiny_{name}")
    model, asked = ModelFolder(kind.folder_preset(place), place), VideoRequest(prompt="waves", quality="sampled")

    def loading(*loras: LoraChoice, kept: ModelFolder = model) -> float:
        wished = replace(asked, loras=loras)
        plan = plan_request(wished, (128, 64), model, presets, settings, machine=Machine(), loaded=(kept.loaded_as,))
        return forecast(plan).stage_seconds[Stage.LOADING]

    assert loading() > 0
    PromptCache(settings.prompts_dir).write(kind.prompt_key(model, kind.options(asked, model.preset, 24)), some())
    assert loading() == 0
    styled = replace(model, loras=(Lora("style", (), 1.0),))
    assert loading(LoraChoice("style")) > 0, "with weights that are not its own"
    assert loading(LoraChoice("style"), kept=styled) == 0
    assert loading(LoraChoice("style", 0.5), kept=styled) > 0
    assert loading(kept=styled) > 0
    (place / "text_encoder" / "config.json").rename(place / "text_encoder" / "moved.json")
    try:
        assert loading() > 0, "with another encoder"
    finally:
        (place / "text_encoder" / "moved.json").rename(place / "text_encoder" / "config.json")
