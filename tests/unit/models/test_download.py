"""A model from a hub that drops, refuses, lies and dawdles."""

import errno
import json
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections import namedtuple
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from fanslymotion.errors import BadInput, Cancelled
from fanslymotion.models.download import http
from fanslymotion.models.download.background import Downloads
from fanslymotion.models.download.http import FAILURES, Broken, Patience
from fanslymotion.models.download.hub import DownloadError
from fanslymotion.models.download.model import Manifest, Meter, download
from fanslymotion.presets import load_presets
from fanslymotion.settings import Settings
from huggingface_hub import close_session

WEIGHTS = "unet/model.safetensors"


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


@pytest.fixture
def preset(settings):
    return load_presets(settings).model("tiny")


def quick(waits=None) -> Patience:
    return Patience(pause=lambda seconds: None, first=0.001, say=(waits if waits is not None else []).append)


def here(settings) -> dict[str, bytes]:
    folder = settings.models / "tiny"
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def wanted(hub) -> dict[str, bytes]:
    return {path: data for path, data in hub.files.items() if path != "README.md"}


def test_the_wanted_files_arrive_whole_and_nothing_else(hub, preset, settings):
    moments = []
    folder = download(preset, settings, moments.append)
    assert folder == settings.models / "tiny"
    assert here(settings) == wanted(hub)
    total = sum(map(len, wanted(hub).values()))
    assert (moments[-1].done, moments[-1].total) == (total, total)
    assert all(0 <= moment.done <= moment.total or moment.total == 0 for moment in moments)


def test_a_second_download_fetches_nothing(hub, preset, settings):
    download(preset, settings)
    before = dict(hub.sent)
    download(preset, settings)
    assert hub.sent == before


@pytest.mark.parametrize("hashes", [True, False])
def test_a_dropped_line_goes_on_inside_the_file(hub, preset, settings, hashes):
    hub.hashes = hashes  # without hashes the server's ETag guards the range
    size = len(hub.files[WEIGHTS])
    hub.drops[WEIGHTS] = [300_000, 200_000]
    waits = []
    download(preset, settings, patience=quick(waits))
    assert here(settings) == wanted(hub)
    assert hub.sent[WEIGHTS] <= size * 1.05
    assert len(waits) == 2
    ranged = [headers for path, headers in hub.requests if path.startswith("/storage/") and "Range" in headers]
    assert len(ranged) == 2
    assert all(("If-Range" in headers) is not hashes for headers in ranged)


def test_a_download_stopped_on_purpose_goes_on_the_next_time(hub, preset, settings):
    def stop(text):
        raise Cancelled

    hub.drops[WEIGHTS] = [400_000]
    with pytest.raises(Cancelled):
        download(preset, settings, patience=Patience(pause=lambda seconds: None, say=stop))
    assert not (settings.models / "tiny" / WEIGHTS).exists()
    moments = []
    download(preset, settings, moments.append)
    assert here(settings) == wanted(hub)
    assert hub.sent[WEIGHTS] == len(hub.files[WEIGHTS])
    assert moments[-1].done == moments[-1].total


def test_a_server_without_ranges_sends_all_of_it_again(hub, preset, settings):
    hub.ranges = False
    hub.drops[WEIGHTS] = [300_000]
    download(preset, settings, patience=quick())
    assert here(settings) == wanted(hub)
    assert hub.sent[WEIGHTS] == 300_000 + len(hub.files[WEIGHTS])


def test_a_file_that_changed_on_a_hub_without_hashes_is_not_mixed(hub, preset, settings):
    hub.hashes = False
    hub.drops[WEIGHTS] = [300_000] * (FAILURES + 5)
    part = settings.models / "tiny" / (WEIGHTS + ".part")

    def stop(moment):
        if part.is_file() and part.stat().st_size >= 300_000:
            raise Cancelled

    with pytest.raises(Cancelled):
        download(preset, settings, stop, patience=quick())
    hub.drops.clear()
    hub.files[WEIGHTS] = bytes(reversed(hub.files[WEIGHTS]))
    download(preset, settings)
    assert here(settings) == wanted(hub)


def test_a_damaged_byte_is_noticed_and_the_file_fetched_again(hub, preset, settings):
    hub.corrupt[WEIGHTS] = 1
    said = []
    download(preset, settings, patience=quick(said))
    assert here(settings) == wanted(hub)
    assert "damaged" in said[0]


def test_a_file_that_is_always_damaged_ends_with_its_code(hub, preset, settings):
    hub.corrupt[WEIGHTS] = 10
    with pytest.raises(DownloadError, match="arrived damaged twice") as caught:
        download(preset, settings, patience=quick())
    assert caught.value.code == "FM-MODEL-002"
    assert not (settings.models / "tiny" / WEIGHTS).exists()


