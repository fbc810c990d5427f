"""What a person names: a folder of photos, a folder to be made, photos with odd names; the set-up as a word."""

import json
import sys
from pathlib import Path

import pytest
from fanslymotion.cli import setup
from fanslymotion.queue.jobs import Jobs

WINDOWS = sys.platform == "win32"


def test_a_folder_of_photos_is_a_batch(fm, settings, tmp_path, photo):
    folder = tmp_path / "holiday"
    folder.mkdir()
    for name in ("b.PNG", "a.png", "c.jpeg", ".hidden.png", "notes.txt"):
        (folder / name).write_bytes(photo.read_bytes())
    done = fm("generate", folder, photo, "--no-wait", "--json")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["name"] for line in done.stdout.splitlines()] == ["a.png", "b.PNG", "c.jpeg", photo.name]


def test_a_folder_for_the_videos_is_made(fm, settings, here, photo):
    done = fm("generate", photo, photo, "--no-wait", "--out", "clips/of today/")
    assert done.returncode == 0, done.stderr
    assert (here / "clips" / "of today").is_dir()
    assert len(Jobs(settings).list()) == 2


@pytest.mark.skipif(WINDOWS, reason="no file can be called so there")
def test_control_characters_of_a_name_are_spelled_out(fm, tmp_path, photo):
    odd = tmp_path / "a\x1b[31mred\x9b.png"
    odd.write_bytes(photo.read_bytes())
    made = fm("generate", odd, "--no-wait")
    job = json.loads(fm("jobs", "list", "--json").stdout)[0]
    assert job["name"] == odd.name
    told = [made, fm("jobs", "list"), fm("jobs", "show", job["id"]), fm("jobs", "cancel", job["id"])]
    for one in told:
        assert "a\\x1b[31mred\\x9b.png" in one.stdout
        assert "\x1b" not in one.stdout + one.stderr
        assert "\x9b" not in one.stdout + one.stderr


def test_lists_fit_a_terminal_of_80_columns(fm, photo, monkeypatch):
    fm("generate", photo, "--no-wait", "--quality", "smooth", "--resolution", "1080p")
    monkeypatch.setenv("COLUMNS", "80")
    for words in (("jobs", "list"), ("models", "list")):
        lines = fm(*words).stdout.splitlines()
        assert len(lines) > 1
        if words[0] == "jobs":
            assert max(map(len, lines)) <= 80
    table = [line for line in lines if not line.startswith("  ")]
    assert max(map(len, table)) <= 80


def test_rows_are_not_broken_in_a_pipe(fm, photo, tmp_path, monkeypatch):
    long = tmp_path / f"{'long name ' * 12}.png"
    long.write_bytes(photo.read_bytes())
    fm("generate", long, "--no-wait")
    monkeypatch.delenv("COLUMNS")
    assert sum(long.name in line for line in fm("jobs", "list").stdout.splitlines()) == 1


def test_cancelling_what_has_ended_is_told(fm, photo):
    job = json.loads(fm("generate", photo, "--no-wait", "--json").stdout)["id"]
    assert fm("jobs", "cancel", job).returncode == 0
    again = fm("jobs", "cancel", job)
    assert again.returncode == 2
    assert "has ended already" in again.stderr


def test_setup_runs_the_launcher(fm, tmp_path, monkeypatch):
    (tmp_path / "launch.py").write_text(
        "import pathlib, sys\n"
        "pathlib.Path(__file__).with_name('given').write_text(' '.join(sys.argv[1:]), encoding='utf-8')\n"
        "sys.exit(3)\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    assert fm("setup", "--dev").returncode == 3
    assert (tmp_path / "given").read_text(encoding="utf-8") == "setup --dev"


def test_setup_of_an_installed_package(fm, tmp_path, monkeypatch):
    monkeypatch.setattr(setup, "ROOT", Path(tmp_path))
    done = fm("setup")
    assert done.returncode == 2
    assert "pip install" in done.stderr
