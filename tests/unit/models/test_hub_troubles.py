"""A hub that refuses, stays in trouble, or cannot be reached: what is tried again, and what is said."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from fanslymotion.models.download import hub as hub_module
from fanslymotion.models.download.http import FAILURES, Broken, Patience
from fanslymotion.models.download.hub import DownloadError
from fanslymotion.models.download.model import download
from huggingface_hub import close_session

from .conftest import WEIGHTS, here, quick, wanted


@contextmanager
def encrypted(folder: Path) -> Iterator[str]:
    """The address of an HTTPS server whose certificate this machine does not trust."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = context.wrap_socket(listener, server_side=True)

        def answer() -> None:
            while True:
                try:
                    server.accept()
                except ssl.SSLError:
                    continue  # the client does not trust it
                except OSError:
                    return

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener_port(server)}"
        server.close()
        thread.join(5)


def listener_port(server: socket.socket) -> int:
    return server.getsockname()[1]


@pytest.mark.parametrize("at", ["api", WEIGHTS])
@pytest.mark.parametrize("status", [401, 403])
def test_no_access_names_the_page_and_the_token(hub, preset, settings, status, at):
    hub.statuses[at] = [status]
    with pytest.raises(DownloadError) as caught:
        download(preset, settings, patience=quick())
    error = caught.value
    assert error.code == "FM-MODEL-003"
    assert error.page == f"{hub.url}/acme/tiny"
    for words in (error.page, "HF_TOKEN", "hf auth login", "settings/tokens", str(status)):
        assert words in str(error)


def test_a_token_opens_the_gate_and_stays_with_the_hub(hub, preset, settings, monkeypatch):
    hub.token = "hf_secret"
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    download(preset, settings)
    assert here(settings) == wanted(hub)
    stored = [headers for path, headers in hub.requests if path.startswith("/storage/")]
    assert stored
    assert all("Authorization" not in headers for headers in stored)


def test_a_repository_that_is_not_there(hub, preset, settings):
    hub.statuses["api"] = [404]
    with pytest.raises(DownloadError, match="404") as caught:
        download(preset, settings, patience=quick())
    assert caught.value.code == "FM-MODEL-004"


def test_a_preset_that_wants_what_the_repository_lacks(hub, preset, settings):
    lacking = preset.model_copy(update={"files": (*preset.files, "vae/*.bin")})
    with pytest.raises(DownloadError, match=r"vae/\*\.bin"):
        download(lacking, settings)


@pytest.mark.parametrize("at", ["api", WEIGHTS])
@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_hub_in_trouble_is_tried_again(hub, preset, settings, status, at):
    hub.statuses[at] = [status, status]
    said = []
    download(preset, settings, patience=quick(said))
    assert here(settings) == wanted(hub)
    assert len(said) == 2
    assert str(status) in said[0]


def test_retry_after_is_waited_for(hub, preset, settings):
    waited = []
    patience = Patience(pause=waited.append, first=0.001)
    patience.wait(Broken(DownloadError("x", "asks to wait", again=True, after=7.0)))
    patience.wait(Broken(DownloadError("x", "asks to wait", again=True, after=99999.0)))
    assert waited == [7.0, 600.0]


def test_a_hub_that_stays_in_trouble_ends_it_and_keeps_what_is_here(hub, preset, settings):
    hub.drops[WEIGHTS] = [300_000]
    hub.statuses[WEIGHTS] = []
    said = []

    def trouble(text):
        said.append(text)
        hub.statuses[WEIGHTS] = [500] * 50

    with pytest.raises(DownloadError, match="500") as caught:
        download(preset, settings, patience=Patience(pause=lambda s: None, first=0.001, say=trouble))
    assert (caught.value.code, caught.value.again) == ("FM-MODEL-005", True)
    assert len(said) == FAILURES - 1, "the bytes before the trouble were progress"
    assert (settings.models / "tiny" / (WEIGHTS + ".part")).stat().st_size == 300_000


def test_no_hub_at_all(preset, settings, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DownloadError, match="cannot be reached") as caught:
        download(preset, settings, patience=quick())
    assert caught.value.code == "FM-MODEL-005"


