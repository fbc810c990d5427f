"""No odd request makes the program fail: no traceback in its window, no status 500, no word about files."""

import json
import socket

import httpx
import pytest
from fanslymotion.settings import ROOT
from fanslymotion.tests.soak import soak
from fanslymotion.tests.studio import Studio

from .logins import ANNA, BEN
from .odd_requests import Odd, odd_requests

SAMPLE = ROOT / "assets" / "sample.jpg"


def answer_to(studio: Studio, sent: bytes) -> bytes:
    """As far as a stream goes that has something to say: its beginning."""
    said = b""
    with socket.create_connection(("127.0.0.1", studio.port), timeout=60) as line:
        try:
            line.sendall(sent)
            while part := line.recv(65536):
                said += part
                if b"text/event-stream" in said and b"\r\n\r\n" in said:
                    break
        except ConnectionError:
            pass
    return said


def result_of(studio: Studio, called: bytes) -> bytes:
    """What a call to Gradio that was taken ends with."""
    try:
        event = json.loads(called.partition(b"\r\n\r\n")[2])["event_id"]
    except (ValueError, KeyError, TypeError):
        return b""
    url = f"{studio.url}/gradio_api/call/x/{event}"
    with httpx.stream("GET", url, auth=BEN, timeout=60) as stream:
        return b"".join(stream.iter_raw())


@pytest.mark.parametrize("every", [6, *soak(1)])
def test_no_odd_request_fails_in_the_program(guarded: Studio, every: int) -> None:
    """Each third of them in the default run."""
    headers = {"X-Photo-Name": "a.jpg"}
    photo = httpx.post(f"{guarded.url}/studio/photos", content=SAMPLE.read_bytes(), headers=headers, auth=BEN).json()
    made = httpx.post(f"{guarded.url}/studio/jobs", json={"photos": [photo["id"]]}, auth=BEN).json()
    job = made["jobs"][0]["id"]
    requests = [Odd(**{**vars(one), "path": one.path.replace("{job}", job)}) for one in odd_requests()]
    assert len(requests) >= 400
    wrong, before = [], len(guarded.said)
    for request in requests[::every]:
        said = answer_to(guarded, request.to_bytes(guarded.port))
        said += result_of(guarded, said)
        said = said.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
        status = said[9:12]
        if b"Traceback" in said or b"root:" in said or str(guarded.home).encode() in said:
            wrong.append(f"it says {said[-300:]!r}: {request}")
        if not said.startswith(b"HTTP/1.1 ") or not b"200" <= status < b"500":
            wrong.append(f"{said[:15]!r}: {request}")
        if len(guarded.said) > before:
            if "Traceback" in guarded.said[before:] or "ERROR" in guarded.said[before:]:
                wrong.append(f"in the window: {guarded.said[before:][-250:]}: {request}")
            before = len(guarded.said)
    assert not wrong, f"{len(wrong)} of {len(requests)}:\n" + "\n".join(wrong[:60])
    assert httpx.get(f"{guarded.url}/studio/jobs/{job}", auth=BEN).json()["status"] == "queued"


def test_a_client_that_hangs_up_is_no_error(guarded: Studio) -> None:
    """In the middle of a body, and of an answer."""
    half = [
        Odd("POST", path, b'{"data": [', (("Content-Length", b"5000"), ("Content-Type", kind.encode())))
        for path in ("/login", "/studio/photos", "/studio/settings", "/studio/jobs", "/gradio_api/upload",
                     "/gradio_api/queue/join", "/gradio_api/call/generate", "/gradio_api/cancel")
        for kind in ("application/json", "multipart/form-data; boundary=x")
    ]  # fmt: skip
    begun = [
        Odd("GET", path)
        for path in (
            "/studio/events",
            "/gradio_api/heartbeat/mine",
            "/",
            "/config",
            "/studio/system",
            "/gradio_api/info",
        )
    ]
    before = len(guarded.said)
    for request in [*half, *begun] * 3:
        with socket.create_connection(("127.0.0.1", guarded.port), timeout=60) as line:
            line.sendall(request.to_bytes(guarded.port))
            if request in begun:
                line.recv(1)
    # Whoever asks after them is answered, and by then the page has seen the others go.
    assert httpx.get(f"{guarded.url}/studio/system", auth=BEN, timeout=60).status_code == 200
    assert guarded.said[before:] == ""


def test_a_session_of_gradio_belongs_to_its_login(guarded: Studio) -> None:
    """Both choose the same name, as one would who knows or guesses another's."""
    body = {"data": ["x"], "fn_index": 1, "session_hash": "shared"}
    assert httpx.post(f"{guarded.url}/gradio_api/queue/join", json=body, auth=ANNA).status_code == 200
    query = {"session_hash": "shared"}
    assert httpx.get(f"{guarded.url}/gradio_api/queue/data", params=query, auth=BEN).status_code == 404
    with httpx.stream("GET", f"{guarded.url}/gradio_api/queue/data", params=query, auth=ANNA, timeout=60) as stream:
        assert any("process_completed" in line for line in stream.iter_lines()), "the control: it waits for Anna"


@pytest.mark.parametrize("folder", ["~nosuchuser", "x" * 4000, "/" + "x" * 300, "a\0b", "/no such folder"])
def test_a_wrong_model_folder_is_the_askers_mistake(guarded: Studio, folder: str) -> None:
    answer = httpx.post(f"{guarded.url}/studio/models", json={"folder": folder}, auth=ANNA)
    assert answer.status_code == 400
    assert answer.json()["error"]
