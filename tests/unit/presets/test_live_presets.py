"""The presets of a running program: as the files are, whoever asks meanwhile."""

import threading

import pytest
from fanslymotion.presets import LivePresets, Presets, loader
from fanslymotion.settings import Settings


def add_model(settings: Settings, name: str) -> None:
    place = settings.presets_dir / "models"
    place.mkdir(parents=True, exist_ok=True)
    text = (loader.BUNDLED / "models" / "mini.toml").read_text(encoding="utf-8")
    (place / f"{name}.toml").write_text(text, encoding="utf-8")


def test_who_asks_while_another_thread_reads_gets_what_is_there(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script added a model and made a video with it; the page's own look at the files was under way."""
    live, load = LivePresets(settings), loader.load_presets
    reads, goes_on = threading.Event(), threading.Event()

    def slow(settings: Settings) -> Presets:
        reads.set()
        assert goes_on.wait(20)
        return load(settings)

    monkeypatch.setattr(loader, "load_presets", slow)
    add_model(settings, "new")
    reader = threading.Thread(target=live.now, args=(True,))
    reader.start()
    assert reads.wait(20)
    assert "new" not in live.now().models, "who wants no news does not wait"
    found: list[Presets] = []
    script = threading.Thread(target=lambda: found.append(live.now(fresh=True)))
    script.start()
    script.join(0.3)
    goes_on.set()
    for thread in (reader, script):
        thread.join(20)
    assert "new" in found[0].models


def test_an_older_look_takes_no_model_back(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two models were added one after the other: the look that saw the first alone ended last, and stayed."""
    live, load = LivePresets(settings), loader.load_presets
    has_read, goes_on = threading.Event(), threading.Event()

    def slow(settings: Settings) -> Presets:
        found = load(settings)
        if "second" not in found.models:
            has_read.set()
            assert goes_on.wait(20)
        return found

    monkeypatch.setattr(loader, "load_presets", slow)
    add_model(settings, "first")
    earlier = threading.Thread(target=live.now, args=(True,))
    earlier.start()
    assert has_read.wait(20)
    add_model(settings, "second")
    later = threading.Thread(target=live.now, args=(True,))
    later.start()
    later.join(0.3)
    goes_on.set()
    for thread in (earlier, later):
        thread.join(20)
    assert {"first", "second"} <= set(live.now(fresh=True).models)