@pytest.mark.soak
def test_the_hubs_wish_to_wait_counts_for_the_question_too(hub, preset, settings):
    hub.statuses["api"], hub.retry_after = [429], "7"
    pauses = []
    patience = Patience(pause=pauses.append, first=0.001)
    download(preset, settings, patience=patience)
    assert sum(pauses) >= 6.9


def test_an_expired_token_for_an_open_model_is_no_matter_of_terms(hub, preset, settings, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_old")
    hub.token = "hf_new"
    with pytest.raises(DownloadError, match="does not accept the token") as caught:
        download(preset, settings)
    assert caught.value.code == "FM-MODEL-003"
    assert "terms" not in str(caught.value)
    gated = preset.model_copy(update={"gated": True})
    with pytest.raises(DownloadError, match="accept the terms"):
        download(gated, settings)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("HF_ENDPOINT", "gopher://127.0.0.1:9", "HF_ENDPOINT"),
        ("HF_ENDPOINT", "http://127.0.0.1:port", "HF_ENDPOINT"),
        ("HTTPS_PROXY", "ftp://127.0.0.1:9", "HTTPS_PROXY"),
    ],
)
def test_a_wrong_setting_is_said_at_once_and_not_tried_again(preset, settings, monkeypatch, name, value, said):
    waits: list[str] = []
    monkeypatch.setenv(name, value)
    close_session()
    try:
        with pytest.raises(DownloadError, match=said) as caught:
            download(preset, settings, patience=quick(waits))
    finally:
        close_session()
    assert (caught.value.code, caught.value.again, waits) == ("FM-MODEL-005", False, [])


def test_a_certificate_that_is_not_trusted_is_said_at_once(hub, preset, settings, tmp_path, monkeypatch):
    """As behind a proxy or an antivirus program that looks into HTTPS."""
    waits: list[str] = []
    with encrypted(tmp_path) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        with pytest.raises(DownloadError, match="SSL_CERT_FILE") as caught:
            download(preset, settings, patience=quick(waits))
    assert (caught.value.again, waits) == (False, [])


OUTSIDE = [
    "unet/../../../evil.json",
    "../evil.json",
    "unet/..\\..\\..\\evil.json",
    "unet/C:evil.json",
    "/tmp/evil.json",
    "unet//a.json",
    "unet/\0.json",
]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("files", [(), ("*/*.json", "*/*/*/*.json", "*.json", "/*/*.json", "*//*.json")])
def test_a_repository_never_writes_outside_of_the_models_folder(hub, preset, settings, tmp_path, name, files):
    """A mirror, or a repository of somebody else's, may name any file."""
    hub.files = {"model_index.json": b"{}", name: b"{}"}
    other = preset.model_copy(update={"files": files})
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    if files and not any(hub_module._matches(name, pattern) for pattern in files):
        pytest.skip("this pattern does not want it")
    with pytest.raises(DownloadError, match="outside of the model's folder"):
        download(other, settings, patience=quick())
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("text", ["\xb2", "-5", "soon", "Mon, 01 Jan 0001 00:00:00 -0000", ""])
def test_any_wish_to_wait_is_read(hub, preset, settings, text):
    hub.statuses["api"] = [429]
    hub.retry_after = text
    download(preset, settings, patience=quick())
    assert here(settings) == wanted(hub)


def test_a_token_that_cannot_be_sent_is_said(hub, preset, settings, monkeypatch):
    """Copied with a letter of another alphabet, or a typographic quote."""
    monkeypatch.setenv("HF_TOKEN", "hf_секрет")
    with pytest.raises(DownloadError, match="HF_TOKEN") as caught:
        download(preset, settings, patience=quick())
    assert caught.value.code == "FM-MODEL-003"
    assert "с" not in str(caught.value)


@pytest.mark.parametrize("content", [b"\xff\xfeh\0f\0", None], ids=["saved as UTF-16", "a folder"])
def test_a_file_of_the_token_that_cannot_be_read_is_said(hub, preset, settings, monkeypatch, tmp_path, content):
    place = tmp_path / "token"
    place.mkdir() if content is None else place.write_bytes(content)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(place))
    with pytest.raises(DownloadError, match="hf auth login") as caught:
        download(preset, settings, patience=quick())
    assert caught.value.code == "FM-MODEL-003"
