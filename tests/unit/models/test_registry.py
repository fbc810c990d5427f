"""What is here, checking it, removing it, and a folder of one's own."""

import errno
import hashlib
import io
import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from fanslymotion.cli import main
from fanslymotion.errors import BadInput, ModelError, PresetError
from fanslymotion.models import registry
from fanslymotion.models.commands import models_app
from fanslymotion.models.download import model, part_file
from fanslymotion.models.download.background import Downloads
from fanslymotion.models.download.hub import DownloadError
from fanslymotion.models.download.model import download
from fanslymotion.models.download.state import DownloadState
from fanslymotion.models.registry import check, list_models, list_upscalers, look, remove
from fanslymotion.presets import load_presets
from fanslymotion.tests.own_models import use_folder
from fanslymotion.tests.tiny_upscaler import RRDB, write
from typer.testing import CliRunner

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def presets(settings):
    return load_presets(settings)


@pytest.fixture
def whole(hub, settings, presets, tiny_model):
    """The hub has a real tiny model, and it has been downloaded."""
    hub.files = {p.relative_to(tiny_model).as_posix(): p.read_bytes() for p in tiny_model.rglob("*") if p.is_file()}
    preset = presets.model("tiny")
    download(preset, settings)
    return hub


def damage(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def test_the_list_needs_no_network_and_says_what_is_missing(settings, presets, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://10.255.255.1")
    entries = {entry.name: entry for entry in list_models(presets, settings)}
    assert entries["mini"].ready
    assert entries["svd-xt"].state == "missing"
    assert "fanslymotion models download svd-xt" in entries["svd-xt"].problem


def test_a_downloaded_model_is_ready_and_whole(whole, settings, presets):
    entry = look("tiny", presets, settings)
    assert entry.state == "ready"
    assert entry.size > 100_000
    assert check("tiny", presets, settings) == []


def test_check_finds_a_single_wrong_bit_and_download_mends_it(whole, settings, presets):
    path = settings.models / "tiny" / WEIGHTS
    good = path.read_bytes()
    damage(path)
    assert look("tiny", presets, settings).ready, "its size is right: only reading it all shows the damage"
    seen = []
    assert check("tiny", presets, settings, lambda *moment: seen.append(moment)) == [WEIGHTS]
    assert seen[-1][1] == seen[-1][2]
    before = dict(whole.sent)
    download(presets.model("tiny"), settings)
    assert path.read_bytes() == good
    assert {name for name in whole.sent if whole.sent[name] != before[name]} == {WEIGHTS}


def test_a_file_that_the_disk_cannot_read_is_damaged_and_comes_again(whole, settings, presets, monkeypatch):
    path = settings.models / "tiny" / WEIGHTS
    good = path.read_bytes()

    class Bad(io.BytesIO):
        def read(self, count=-1):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def opened(place, *mode, **more):
        return Bad() if Path(place) == path else open(place, *mode, **more)

    with monkeypatch.context() as patch:
        patch.setattr(part_file, "open", opened, raising=False)
        patch.setattr(registry, "open", opened, raising=False)
        assert check("tiny", presets, settings) == [WEIGHTS]
        patch.setattr(model, "open", opened, raising=False)
        download(presets.model("tiny"), settings)
    assert path.read_bytes() == good


def test_a_cut_off_file_shows_in_the_list(whole, settings, presets):
    path = settings.models / "tiny" / WEIGHTS
    path.write_bytes(path.read_bytes()[:-10])
    entry = look("tiny", presets, settings)
    assert entry.state == "damaged"
    assert "fanslymotion models download tiny" in entry.problem


def test_a_model_copied_by_hand_is_judged_by_its_own_headers(whole, settings, presets):
    Downloads(settings).forget("tiny")
    assert look("tiny", presets, settings).ready
    assert check("tiny", presets, settings) == []
    path = settings.models / "tiny" / WEIGHTS
    path.write_bytes(path.read_bytes()[:-10])
    assert check("tiny", presets, settings) == [WEIGHTS]


def test_a_begun_download_is_said_to_be_one(settings, presets):
    folder = settings.models / "tiny" / "unet"
    folder.mkdir(parents=True)
    (folder / "x.safetensors.part").write_bytes(b"12345")
    entry = look("tiny", presets, settings)
    assert (entry.state, entry.size) == ("partial", 5)


def test_remove_frees_the_disk_and_leaves_no_trace(whole, settings, presets):
    size = look("tiny", presets, settings).size
    assert remove("tiny", presets, settings) == size
    assert look("tiny", presets, settings).state == "missing"
    assert [p.name for p in settings.models.iterdir() if p.name != ".downloads"] == []
    with pytest.raises(BadInput, match="not here"):
        remove("tiny", presets, settings)


def test_a_removal_that_broke_off_is_finished_by_the_next(whole, settings, presets, monkeypatch):
    """A file was open in another program, which Windows does not let go of."""
    size = look("tiny", presets, settings).size
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda path, **_: raising(PermissionError(f"{path} is in use")))
        with pytest.raises(ModelError, match="could not be removed"):
            remove("tiny", presets, settings)
    assert look("tiny", presets, settings).state == "missing"
    assert remove("tiny", presets, settings) == size
    assert [p.name for p in settings.models.iterdir() if p.name != ".downloads"] == []
    with pytest.raises(BadInput, match="not here"):
        remove("tiny", presets, settings)


@pytest.mark.skipif(sys.platform == "win32", reason="links want rights there")
def test_a_folder_that_is_a_link_is_only_let_go(whole, settings, presets, tmp_path):
    """People link a model onto a larger disk; another program may use it there."""
    folder, elsewhere = settings.models / "tiny", tmp_path / "larger disk" / "tiny"
    elsewhere.parent.mkdir()
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere, target_is_directory=True)
    assert look("tiny", presets, settings).ready
    assert remove("tiny", presets, settings) == 0
    assert look("tiny", presets, settings).state == "missing"
    assert (elsewhere / WEIGHTS).is_file()
    with pytest.raises(BadInput, match="not here"):
        remove("tiny", presets, settings)


