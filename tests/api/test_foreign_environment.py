"""The page starts, and takes uploads, in an environment that other programs have shaped."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from fanslymotion.settings import ROOT
from fanslymotion.tests.studio import Studio
from gradio_client import Client, handle_file

SAMPLE = str(ROOT / "assets" / "sample.jpg")


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The system's temporary folder, where `gradio` is somebody else's: nothing can be made in it, even by root."""
    folder = tmp_path_factory.mktemp("tmp")
    (folder / "gradio").write_text("another user's", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def foreign(make_studio: Callable[..., Studio], temporary: Path) -> Studio:
    environ = {
        "TMPDIR": str(temporary),
        "TEMP": str(temporary),
        "TMP": str(temporary),
        "GRADIO_TEMP_DIR": str(temporary / "gradio" / "deeper"),
        "ALL_PROXY": "socks5://127.0.0.1:9",
        "all_proxy": "socks://127.0.0.1:9/",
        "HTTPS_PROXY": "ftp://nowhere:1",
        "NO_PROXY": "[::1],fe80::/10",
    }
    return make_studio("--no-worker", **environ)


def test_uploads_through_the_page_and_through_gradio(
    foreign: Studio, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    client = Client(foreign.url, verbose=False)
    job_id = client.predict(photo=handle_file(SAMPLE), api_name="/generate")
    assert client.predict(job_id, api_name="/job")["status"] == "queued"
    client.close()
    with open(SAMPLE, "rb") as photo:
        answer = foreign.post("/studio/photos", content=photo.read())
    assert answer.status_code == 200, answer.text
    assert [path.name for path in temporary.iterdir()] == ["gradio"], "nothing is left in a place that all share"
    assert "Traceback" not in foreign.said
