"""The picture that a video ends with, over HTTP: asked for, shown, taken again; hidden from other logins."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from fanslymotion.pipeline.families.ltx.random_model import build
from fanslymotion.settings import Settings
from fanslymotion.tests.own_models import use_folder
from fanslymotion.ui.context import Studio
from httpx import Response
from PIL import Image
from starlette.testclient import TestClient

from .conftest import ANNA, BEN


@pytest.fixture
def able(settings: Settings, tmp_path: Path) -> str:
    """A model that can be told which picture a video ends with. Before the studio, which reads the list of models."""
    use_folder(build(tmp_path / "able"), settings, "able")
    return "able"


def upload(client: TestClient, colour: str, size: tuple[int, int] = (200, 300)) -> str:
    made = io.BytesIO()
    Image.new("RGB", size, colour).save(made, "PNG")
    return client.post("/studio/photos", content=made.getvalue(), headers={"X-Photo-Name": f"{colour}.png"}).json()[
        "id"
    ]


def test_a_video_ends_with_another_picture(able: str, studio: Studio, browser: Callable[..., TestClient]) -> None:
    client = browser(BEN)
    first, last = upload(client, "teal"), upload(client, "orange")

    def ask(**body: object) -> Response:
        return client.post("/studio/jobs", json={"photos": [first], "settings": {"model": able}, **body})

    (job,) = ask(last_photo=last).json()["jobs"]
    place = f"/studio/jobs/{job['id']}"
    assert (job["last_photo"]["name"], job["last_photo"]["url"]) == ("orange.png", f"{place}/last")
    assert job["last_photo"]["hash"] not in ("", job["photo_hash"])
    for file, kind in (("/last", "PNG"), ("/last-poster", "JPEG")):
        with Image.open(io.BytesIO(client.get(place + file).content)) as image:
            red, green, blue = image.convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
            assert (image.format, image.height, red > green > blue) == (kind, 300, True)
    with Image.open(io.BytesIO(client.get(f"{place}/poster").content)) as image:
        assert image.convert("RGB").resize((1, 1)).getpixel((0, 0))[0] < 10  # type: ignore[index]
    taken = client.post(f"/studio/photos/of/{job['id']}/last", json={}).json()
    assert (taken["name"], taken["width"], taken["height"]) == ("orange.png", 200, 300)
    (take,) = client.post(f"{place}/again", json={}).json()["jobs"]
    assert take["last_photo"]["hash"] == job["last_photo"]["hash"]

    (plain,) = ask().json()["jobs"]
    assert plain["last_photo"] is None
    before = studio.jobs.count()
    for body, status, said in (
        ({"last_photo": "f" * 32}, 404, "choose it again"),
        (
            {"last_photo": last, "settings": {"model": "mini"}},
            400,
            "choose one of ltx-13b, ltx-2b, wan-14b-fast, able or leave",
        ),
        ({"last_photo": last, "settings": {"model": able, "loop": True}}, 400, "a loop ends with its first picture"),
    ):
        refused = ask(**body)
        assert (refused.status_code, said in refused.json()["error"]) == (status, True), refused.text
    assert studio.jobs.count() == before
    for path in (f"/studio/jobs/{plain['id']}/last", f"/studio/jobs/{plain['id']}/last-poster"):
        assert client.get(path).status_code == 404
    assert client.post(f"/studio/photos/of/{plain['id']}/last", json={}).status_code == 404

    stranger = browser(ANNA)
    for path in (f"{place}/last", f"{place}/last-poster"):
        assert stranger.get(path).status_code == 404
    assert stranger.post(f"/studio/photos/of/{job['id']}/last", json={}).status_code == 404
    mine = upload(stranger, "teal")
    stolen = stranger.post("/studio/jobs", json={"photos": [mine], "settings": {"model": able}, "last_photo": last})
    assert stolen.status_code == 404