@pytest.mark.skipif(sys.platform == "win32", reason="links want rights there")
def test_a_link_that_a_version_before_put_aside_goes_too(whole, settings, presets, tmp_path):
    elsewhere = tmp_path / "tiny"
    elsewhere.mkdir()
    (settings.models / ".tiny.removed").symlink_to(elsewhere, target_is_directory=True)
    assert remove("tiny", presets, settings) > 100_000
    assert elsewhere.is_dir()
    assert [p.name for p in settings.models.iterdir() if p.name != ".downloads"] == []


@pytest.mark.skipif(sys.platform == "win32", reason="links want rights there")
def test_linked_files_free_nothing(whole, settings, presets, tmp_path):
    size, path, elsewhere = look("tiny", presets, settings).size, settings.models / "tiny" / WEIGHTS, tmp_path / "blob"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert remove("tiny", presets, settings) == size - elsewhere.stat().st_size


def in_use() -> PermissionError:
    """As Windows refuses while a process has one of the files mapped."""
    error = PermissionError(13, "The process cannot access the file because it is being used by another process")
    error.winerror = 32
    return error


def test_workers_are_asked_once_to_let_a_model_go(whole, settings, presets, monkeypatch):
    """Windows removes no file that a worker's warm model has mapped."""
    held, asked, rename = [True] * 3, [], Path.rename

    def refusing(path, target):
        if held:
            held.pop()
            raise in_use()
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refusing)
    assert remove("tiny", presets, settings, lambda: asked.append("release")) > 100_000
    assert asked == ["release"]
    assert look("tiny", presets, settings).state == "missing"


def test_the_command_line_asks_the_workers(whole, settings, monkeypatch):
    asked, rename = [], Path.rename
    monkeypatch.setattr(main, "release_models", lambda: asked.append("release"))
    monkeypatch.setattr(Path, "rename", lambda path, to: rename(path, to) if asked else raising(in_use()))
    done = CliRunner().invoke(main.app, ["models", "remove", "tiny"])
    assert done.exit_code == 0, done.output
    assert asked == ["release"]
    assert not (settings.models / "tiny").exists()


def test_a_model_that_is_never_let_go_stays_whole_and_that_is_said(whole, settings, presets, monkeypatch):
    monkeypatch.setattr(Path, "rename", lambda path, target: raising(in_use()))
    with pytest.raises(ModelError, match="end the program that uses it"):
        remove("tiny", presets, settings, patience=0.3)
    assert look("tiny", presets, settings).ready


def test_another_refusal_is_not_waited_for(whole, settings, presets, monkeypatch):
    monkeypatch.setattr(Path, "rename", lambda path, target: raising(PermissionError(13, "Permission denied")))
    with pytest.raises(ModelError, match="could not be removed"):
        remove("tiny", presets, settings, lambda: raising(AssertionError("no worker holds it")), patience=3600)


def test_a_damaged_file_that_is_in_use_is_replaced_when_it_is_let_go(whole, settings, presets, monkeypatch):
    path = settings.models / "tiny" / WEIGHTS
    good = path.read_bytes()
    damage(path)
    check("tiny", presets, settings)
    held, unlink = [True] * 3, Path.unlink

    def refusing(one, *words, **more):
        if one == path and held:
            held.pop()
            raise in_use()
        return unlink(one, *words, **more)

    monkeypatch.setattr(Path, "unlink", refusing)
    download(presets.model("tiny"), settings)
    assert path.read_bytes() == good


