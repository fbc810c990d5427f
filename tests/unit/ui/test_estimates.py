"""What a video takes with each model: the form's own estimate, for all of them at once."""

from collections.abc import Callable
from typing import Any

import pytest
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets.loras import LoraChoice
from fanslymotion.queue import suitability
from fanslymotion.ui.context import Studio
from starlette.testclient import TestClient

from .conftest import ANNA

Browser = Callable[..., TestClient]
VIDEO = {"seconds": "12", "quality": "smooth", "mode": "fast", "width": "900", "height": "1600"}


def test_it_is_the_forms_estimate_for_every_model(browser: Browser) -> None:
    client = browser(ANNA)
    told = client.get("/studio/estimate/models", params=VIDEO | {"resolution": "720p"}).json()
    assert [model["name"] for model in client.get("/studio/options").json()["models"]] == list(told)
    for name, mode in (("mini", "fast"), ("svd-xt", "fast"), ("ltx-2b", "best")):
        own = client.get("/studio/estimate", params=VIDEO | {"model": name, "mode": mode}).json()["720p"]
        for key in ("device", "width", "height", "shrunk", "fits"):
            assert told[name][key] == own[key], (name, key)
        assert told[name]["seconds"] == pytest.approx(own["seconds"], rel=0.01)


def test_a_model_that_cannot_be_told_has_no_time_and_the_others_have(browser: Browser, studio: Studio) -> None:
    preset = 'label = "Odd"\nsource = "folder"\nfolder = "/nowhere"\nfamily = "unheard-of"\n'
    file = studio.settings.presets_dir / "models" / "odd.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(preset + "width = 256\nheight = 144\nframes = 14\n", encoding="utf-8")
    client = browser(ANNA)
    assert "odd" in [model["name"] for model in client.get("/studio/options").json()["models"]]
    told = client.get("/studio/estimate/models", params=VIDEO | {"resolution": "480p"}).json()
    assert told["odd"] is None
    assert told["svd-xt"]["seconds"] > 0


def test_what_is_wrong_is_said(browser: Browser) -> None:
    client = browser(ANNA)
    for wrong in ({"resolution": "4K"}, {"resolution": ""}, {"seconds": "99"}, {"quality": "x"}, {"model": "mini"}):
        answer = client.get("/studio/estimate/models", params={"resolution": "480p"} | VIDEO | wrong)
        assert (answer.status_code == 200) == ("model" in wrong), wrong


def test_the_machine_is_looked_at_once(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    machines: list[Any] = []
    plan_request = suitability.plan_request

    def look(*args: Any, **options: Any) -> Any:
        machines.append(options["machine"])
        return plan_request(*args, **options)

    monkeypatch.setattr(suitability, "plan_request", look)
    told = browser(ANNA).get("/studio/estimate/models", params=VIDEO | {"resolution": "480p"}).json()
    assert len(machines) == len(told)
    assert machines[0] is None
    assert None not in machines[1:]


def test_prompts_loras_and_the_last_picture_count(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loaded model is loaded again for another prompt or LoRA. These are too long for an address."""
    asked: list[tuple[VideoRequest, bool]] = []
    plan_request = suitability.plan_request

    def look(request: VideoRequest, *args: Any, **options: Any) -> Any:
        asked.append((request, options["ends"]))
        return plan_request(request, *args, **options)

    monkeypatch.setattr(suitability, "plan_request", look)
    query = {"model": "ltx-2b", "seconds": "6", "quality": "standard", "last_photo": "true"}
    body = {"prompt": "волны " * 1500, "negative_prompt": None, "loras": [{"name": "style", "strength": 0.5}]}
    client = browser(ANNA)
    told = client.post("/studio/estimate", params=query, json=body)
    assert told.json()["720p"]["seconds"] > 0
    assert {(one.prompt, one.loras, ends) for one, ends in asked} == {
        (body["prompt"], (LoraChoice("style", 0.5),), True)
    }
    wrong = client.post("/studio/estimate", params=query, json={"prompt": "x" * 10_001})
    assert (wrong.status_code, "prompt" in wrong.text) == (400, True)
    assert client.post("/studio/estimate", params=query, json={"steps": 3}).status_code == 400


def test_the_form_is_told_the_models_own_rate_of_a_quality_of_the_users(browser: Browser, studio: Studio) -> None:
    (studio.settings.presets_dir / "qualities.toml").write_text(
        '[mine]\nlabel = "Mine"\ninterpolation = 4\n', encoding="utf-8"
    )
    client = browser(ANNA)
    told = {model["name"]: model["rates"] for model in client.get("/studio/options").json()["models"]}
    assert told["wan-5b"] == {"standard": [24, 1], "smooth": [24, 2], "sampled": [24, 1], "mine": [24, 2]}
    assert told["svd-xt"] == {}, "those of the length and the quality"