def test_small_files_are_verified_by_gits_hash(hub, preset, settings):
    hub.corrupt["model_index.json"] = 1
    download(preset, settings, patience=quick())
    assert here(settings) == wanted(hub)


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


def test_a_slow_line_has_a_speed_and_a_time_left(hub, preset, settings):
    hub.delay = 0.1
    moments = []
    download(preset, settings, moments.append)
    speeds = [moment.speed for moment in moments if moment.phase == "downloading" and moment.speed]
    assert speeds
    assert max(speeds) < 5e6
    assert any(moment.seconds_left is not None for moment in moments)


def test_the_disk_is_looked_at_first(hub, preset, settings, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 1000, 1000))
    with pytest.raises(DownloadError, match="FANSLYMOTION_MODELS") as caught:
        download(preset, settings)
    assert caught.value.code == "FM-DISK-003"
    assert not hub.sent[WEIGHTS]


def test_a_file_damaged_on_the_disk_comes_again_alone(hub, preset, settings):
    download(preset, settings)
    path = settings.models / "tiny" / WEIGHTS
    data = bytearray(path.read_bytes())
    data[77] ^= 1
    path.write_bytes(data)
    before = dict(hub.sent)
    download(preset, settings, recheck=True)
    assert here(settings) == wanted(hub)
    again = {name for name in hub.sent if hub.sent[name] != before.get(name, 0)}
    assert again == {WEIGHTS}


def test_a_file_cut_off_on_the_disk_comes_again_without_being_asked(hub, preset, settings):
    download(preset, settings)
    path = settings.models / "tiny" / WEIGHTS
    path.write_bytes(path.read_bytes()[:1000])
    download(preset, settings)
    assert here(settings) == wanted(hub)


def test_a_damaged_manifest_means_hashing_again_not_failing(hub, preset, settings):
    download(preset, settings)
    Manifest("tiny", settings).path.write_text("{", encoding="utf-8")
    before = dict(hub.sent)
    download(preset, settings)
    assert hub.sent == before
    assert json.loads(Manifest("tiny", settings).path.read_text(encoding="utf-8"))["verified"]


def test_only_models_of_the_hub_are_downloaded(settings):
    with pytest.raises(BadInput, match="mini"):
        download(load_presets(settings).model("mini"), settings)


def test_speed_is_that_of_the_last_seconds():
    clock = [0.0]
    meter = Meter(lambda: clock[0])
    meter.total = 10_000_000
    for _ in range(40):
        clock[0] += 0.5
        meter.came(1000 if clock[0] <= 10 else 500_000, 1000 if clock[0] <= 10 else 500_000)
    assert meter.speed == pytest.approx(1_000_000, rel=0.15)


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
    ("number", "code"), [(errno.ENOSPC, "FM-DISK-003"), (errno.EACCES, "FM-DISK-002"), (errno.EIO, "FM-DISK-002")]
)
def test_only_a_full_disk_is_called_full(hub, preset, settings, monkeypatch, number, code):
    def refuse(self, piece):
        raise OSError(number, "so the system says")

    monkeypatch.setattr(http._Part, "write", refuse)
    with pytest.raises(DownloadError) as caught:
        download(preset, settings, patience=quick())
    assert caught.value.code == code
    assert ("disk is full" in str(caught.value)) == (number == errno.ENOSPC)


def test_a_models_folder_that_cannot_be_is_told(hub, settings, tmp_path):
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    wrong = Settings(settings.home, tmp_path / "file" / "models", settings.database)
    for act in (Downloads(wrong).start, Downloads(wrong).run):
        with pytest.raises(DownloadError, match="FANSLYMOTION_MODELS") as caught:
            act("tiny")
        assert caught.value.code == "FM-DISK-002"


def test_an_old_wish_to_stop_does_not_end_the_next_download(hub, settings):
    downloads = Downloads(settings)
    downloads.folder.mkdir(parents=True)
    downloads.cancel_path("tiny").touch()
    assert downloads.run("tiny", patience=quick()).status == "done"


def test_ended_processes_are_collected_from_any_thread():
    from fanslymotion.models.download import background as module

    for _ in range(20):
        module._started.append(subprocess.Popen([sys.executable, "-c", ""]))
    wait = [process.wait() for process in list(module._started)]
    assert wait
    with ThreadPoolExecutor(8) as pool:
        assert not any(pool.map(lambda _: module._alive(2**22, 0.0), range(100)))
    assert module._started == []


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