def raising(error: Exception) -> None:
    raise error


def test_bundled_models_stay(settings, presets):
    with pytest.raises(BadInput, match="stays"):
        remove("mini", presets, settings)


def test_a_folder_of_ones_own(settings, tiny_model, tmp_path):
    mine = tmp_path / "Моя модель №1"
    shutil.copytree(tiny_model, mine)
    preset = use_folder(mine, settings, "mine")
    presets = load_presets(settings)
    assert presets.model("mine") == preset
    assert (preset.width, preset.height, preset.frames) == (56, 32, 14)
    assert look("mine", presets, settings).ready
    assert remove("mine", presets, settings) == 0
    assert (mine / "model_index.json").is_file(), "the user's files are never deleted"
    assert "mine" not in load_presets(settings).models


def test_a_folder_without_a_name_gets_its_own(settings, tiny_model):
    assert use_folder(tiny_model, settings).name == "mini-random"


@pytest.mark.parametrize("name", ["mini", "svd-xt"])
def test_bundled_names_are_taken(settings, tiny_model, name):
    with pytest.raises(BadInput, match="bundled"):
        use_folder(tiny_model, settings, name)


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "x" * 99])
def test_names_that_are_paths_are_refused(settings, tiny_model, name):
    if name == "":
        return
    with pytest.raises(BadInput):
        use_folder(tiny_model, settings, name)


def test_a_folder_that_is_no_model(settings, tmp_path):
    with pytest.raises(ModelError):
        use_folder(tmp_path, settings, "x")
    assert not list((settings.presets_dir / "models").glob("x.toml"))


def test_the_command_line(whole, settings):
    runner = CliRunner()
    listed = json.loads(runner.invoke(models_app, ["list", "--json"]).stdout)
    assert {entry["name"]: entry["state"] for entry in listed}["tiny"] == "ready"
    assert "tiny" in runner.invoke(models_app, ["list"]).stdout
    assert runner.invoke(models_app, ["check", "tiny"]).exit_code == 0
    damage(settings.models / "tiny" / WEIGHTS)
    found = runner.invoke(models_app, ["check", "tiny", "--json"])
    assert found.exit_code == 1
    assert json.loads(found.stdout) == {"name": "tiny", "damaged": [WEIGHTS]}
    again = runner.invoke(models_app, ["download", "tiny"])
    assert again.exit_code == 0, again.output
    assert runner.invoke(models_app, ["check", "tiny"]).exit_code == 0
    assert runner.invoke(models_app, ["remove", "tiny"]).exit_code == 0


def test_a_refused_download_is_kept_for_the_page(hub, settings):
    hub.statuses["api"] = [403]
    with pytest.raises(ModelError):
        Downloads(settings).run("tiny")
    state = Downloads(settings).state("tiny")
    assert state is not None
    assert (state.status, state.code, state.page) == ("failed", "FM-MODEL-003", f"{hub.url}/acme/tiny")


def test_a_state_without_its_process_is_interrupted(settings):
    downloads = Downloads(settings)
    downloads.write(DownloadState("tiny", "running", pid=2**22 + 5, born=1.0, done=5, total=10, speed=3.0))
    state = downloads.state("tiny")
    assert state is not None
    assert (state.status, state.speed, state.fraction) == ("interrupted", 0.0, 0.5)
    downloads.cancel("tiny")
    assert downloads.state("tiny") == DownloadState("tiny", "cancelled", pid=2**22 + 5, born=1.0, done=5, total=10)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"model": 1, "surprise": 2}'])
def test_a_damaged_state_counts_as_none(settings, text):
    path = settings.models / ".downloads" / "tiny.state.json"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    assert Downloads(settings).state("tiny") is None
    assert Downloads(settings).all() == []


@pytest.fixture
def upscaler(hub, settings, tmp_path):
    """The hub has a tiny upscaler; a preset names its hash."""
    path = write(tmp_path / "RealESRGAN.safetensors", RRDB)
    hub.files = {"README.md": b"about", "RealESRGAN.safetensors": path.read_bytes()}

    def preset(sha256: str):
        folder = settings.presets_dir / "upscalers"
        folder.mkdir(parents=True, exist_ok=True)
        text = f'label = "Own"\nsource = "hub"\nrepository = "{hub.repository}"\nfiles = ["*.safetensors"]\n'
        (folder / "own-x4.toml").write_text(text + f'sha256 = "{sha256}"\n', encoding="utf-8")
        return load_presets(settings)

    return preset, hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_upscaler_comes_is_checked_and_goes_like_a_model(upscaler, settings, hub):
    make, sha256 = upscaler
    presets = make("")
    assert look("own-x4", presets, settings).state == "missing"
    assert "fanslymotion models download own-x4" in look("own-x4", presets, settings).problem
    assert Downloads(settings).run("own-x4").status == "done"
    entry = look("own-x4", presets, settings)
    assert (entry.state, entry.to_json()["kind"]) == ("ready", "upscaler")
    assert [file.name for file in entry.folder.iterdir()] == ["RealESRGAN.safetensors"]
    assert check("own-x4", presets, settings) == []
    damage(entry.folder / "RealESRGAN.safetensors")
    assert check("own-x4", presets, settings) == ["RealESRGAN.safetensors"]
    Downloads(settings).run("own-x4")
    assert check("own-x4", make(sha256), settings) == []
    assert remove("own-x4", presets, settings) > 1000
    assert look("own-x4", presets, settings).state == "missing"
    assert "own-x4" not in [entry.name for entry in list_models(presets, settings)]
    assert "own-x4" in [entry.name for entry in list_upscalers(presets, settings)]


