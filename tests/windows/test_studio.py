"""What a Windows user does on the first day: set up, doctor, a video, the page, Ctrl+C."""

import re
import shutil
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fanslymotion.settings import ROOT
from fanslymotion.tests.studio import free_port, wait_for
from gradio_client import Client, handle_file

from .prefix import BASE_PYTHON, Prefix
from .terminal import CTRL_C, Terminal

pytestmark = pytest.mark.timeout(3600)
SAMPLE = ROOT / "assets" / "sample.jpg"
RESETS = 300


# --- from the command line ------------------------------------------------------------------------------------------


def test_setup_says_where_it_is_in_utf_8(installed: Prefix) -> None:
    again = installed.launch("setup", seconds=600)
    assert again.returncode == 0, again.stdout
    assert r"C:\users\Иван Петров\видео студия\.venv" in again.stdout


def test_doctor_speaks_the_systems_language_and_finds_nothing_wrong(installed: Prefix) -> None:
    done = installed.launch("doctor", seconds=600)
    assert done.returncode == 0, done.stdout
    assert "Всё в порядке." in done.stdout
    assert "mini" in done.stdout


def test_a_photo_with_an_odd_name_becomes_a_video(installed: Prefix) -> None:
    photo = installed.checkout.parent / "фото × é №1.jpg"
    shutil.copyfile(SAMPLE, photo)
    words = ("generate", r"..\фото × é №1.jpg", "-m", "mini", "--out", r"..\видео № 1.mp4")
    done = installed.launch(*words, seconds=1200)
    assert done.returncode == 0, done.stdout
    video = installed.checkout.parent / "видео № 1.mp4"
    assert video.read_bytes()[4:8] == b"ftyp"
    video.unlink()


# --- the page, in one window, from its start to Ctrl+C ---------------------------------------------------------------


@pytest.fixture(scope="module")
def window(installed: Prefix) -> Iterator[Terminal]:
    """The launcher in a console window; its page answers at `url`.

    WINSTRICT: the worker's pipe serves one operation at a time, as on Windows (see parts/pipes.c).
    """
    port = free_port()
    words = [BASE_PYTHON, "launch.py", "--no-browser", "--port", str(port)]
    made = Terminal(words, installed.checkout, installed.environ | {"WINSTRICT": "1"})
    made.url = f"http://127.0.0.1:{port}"  # type: ignore[attr-defined]
    made.wait_for(made.url, 600)  # type: ignore[attr-defined]
    yield made
    made.kill()
    installed.end_programs()


def test_the_page_outlives_a_flood_of_reset_connections(window: Terminal) -> None:
    """python/cpython#93821: one connection that is reset before it is accepted closed the listening socket."""
    address = httpx.URL(window.url)
    for _ in range(RESETS):
        with socket.socket() as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            line.setblocking(False)
            line.connect_ex((address.host, address.port))
    for _ in range(5):
        assert httpx.get(f"{window.url}/", timeout=60).status_code == 200


def test_upload_stream_and_video(window: Terminal, tmp_path: Path) -> None:
    photo = tmp_path / "фото № 2.jpg"
    shutil.copyfile(SAMPLE, photo)
    client = Client(window.url, verbose=False)
    job = client.predict(photo=handle_file(str(photo)), resolution="480p", seconds=6, steps=4, api_name="/generate")
    seen = set()
    with httpx.stream("GET", f"{window.url}/studio/events?job={job}", timeout=300) as events:
        assert events.status_code == 200
        assert events.headers["content-type"].startswith("text/event-stream")
        for line in events.iter_lines():
            seen.add(line.removeprefix("event: ") if line.startswith("event: ") else "")
            if {"job", "log", "machine"} <= seen:
                break
    while (state := client.predict(job, api_name="/job"))["status"] in ("queued", "running"):
        time.sleep(0.5)
    client.close()
    assert state["status"] == "done", state["error"]
    part = httpx.get(state["video"]["url"], headers={"Range": "bytes=0-99"})
    assert (part.status_code, len(part.content)) == (206, 100)


def test_ctrl_c_ends_page_and_worker(window: Terminal, installed: Prefix) -> None:
    assert installed.programs()
    window.press(CTRL_C)
    assert window.process.wait(120) == 0, window.said
    wait_for(lambda: not installed.programs(), 60)
    assert not re.search("Traceback", window.said), window.said
