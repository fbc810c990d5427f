"""One schema of a request: what earlier versions stored still loads, and every way in has the same names and ranges."""

import inspect
import json
from dataclasses import fields

import pytest
from fanslymotion.cli.main import generate
from fanslymotion.errors import BadInput
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets.options import NUMBERS
from fanslymotion.presets.schema import Sampling
from fanslymotion.ui.api.requests import SettingsIn
from pydantic import ValidationError

FIRST = """{"resolution": "720p", "seconds": 12, "quality": "smooth", "model": "mini", "seed": 7,
"motion_bucket_id": 40, "steps": 4, "noise_aug_strength": 0.1, "fps": 12, "fit": "pad"}"""
"""As a row of the first version, and the metadata of its videos, have it: without detail and upscaler."""


def test_a_request_of_the_first_version_loads() -> None:
    request = VideoRequest.from_json(json.loads(FIRST))
    assert (request.motion_bucket_id, request.noise_aug_strength, request.fit) == (40, 0.1, "pad")
    assert (request.detail, request.upscaler) == (True, None)
    assert VideoRequest.from_json(json.loads(json.dumps(request.to_json()))) == request


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
    assert names <= set(inspect.signature(generate).parameters)
    assert set(NUMBERS) <= names


@pytest.mark.parametrize("name", NUMBERS)
def test_what_a_number_is_for_is_said_in_both_languages(name: str) -> None:
    helped = NUMBERS[name].help
    assert helped.keys() == {"en", "ru"}
    assert all(helped.values())
    assert not helped["ru"].isascii()
