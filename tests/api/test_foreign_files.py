"""Through Gradio's endpoints a login reaches the files that it uploaded itself, and no others: there is one answer."""

import base64
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fanslymotion.settings import ROOT
from fanslymotion.tests.api.logins import ANNA, BEN
from fanslymotion.tests.studio import Studio
from PIL import Image

SAMPLE = ROOT / "assets" / "sample.jpg"
FORM = ["480p", 6, "standard", "", "crop", 7, None, 2, None, None, True, ""]
"""What `generate` takes after the photo, as callers of an earlier version send it: values added since are left out."""
FORM_BY_NAME = {"resolution": "480p", "seconds": 6, "quality": "standard", "model": "", "fit": "crop", "seed": 7}


def file_of(path: Any, **more: Any) -> dict[str, Any]:
    return {"path": path, "meta": {"_type": "gradio.FileData"}, **more}


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def upload(studio: Studio, login: tuple[str, str], name: str = "sample.jpg") -> str:
    files = {"files": (name, SAMPLE.read_bytes())}
    return httpx.post(f"{studio.url}/gradio_api/upload", files=files, auth=login).json()[0]


def by_call(studio: Studio, login: tuple[str, str], photo: Any) -> Any:
    return _result(studio, login, "generate", "/gradio_api/call/generate", {"data": [photo, *FORM]})


def by_named_call(studio: Studio, login: tuple[str, str], photo: Any) -> Any:
    return _result(studio, login, "generate", "/gradio_api/call/v2/generate", {"photo": photo, **FORM_BY_NAME})


def by_queue(studio: Studio, login: tuple[str, str], photo: Any) -> Any:
    """As the page of Gradio and `gradio_client` do."""
    config = httpx.get(f"{studio.url}/config", auth=login).json()
    (number,) = (one["id"] for one in config["dependencies"] if one["api_name"] == "generate")
    body = {"data": [photo, *FORM], "fn_index": number, "session_hash": "mine"}
    joined = httpx.post(f"{studio.url}/gradio_api/queue/join", json=body, auth=login)
    assert joined.status_code == 200, joined.text
    query = {"session_hash": "mine"}
    with httpx.stream("GET", f"{studio.url}/gradio_api/queue/data", params=query, auth=login, timeout=60) as stream:
        for line in stream.iter_lines():
            said = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
            if said.get("msg") == "process_completed":
                return said["output"].get("data", [said["output"].get("error")])[0]
    return None


def _result(studio: Studio, login: tuple[str, str], name: str, route: str, body: dict[str, Any]) -> Any:
    """What the endpoint returns, or the sentence with which it refuses."""
    called = httpx.post(studio.url + route, json=body, auth=login)
    assert called.status_code == 200, called.text
    event = called.json()["event_id"]
    with httpx.stream("GET", f"{studio.url}/gradio_api/call/{name}/{event}", auth=login, timeout=60) as stream:
        for line in stream.iter_lines():
            if line.startswith("data: ") and line != "data: null":
                said = json.loads(line.removeprefix("data: "))
                return said[0] if isinstance(said, list) else said["error"]
    return None


WAYS = (by_call, by_named_call, by_queue)


@pytest.mark.parametrize("way", WAYS)
def test_a_login_makes_a_job_of_what_it_uploaded(guarded: Studio, way: Callable[..., Any]) -> None:
    """The control of the tests below: asked in this way, the endpoint does read a file."""
    job = way(guarded, BEN, file_of(upload(guarded, BEN, "../my cat.jpg"), orig_name="cat.jpg"))
    about = httpx.get(f"{guarded.url}/studio/jobs/{job}", auth=BEN)
    assert about.status_code == 200, job
    assert about.json()["name"] == "my cat.jpg"
    assert httpx.get(f"{guarded.url}/studio/jobs/{job}/photo", auth=BEN).status_code == 200


