"""Models share files: one that another model has already, by its hash, is linked instead of downloaded."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from fanslymotion.models.download import manifest
from fanslymotion.models.download.manifest import SharedFiles
from fanslymotion.models.download.model import Manifest, download
from fanslymotion.models.folder_size import folder_size, freed_bytes
from fanslymotion.models.registry import remove
from fanslymotion.presets import ModelPreset, Presets
from fanslymotion.settings import Settings
from fanslymotion.tests.hub import Hub, own_models, serve

ENCODER = "text_encoder/model.safetensors"
BYTES = os.urandom(50_000)


def hub_preset(name: str) -> ModelPreset:
    return ModelPreset(
        name=name, label=name, source="hub", repository=f"maker/{name}", width=64, height=64, frames=8
    )  # fmt: skip


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    return own_models(settings, tmp_path)


@pytest.fixture
def fetch(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[Hub, Path]]]:
    """Download a model of two files, the text encoder's and its own, from a hub of its own."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setattr(manifest, "SHARED_FROM", 10_000)
    with ExitStack() as hubs:

        def call(name: str, encoder: bytes = BYTES) -> tuple[Hub, Path]:
            own = f"transformer/{name}.safetensors"
            files = {ENCODER: encoder, own: name.encode() * 5000, "text_encoder/config.json": b"{}" * 600}
            hub = hubs.enter_context(serve(Hub(f"maker/{name}", files)))
            monkeypatch.setenv("HF_ENDPOINT", hub.url)
            return hub, download(hub_preset(name), settings)

        yield call


def test_the_same_file_is_not_downloaded_again(
    fetch: Callable, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    first, one = fetch("one")
    with caplog.at_level("INFO"):
        second, two = fetch("two")
    assert first.sent[ENCODER] == len(BYTES)
    assert second.sent[ENCODER] == 0
    assert second.sent["transformer/two.safetensors"] == 15_000
    assert second.sent["text_encoder/config.json"] == 1200, "small files are not worth it"
    assert (two / ENCODER).read_bytes() == BYTES
    assert os.path.samefile(one / ENCODER, two / ENCODER)
    assert f"{ENCODER} is the same in another model here" in caplog.text
    record = Manifest("two", settings)
    remote = record.read()
    assert remote is not None
    assert record.verified(remote) == {file.path for file in remote.files}


def test_the_other_model_may_go(fetch: Callable) -> None:
    _, one = fetch("one")
    _, two = fetch("two")
    (one / ENCODER).unlink()
    assert (two / ENCODER).read_bytes() == BYTES


def test_another_encoder_is_downloaded(fetch: Callable) -> None:
    fetch("one")
    other = bytes(reversed(BYTES))
    hub, two = fetch("two", other)
    assert hub.sent[ENCODER] == len(other)
    assert (two / ENCODER).read_bytes() == other


@pytest.mark.parametrize("harm", ["damaged", "gone", "unverified", "cut"])
def test_a_file_that_is_no_longer_whole_is_downloaded(fetch: Callable, settings: Settings, harm: str) -> None:
    """And the damaged one is left to its own model, whose check finds it."""
    _, one = fetch("one")
    place = one / ENCODER
    if harm == "damaged":
        place.write_bytes(b"x" + BYTES[1:])
    elif harm == "cut":
        place.write_bytes(BYTES[:-1])
    elif harm == "gone":
        place.unlink()
    else:
        Manifest("one", settings).doubt({ENCODER})
    hub, two = fetch("two")
    assert hub.sent[ENCODER] == len(BYTES)
    assert (two / ENCODER).read_bytes() == BYTES
    assert place.exists() == (harm != "gone")


def test_a_disk_without_second_names_downloads(
    fetch: Callable, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch("one")

    def refuse(*_: object, **__: object) -> None:
        raise OSError("not supported")

    monkeypatch.setattr(manifest.os, "link", refuse)
    hub, two = fetch("two")
    assert hub.sent[ENCODER] == len(BYTES)
    assert (two / ENCODER).read_bytes() == BYTES


def test_what_a_break_has_left_is_not_needed(fetch: Callable, settings: Settings) -> None:
    fetch("one")
    part = settings.models / "two" / f"{ENCODER}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(BYTES[:1000])
    hub, _ = fetch("two")
    assert hub.sent[ENCODER] == 0
    assert not part.exists()


def test_other_records_are_read_once(fetch: Callable, settings: Settings) -> None:
    """A damaged record counts as none."""
    fetch("one")
    (settings.models / ".downloads" / "three.files.json").write_text("[1", encoding="utf-8")
    remote = Manifest("one", settings).read()
    assert remote is not None
    file = next(file for file in remote.files if file.path == ENCODER)
    assert SharedFiles("two", settings).link(file, settings.models / "two" / "again.safetensors")
    assert not SharedFiles("one", settings).link(file, settings.models / "two" / "third.safetensors")


def test_what_another_model_shares_is_not_free_again(fetch: Callable, settings: Settings) -> None:
    _, one = fetch("one")
    fetch("two")
    presets = Presets({}, {}, {}, {name: hub_preset(name) for name in ("one", "two")}, {}, {})
    own = folder_size(one) - len(BYTES)
    assert remove("one", presets, settings) == own
    assert remove("two", presets, settings) == own + len(BYTES), "the last name of the file"


def test_a_file_with_two_names_takes_its_room_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "model").write_bytes(b"x" * 1000)
    os.link(tmp_path / "a" / "model", tmp_path / "same")
    assert folder_size(tmp_path) == 1000
    assert (freed_bytes(tmp_path / "a"), freed_bytes(tmp_path)) == (0, 1000)
    assert folder_size(tmp_path / "none") == 0
