"""What a script with `gradio_client` can do, against a real page with a real worker."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fanslymotion.pipeline.families.ltx.random_model import build
from fanslymotion.settings import ROOT, Settings
from fanslymotion.tests.api.logins import ANNA, BEN
from fanslymotion.tests.own_models import use_folder
from fanslymotion.tests.studio import Studio
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

SAMPLE = str(ROOT / "assets" / "sample.jpg")


@pytest.fixture(scope="module")
def client(studio: Studio) -> Iterator[Client]:
    made = Client(studio.url, verbose=False)
    yield made
    made.close()


def folders(studio: Studio) -> set[Path]:
    """The jobs' folders; before the first job there is none."""
    return set((studio.home / "jobs").glob("*"))


def ended(client: Client, job_id: str) -> dict:
    while (state := client.predict(job_id, api_name="/job"))["status"] in ("queued", "running"):
        time.sleep(0.2)
    return state


def test_a_script_makes_a_video(client: Client, studio: Studio) -> None:
    job_id = client.predict(photo=handle_file(SAMPLE), steps=2, seed=7, detail=False, mode="fast", api_name="/generate")
    state = ended(client, job_id)
    assert state["status"] == "done", state["error"]
    assert state["settings"]["seed"] == 7
    assert (state["settings"]["detail"], state["settings"]["mode"]) == (False, "fast")
    video = httpx.get(state["video"]["url"])
    assert video.headers["content-type"] == "video/mp4"
    assert video.content[4:8] == b"ftyp"
    own = {"Origin": studio.url, "X-Photo-Name": "clip.mp4"}
    assert httpx.post(f"{studio.url}/studio/settings", content=video.content, headers=own).json() == state["settings"]
    part = httpx.get(state["video"]["url"], headers={"Range": "bytes=0-99"})
    assert part.status_code == 206, "a browser can seek"
    assert len(part.content) == 100
    assert (studio.home / "jobs" / job_id).is_dir()


def test_a_script_cancels(client: Client) -> None:
    old = {"motion": 40, "noise": 0.5}  # what the two were called before
    cut = {"shape": "9:16", "position": 0.2}
    job_id = client.predict(photo=handle_file(SAMPLE), steps=100, **old, **cut, api_name="/generate")
    client.predict(job_id, api_name="/cancel")
    state = ended(client, job_id)
    assert state["status"] == "cancelled"
    assert (state["settings"]["motion_bucket_id"], state["settings"]["noise_aug_strength"]) == (40, 0.5)
    assert {key: state["settings"][key] for key in cut} == cut
    assert state["expected"]["width"] < state["expected"]["height"], "of a photo that lies"