@pytest.mark.parametrize("way", WAYS)
def test_no_other_file_is_read_and_there_is_one_answer(
    guarded: Studio, cache: Path, tmp_path: Path, way: Callable[..., Any]
) -> None:
    picture = tmp_path / "private.png"
    Image.effect_noise((320, 180), 90).save(picture)
    hers = upload(guarded, ANNA)
    mine = upload(guarded, BEN)
    kept = [path for one in (hers, mine) for path in guarded.home.rglob(one.split("/")[0])]
    named = [
        str(picture), picture.as_uri(), f"{tmp_path}/no such file.png", str(SAMPLE), "assets/sample.jpg", str(tmp_path),
        hers, f"{hers}/", *map(str, kept), *(f"../{path.parent.name}/{path.name}" for path in kept),
        str(cache / "x.png"), str(guarded.home / "jobs.db"), str(guarded.home / "session.key"),
        "/dev/zero", "/dev/stdin", "/etc/passwd", "/root", "/proc/self/environ", "nul", "C:\\Windows\\win.ini",
        "\\\\host\\share\\x.png", "~/x", "a\0b", "x" * 5000, "0" * 32, "", ".", "..",
        "https://huge.example/photo.jpg", "http://127.0.0.1:1/photo.jpg", "data:image/png;base64,AAAA",
    ]  # fmt: skip
    odd = [
        file_of(str(picture), is_stream=True), file_of(str(picture), url=str(picture)), {"path": str(picture)},
        {"path": str(picture), "meta": 5}, file_of(None), file_of([str(picture)]), file_of({"path": str(picture)}),
        {"url": f"file://{picture}", "meta": {"_type": "gradio.FileData"}}, [file_of(str(picture))],
        {"deep": file_of(str(picture))}, {}, [], 5, True, str(picture),
    ]  # fmt: skip
    jobs = sorted(path.name for path in (guarded.home / "jobs").glob("*"))
    answers = {str(photo)[:90]: way(guarded, BEN, photo) for photo in [*map(file_of, named), *odd]}
    assert set(answers.values()) == {"this file was not uploaded by this login; pass photo=handle_file('photo.jpg')"}
    assert sorted(path.name for path in (guarded.home / "jobs").glob("*")) == jobs
    assert not files_in(cache), "nothing is copied"
    assert "Traceback" not in guarded.said
    assert httpx.get(f"{guarded.url}/studio/options", auth=ANNA).status_code == 200


def test_files_are_taken_in_no_other_value(guarded: Studio, cache: Path) -> None:
    """Gradio would copy a file that is named anywhere in a request."""
    for value in ([file_of(str(SAMPLE))], {"deep": [file_of(str(SAMPLE))]}, file_of(str(SAMPLE)), [], {}):
        said = _result(guarded, BEN, "job", "/gradio_api/call/job", {"data": [value]})
        assert said == "the value of job_id must be a word or a number"
        photo = file_of(upload(guarded, BEN))
        body = {"data": [photo, value, *FORM[1:]]}
        said = _result(guarded, BEN, "generate", "/gradio_api/call/generate", body)
        assert said == "the value of resolution must be a word or a number"
    assert not files_in(cache)


@pytest.mark.parametrize(
    "route",
    [
        "/gradio_api/file={}", "/gradio_api/file/{}", "/file={}", "/gradio_api/proxy=file://{}", "/static/{}",
        "/static/..{}", "/static/../../../../../../../../..{}", "/assets/{}", "/assets/../../../../../../../../..{}",
        "/assets/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e{}", "/svelte/{}", "/gradio_api/deep_link",
        "/gradio_api/upload_progress?upload_id=x", "/gradio_api/stream/mine/1/1/playlist-file",
        "/gradio_api/custom_component/x/client/component/..{}", "/monitoring", "/gradio_api/queue/status",
    ],
)  # fmt: skip
def test_no_route_of_gradio_gives_a_file_of_the_machine(guarded: Studio, route: str) -> None:
    for path in (SAMPLE, ROOT / "no such file.jpg"):
        answer = _raw(guarded, "GET", route.format(str(path).replace(" ", "%20")))
        assert answer.startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 403 ")), answer[:200]
        assert SAMPLE.read_bytes()[:64] not in answer
    assert _raw(guarded, "GET", "/static/img/logo.svg").startswith(b"HTTP/1.1 200 "), "the control"
    assert "Traceback" not in guarded.said


@pytest.mark.parametrize("route", ["run/generate", "api/generate", "component_server", "process_recording", "stream/x"])
def test_gradios_other_ways_in_do_not_exist(guarded: Studio, route: str) -> None:
    body = {"data": [file_of(str(SAMPLE)), *FORM], "fn_name": "x", "component_id": 1, "session_hash": "mine"}
    for path in (f"/gradio_api/{route}", f"/gradio_api/{route}/", f"/{route}"):
        assert httpx.post(guarded.url + path, json=body, auth=BEN).status_code == 404


def test_what_is_no_upload_is_refused_with_a_sentence(guarded: Studio) -> None:
    url = f"{guarded.url}/gradio_api/upload"
    for options in (
        {}, {"content": b"x"}, {"data": {"files": "/etc/passwd"}}, {"files": {"file": b"x"}},
        {"content": b"--x\r\n", "headers": {"Content-Type": "multipart/form-data"}},
        {"content": b"nonsense", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
        {"files": [("files", (f"{n}.png", b"x")) for n in range(60)]},
    ):  # fmt: skip
        answer = httpx.post(url, auth=BEN, **options)  # type: ignore[arg-type]
        assert answer.status_code == 400, answer.text
        assert "'files'" in answer.json()["error"]
    assert "Traceback" not in guarded.said


def _raw(studio: Studio, method: str, target: str) -> bytes:
    """Without a client that tidies up the address. Only the first 256 KB of the answer."""
    login = base64.b64encode(":".join(BEN).encode()).decode()
    head = f"{method} {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {login}\r\nConnection: close\r\n\r\n"
    said = b""
    with socket.create_connection(("127.0.0.1", studio.port), timeout=60) as line:
        line.sendall(head.encode())
        while len(said) < 1 << 18 and (part := line.recv(65536)):
            said += part
    return said
