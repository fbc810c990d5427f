"""One schema of a request: what earlier versions stored still loads, and every way in has the same names and ranges."""

import inspect
import json
from dataclasses import fields
from typing import Any

import pytest
import typer
from fanslymotion.cli.main import app, generate
from fanslymotion.errors import BadInput
from fanslymotion.pipeline.families import families, family
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets.loras import LoraChoice, parse_loras
from fanslymotion.presets.options import LAST_PHOTO, MAX_PROMPT, NUMBERS, OPTIONS, TEXTS
from fanslymotion.presets.schema import Sampling
from fanslymotion.ui.api.requests import EstimateIn, SettingsIn
from pydantic import ValidationError

FIRST = """{"resolution": "720p", "seconds": 12, "quality": "smooth", "model": "mini", "seed": 7,
"motion_bucket_id": 40, "steps": 4, "noise_aug_strength": 0.1, "fps": 12, "fit": "pad"}"""
"""As a row of the first version, and the metadata of its videos, have it: without detail and upscaler."""


def test_a_request_of_the_first_version_loads() -> None:
    request = VideoRequest.from_json(json.loads(FIRST))
    assert (request.motion_bucket_id, request.noise_aug_strength, request.fit) == (40, 0.1, "pad")
    assert (request.detail, request.upscaler) == (True, None)
    assert VideoRequest.from_json(json.loads(json.dumps(request.to_json()))) == request


def test_a_request_with_one_lora_loads_as_a_list_of_one() -> None:
    """As version 8 stored it: rows, records, metadata of videos."""
    request = VideoRequest.from_json({"seed": 3, "lora": "style", "lora_strength": 0.5})
    assert request == VideoRequest(seed=3, loras=(LoraChoice("style", 0.5),))
    assert VideoRequest.from_json({"lora": "style", "lora_strength": None}).loras == (LoraChoice("style"),)
    for nothing in ({"lora": None, "lora_strength": None}, {"lora": "", "lora_strength": 0.5}, {"lora_strength": 1}):
        assert VideoRequest.from_json(nothing) == VideoRequest()
    assert VideoRequest.from_json(json.loads(json.dumps(request.to_json()))) == request
    assert request.to_json()["loras"] == [{"name": "style", "strength": 0.5}]


NAMED = [{"name": name} for name in ("a", "b", "c", "d", "e")]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"loras": NAMED}, "5 LoRAs are asked for; at most 4 are added to a model"),
        ({"loras": [NAMED[0], NAMED[1], NAMED[0]]}, "the LoRA 'a' is asked for twice; name it once"),
        *(
            ({"loras": [{"name": "a", "strength": wrong}]}, "the strength of the LoRA 'a' is .* from 0.0 to 2.0")
            for wrong in (2.1, -0.1, float("nan"), "1", True)
        ),
        ({"lora": "a", "lora_strength": 3}, "the strength of the LoRA 'a' is 3; it must be a number from"),
        ({"lora": "a", "loras": NAMED[:1]}, "both lora and loras are given; name all LoRAs in loras"),
        *(
            ({"loras": wrong}, "it must be a list of LoRAs, each with name and strength")
            for wrong in ("a", {"name": "a"}, 5, None, ["a"], [{}], [{"name": ""}], [{"name": 5}], [{"nam": "a"}])
        ),
    ],
)
def test_what_is_no_list_of_loras_is_refused_in_a_sentence(given: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said) as told:
        VideoRequest.from_json(given)
    assert not told.value.message.say("ru").isascii()


def test_loras_are_read_from_words() -> None:
    text = "style:0.8, my: motion , x:y,last:2,"
    wanted = (LoraChoice("style", 0.8), LoraChoice("my: motion"), LoraChoice("x:y"), LoraChoice("last", 2.0))
    assert parse_loras(text) == wanted
    assert parse_loras(", ".join(map(str, wanted))) == wanted
    with pytest.raises(BadInput, match="the strength of the LoRA 'style' is 3"):
        parse_loras("style:3")


@pytest.mark.parametrize("name", NUMBERS)
def test_a_range_holds_wherever_the_number_comes_in(name: str) -> None:
    number = NUMBERS[name]
    for value in (number.low, number.high):
        assert getattr(VideoRequest(**{name: value}), name) == value
    for value in (number.low - 1, number.high + 1, True, "5"):
        with pytest.raises(BadInput, match=rf"^{name} is .*it must be a number from {number.low} to {number.high}$"):
            VideoRequest(**{name: value})
    if name in Sampling.model_fields:
        assert getattr(Sampling(**{name: number.high}), name) == number.high
        with pytest.raises(ValidationError):
            Sampling(**{name: number.high + 1})


def test_every_way_in_has_the_requests_names() -> None:
    names = {field.name for field in fields(VideoRequest)}
    assert set(SettingsIn.model_fields) == names
    command = inspect.signature(generate).parameters
    assert names <= set(command)
    assert {name: command[name].default or None for name in names - {"model", "seed"}} == {
        name: getattr(VideoRequest(), name) or None for name in names - {"model", "seed"}
    }
    assert set(EstimateIn.model_fields) == names - {"resolution", "loras"} | {"width", "height", "last_photo"}
    assert set(OPTIONS) == names


def test_what_a_setting_is_for_is_said_in_the_same_words_everywhere() -> None:
    command = typer.main.get_command(app).commands["generate"]  # pyright: ignore[reportAttributeAccessIssue]
    helps = {parameter.name: getattr(parameter, "help", "") for parameter in command.params}
    for name, option in OPTIONS.items():
        assert helps[name].startswith(option.help)
        assert SettingsIn.model_fields[name].description == option.help
        for words in option.words.values():
            assert words["en"]
            assert not words["ru"].isascii()


def test_what_only_some_models_take_is_named_by_their_families() -> None:
    own = {name for name, option in OPTIONS.items() if option.own} | {LAST_PHOTO.name}
    taken = {name for one in families() for name in family(one).takes}
    assert own == taken


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("prompt", ["", "waves roll in", "Кошка 🐈‍⬛ مرحبا \u202e\n\tend", "я" * MAX_PROMPT])
def test_a_prompt_is_any_text(name: str, prompt: str) -> None:
    request = VideoRequest(**{name: prompt})
    assert VideoRequest.from_json(json.loads(json.dumps(request.to_json()))) == request


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("x" * (MAX_PROMPT + 1), f"prompt has {MAX_PROMPT + 1} letters; write at most {MAX_PROMPT}"),
        ("a\0b", "an invalid character"),
        ("a\ud83db", "an invalid character"),
        (5, "prompt is '5'; it must be text"),
    ],
)
def test_what_is_no_prompt_is_refused_in_a_sentence(name: str, prompt: Any, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        VideoRequest(**{name: prompt})


def test_no_negative_prompt_is_the_models_own_and_no_prompt_is_none() -> None:
    assert VideoRequest(negative_prompt=None).negative_prompt is None
    with pytest.raises(BadInput, match="prompt is 'None'; it must be text"):
        VideoRequest(prompt=None)  # pyright: ignore[reportArgumentType]