def test_another_file_than_the_preset_names_is_not_fetched(upscaler, settings):
    make, _ = upscaler
    make("0" * 64)
    with pytest.raises(DownloadError, match=r"has another RealESRGAN\.safetensors") as caught:
        Downloads(settings).run("own-x4")
    assert caught.value.code == "FM-MODEL-002"
    assert not list((settings.models / "own-x4").glob("*"))


def test_the_bundled_upscalers_are_listed_with_what_gets_them(settings):
    said = CliRunner().invoke(models_app, ["list"])
    assert said.exit_code == 0
    listed = json.loads(CliRunner().invoke(models_app, ["list", "--json"]).stdout)
    kinds = {entry["name"]: entry["kind"] for entry in listed}
    assert {name for name, kind in kinds.items() if kind == "upscaler"} == {
        "realesrgan-general-x4v3",
        "realesrgan-x4plus",
    }
    assert load_presets(settings).upscaler("realesrgan-x4plus").sha256.startswith("37f9a931")


def test_a_name_is_a_models_or_an_upscalers_never_both(settings):
    folder = settings.presets_dir / "upscalers"
    folder.mkdir(parents=True)
    (folder / "svd.toml").write_text('label = "x"\nsource = "folder"\nfolder = "."\n', encoding="utf-8")
    with pytest.raises(PresetError, match="svd is the name of a model and of an upscaler"):
        load_presets(settings)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_that_lead_nowhere_are_a_row_of_the_list(settings, tmp_path, tiny_model):
    """As a folder of the hub's cache has them, whose blobs were removed."""
    model, upscaler = tmp_path / "own", settings.models / "realesrgan-x4plus"
    shutil.copytree(tiny_model, model)
    use_folder(model, settings, "own")
    weights = next((model / "unet").glob("*.safetensors"))
    weights.unlink()
    upscaler.mkdir(parents=True)
    for link in (weights, model / "extra.safetensors", upscaler / "net.safetensors"):
        link.symlink_to(tmp_path / "gone")
    presets = load_presets(settings)
    assert not next(one for one in list_models(presets, settings) if one.name == "own").ready
    assert "cannot be read" in next(one for one in list_upscalers(presets, settings) if one.folder == upscaler).problem


@pytest.mark.parametrize("name", ["models [wan]", "models [/wan]"])
def test_brackets_in_a_folders_name_are_no_markup(settings, tmp_path, name):
    """rich left the first out, and ended the command for the second."""
    text = f"label = 'Own'\nsource = 'folder'\nfolder = '{tmp_path / name}'\nwidth = 64\nheight = 64\nframes = 14\n"
    (settings.presets_dir / "models" / "own.toml").write_text(text, encoding="utf-8")
    said = CliRunner().invoke(models_app, ["list"])
    assert said.exit_code == 0
    assert f"own: there is no model folder {tmp_path / name}" in said.stderr


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("_Model", "model"),
        ("Модель", "own-model"),
        ("svd-of-rain-at-night-in-a-city-" + "0123456789" * 5, "svd-of-rain-at-night-in-a-city-0123456789012345678"),
    ],
)
def test_any_folders_name_gives_a_model_its_name(settings, tiny_model, tmp_path, folder, name):
    shutil.copytree(tiny_model, tmp_path / folder)
    assert use_folder(tmp_path / folder, settings).name == name
    shutil.copytree(tiny_model, tmp_path / "other" / folder)
    assert use_folder(tmp_path / "other" / folder, settings).name == f"{name}-2"


def test_a_model_does_not_get_the_name_of_an_upscaler(settings, tiny_model):
    """Two of one name end every command, since presets are looked up by it."""
    folder = settings.presets_dir / "upscalers"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text('label = "x"\nsource = "folder"\nfolder = "."\n', encoding="utf-8")
    with pytest.raises(BadInput, match="upscaler of yours"):
        use_folder(tiny_model, settings, "mine")
    load_presets(settings)