@pytest.mark.soak
def test_a_script_says_with_which_picture_a_video_ends(client: Client, studio: Studio, tmp_path: Path) -> None:
    use_folder(build(tmp_path / "able"), Settings.local(studio.home, studio.models), "able")
    end = tmp_path / "end.png"
    Image.new("RGB", (90, 160), "teal").save(end)
    pictures = {"photo": handle_file(SAMPLE), "last_photo": handle_file(str(end))}
    job_id = client.predict(**pictures, model="able", steps=100, api_name="/generate")
    state = client.predict(job_id, api_name="/cancel")
    assert (state["name"], state["last_photo"]["name"]) == ("sample.jpg", "end.png")
    ended(client, job_id)
    before = folders(studio)
    with pytest.raises(AppError, match=r"mini cannot be told .* ends with; choose one of .*wan-14b-fast, able or"):
        client.predict(**pictures, model="mini", api_name="/generate")
    with pytest.raises(AppError, match="was not uploaded by this login"):
        client.predict(**pictures | {"last_photo": ADDRESS}, model="able", api_name="/generate")
    assert folders(studio) == before
    assert list((studio.home / "uploads").iterdir()) == [], "nothing of them stays"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"resolution": "4k"}, "resolution"),
        ({"seconds": 7}, "seconds"),
        ({"seconds": 6.5}, "whole number"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**40}, "seed"),
        ({"steps": 0}, "steps"),
        ({"motion_bucket_id": 0, "motion": 40}, "motion_bucket_id is 0"),
        ({"motion": "wild"}, "motion is 'wild'; choose one of gentle, normal, strong"),
        ({"noise_aug_strength": 2}, "noise_aug_strength is 2"),
        ({"model": "../../etc"}, "model"),
        ({"fit": "stretch"}, "fit"),
        ({"shape": "3:2"}, "shape is '3:2'; choose one of photo, 16:9, 9:16, 1:1, 4:5"),
        ({"position": -0.1}, "position is -0.1; it must be a number from 0.0 to 1.0"),
        ({"mode": "slow"}, "mode is 'slow'; choose one of best, balanced, fast"),
        ({"mode": "balanced", "model": "mini"}, "the model mini does not have"),
        ({"upscaler": "none-such"}, "upscaler"),
        ({"loras": "a:0.5, b, a"}, "the LoRA 'a' is asked for twice"),
        ({"loras": "a:9"}, "the strength of the LoRA 'a' is 9"),
        ({"lora": "a", "loras": "b"}, "both lora and loras are given"),
        ({"loras": "a:0.5, b", "model": "mini"}, "loras is a:0.5, b, but the model mini has no such setting"),
        ({"lora": "a", "lora_strength": 0.5, "model": "mini"}, "loras is a:0.5, but the model mini has no such"),
    ],
)
def test_bad_settings_get_a_sentence_and_leave_nothing(
    client: Client, studio: Studio, wrong: dict, sentence: str
) -> None:
    before = folders(studio)
    with pytest.raises(AppError, match=sentence):
        client.predict(photo=handle_file(SAMPLE), **wrong, api_name="/generate")
    assert folders(studio) == before


ADDRESS = {"path": "https://huge.example/photo.jpg", "meta": {"_type": "gradio.FileData"}}


@pytest.mark.parametrize("more", [{}, {"is_stream": True}])
def test_nothing_is_fetched_from_elsewhere(client: Client, more: dict) -> None:
    """Gradio lets addresses through wherever files are taken, and takes files in any component."""
    file = ADDRESS | more
    with pytest.raises(AppError, match="was not uploaded by this login"):
        client.predict(photo=file, api_name="/generate")
    with pytest.raises(AppError, match="must be a word or a number"):
        client.predict([{"deep": file}], api_name="/job")


def test_a_login_is_asked_for_and_holds_for_every_route(guarded: Studio) -> None:
    assert httpx.get(guarded.url, headers={"Accept": "text/html"}).status_code == 303
    for path in ("/config", "/gradio_api/info", "/studio/options", "/studio/machine", "/studio/events"):
        assert httpx.get(guarded.url + path).status_code == 401, path
    with pytest.raises(Exception, match=r"40[13]|[Ll]og ?in"):
        Client(guarded.url, verbose=False)
    anna = Client(guarded.url, auth=ANNA, verbose=False)
    job_id = anna.predict(photo=handle_file(SAMPLE), api_name="/generate")
    assert anna.predict(job_id, api_name="/job")["status"] == "queued"
    ben = Client(guarded.url, auth=BEN, verbose=False)
    for call in ("/job", "/cancel"):
        with pytest.raises(AppError, match="no job"):
            ben.predict(job_id, api_name=call)
    own, foreign = (httpx.BasicAuth(*login) for login in (ANNA, BEN))
    for file in ("photo", "poster", "log", ""):
        address = f"{guarded.url}/studio/jobs/{job_id}/{file}".rstrip("/")
        assert httpx.get(address, auth=own).status_code == 200, file
        assert httpx.get(address, auth=foreign).status_code == 404, file
    assert httpx.get(f"{guarded.url}/studio/events?job={job_id}", auth=foreign).status_code == 404
    for client in (anna, ben):
        client.close()
