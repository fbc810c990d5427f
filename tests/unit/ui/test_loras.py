"""The LoRAs of a video over HTTP: as a list, and as earlier versions asked for one."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from fanslymotion.pipeline.families.wan.random_model import build
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets.loras import LoraChoice
from fanslymotion.settings import Settings
from fanslymotion.tests import tiny_lora
from fanslymotion.tests.moving_video import video
from fanslymotion.tests.own_models import use_folder
from fanslymotion.ui.context import Studio
from httpx import Response
from starlette.testclient import TestClient

from .conftest import BEN

Browser = Callable[..., TestClient]
NAMES = ("style", "motion", "light")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """With a model that takes LoRAs, and a folder of them of its own."""
    made = Settings.local(tmp_path / "data", tmp_path / "models")
    use_folder(build(tmp_path / "styled"), made, "styled")
    pair = {"lora_A.weight": torch.ones(2, 24), "lora_B.weight": torch.ones(24, 2)}
    for name in NAMES:
        tensors = {f"transformer.blocks.0.attn1.to_q.{key}": tensor for key, tensor in pair.items()}
        tiny_lora.write(made.models / "loras" / f"{name}.safetensors", tensors)
    return made


@pytest.fixture
def ask(browser: Browser, studio: Studio, photo: Path) -> Callable[..., Response]:
    client = browser(BEN)
    mine = client.post("/studio/photos", content=photo.read_bytes()).json()["id"]

    def call(**given: object) -> Response:
        return client.post("/studio/jobs", json={"photos": [mine], "settings": {"model": "styled", **given}})

    return call


def test_the_form_is_told_what_there_is(browser: Browser) -> None:
    told = browser(BEN).get("/studio/options").json()
    assert (told["loras"], told["most_loras"]) == (sorted(NAMES), 4)
    assert (told["lora_strength"]["min"], told["lora_strength"]["max"]) == (0, 2)


def test_a_list_and_what_earlier_versions_asked(ask: Callable[..., Response], studio: Studio) -> None:
    wanted = [{"name": "motion", "strength": 0.5}, {"name": "style", "strength": None}]
    (job,) = ask(loras=wanted).json()["jobs"]
    assert job["settings"]["loras"] == wanted
    assert studio.jobs.get(job["id"]).request.loras == (LoraChoice("motion", 0.5), LoraChoice("style"))
    for old, now in (
        ({"lora": "style", "lora_strength": 0.5}, [{"name": "style", "strength": 0.5}]),
        ({"lora": "style"}, [{"name": "style", "strength": None}]),
        ({"lora": None, "lora_strength": None}, []),
        ({"lora": ""}, []),
    ):
        (job,) = ask(**old).json()["jobs"]
        assert job["settings"]["loras"] == now


def test_bad_ones_are_refused_in_a_sentence(ask: Callable[..., Response], studio: Studio) -> None:
    one = {"name": "style", "strength": 0.5}
    for wrong, said in (
        ({"loras": [{"name": name} for name in (*NAMES, "x", "y")]}, "5 LoRAs are asked for; at most 4"),
        ({"loras": [one, one]}, "the LoRA 'style' is asked for twice"),
        ({"loras": [{"name": "never"}]}, "there is no LoRA 'never'; choose one of light, motion, style"),
        ({"loras": [one | {"strength": 2.5}]}, "the strength of the LoRA 'style' is 2.5; it must be a number from"),
        ({"loras": [one | {"strength": "0.5"}]}, "loras.0.strength is '0.5'"),
        ({"loras": [one], "lora": "style"}, "both lora and loras are given"),
        ({"loras": "style"}, "loras is 'style'"),
        ({"loras": [one], "model": "mini"}, "loras is style:0.5, but the model mini has no such setting"),
    ):
        refused = ask(**wrong)
        assert (refused.status_code, said in refused.json()["error"]) == (400, True), refused.text
    assert studio.jobs.count() == 0


def test_settings_come_back_from_a_video_of_any_version(browser: Browser, tmp_path: Path) -> None:
    now = VideoRequest(seed=3, loras=(LoraChoice("motion", 0.5), LoraChoice("style"))).to_json()
    old = {key: value for key, value in now.items() if key != "loras"} | {"lora": "style", "lora_strength": 0.5}
    for asked, loras in ((now, now["loras"]), (old, [{"name": "style", "strength": 0.5}])):
        made = video(tmp_path / f"{len(asked)}.mp4", 2, request=json.loads(json.dumps(asked)))
        told = browser(BEN).post("/studio/settings", content=made.read_bytes()).json()
        assert told == now | {"loras": loras}
