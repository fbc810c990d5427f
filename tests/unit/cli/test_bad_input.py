"""Whatever is wrong with the words or the photo: a sentence, exit code 2, no traceback, and nothing left behind."""

import json
import os
import struct
import sys
import zlib
from pathlib import Path

import pytest
from fanslymotion.pipeline.families.ltx.random_model import build
from fanslymotion.queue.jobs import Jobs
from fanslymotion.tests.own_models import use_folder
from PIL import Image


def png_header(width: int, height: int) -> bytes:
    """A few bytes that claim to be a huge picture."""
    ihdr = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + ihdr + struct.pack(">I", zlib.crc32(ihdr))


def bad_photo(folder: Path, kind: str, photo: Path) -> Path:
    path = folder / f"{kind} фото 📷.jpg"
    match kind:
        case "text":
            path.write_text("Dear diary", encoding="utf-8")
        case "empty":
            path.write_bytes(b"")
        case "truncated":
            Image.open(photo).convert("RGB").save(path)
            path.write_bytes(path.read_bytes()[:900])
        case "bomb":
            path.write_bytes(png_header(60_000, 60_000) + b"\0" * 64)
        case "large":
            with path.open("wb") as file:
                file.truncate(51 * 1024 * 1024)
        case "thin":
            Image.new("RGB", (1, 5000), "red").save(path)
        case "folder":
            path.mkdir()
    return path


def check_refused(done, settings, folder: Path, *says: str) -> None:
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "Traceback" not in done.stderr
    assert [word for word in says if word not in done.stderr] == []
    assert Jobs(settings).list() == []
    assert not settings.jobs_dir.exists() or list(settings.jobs_dir.iterdir()) == []
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("kind", ["text", "empty", "truncated", "bomb", "large", "thin", "folder", "missing"])
def test_photo_that_cannot_be_used(fm, settings, here, tmp_path, photo, kind):
    path = bad_photo(tmp_path, kind, photo)
    done = fm("generate", path)
    check_refused(done, settings, here, "Error: ", path.name)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--resolution", "9000p"], ["--resolution is '9000p'", "480p, 720p, 1080p"]),
        (["-r", "9000p"], ["-r is '9000p'"]),
        (["--seconds", "7"], ["7", "6, 12"]),
        (["--quality", "best"], ["'best'", "standard, smooth"]),
        (["--model=gpt"], ["--model is 'gpt'", "mini"]),
        (["--mode", "slow"], ["--mode is 'slow'", "best, balanced, fast"]),
        (["--model", "svd-xt"], ["svd-xt", "no model folder"]),
        (["--model", "."], ["not a whole Stable Video Diffusion model"]),
        (["--seed", "-1"], ["--seed", "'-1'; it must be a whole number from 0 to 4294967295"]),
        (["--seed", str(2**32)], ["--seed", "'4294967296'"]),
        (["--seed", "abc"], ["--seed", "'abc'; it must be a whole number"]),
        (["--motion-bucket-id", "0"], ["--motion-bucket-id", "'0'", "1 to 255"]),
        (["--motion", "0"], ["--motion", "'0'"]),
        (["--motion", "wild"], ["--motion is 'wild'; choose one of gentle, normal, strong, or a number from 1 to 255"]),
        (["--motion", "strong", "--motion-bucket-id", "40"], ["motion_bucket_id is 40; give one of the two"]),
        (["--motion", "strong", "--model", "ltx-2b"], ["--motion is 'strong'", "ltx-2b has no setting for motion"]),
        (["--steps", "2.5"], ["--steps", "'2.5'; it must be a whole number from 1 to 100"]),
        (["--noise-aug-strength", "2"], ["--noise-aug-strength", "'2'; it must be a number from 0 to 1"]),
        (["--noise", "nan"], ["--noise", "'nan'"]),
        (["--fps", "4"], ["--fps", "'4'"]),
        (["--fit", "stretch"], ["--fit is 'stretch'", "'crop'", "'pad'"]),
        (["--shape", "3:2"], ["--shape is '3:2'", "photo, 16:9, 9:16, 1:1, 4:5"]),
        (["--position", "1.5"], ["--position", "'1.5'; it must be a number from 0 to 1"]),
        (["--out", "clip.avi"], ["clip.avi", ".mp4"]),
        (["--out", "no such folder/clip.mp4"], ["no such folder", "--out"]),
        (["--colour", "blue"], ["--colour"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and value[0].startswith("--") else "",
)
def test_setting_that_cannot_be_used(fm, settings, here, tmp_path, photo, words, says):
    check_refused(fm("generate", photo, *words), settings, here, *says)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder that even root cannot write to")
@pytest.mark.parametrize(
    ("last", "more", "says"),
    [
        ("missing.png", [], ["there is no file", "missing.png"]),
        ("text", [], ["is not a photo"]),
        ("thin", [], ["1 × 5000"]),
        ("good", ["--loop"], ["a loop ends with its first picture"]),
        (
            "good",
            ["--model", "mini"],
            ["the model mini cannot be told", "choose one of ltx-13b, ltx-2b, wan-14b-fast, able or leave"],
        ),
    ],
)
def test_last_picture_that_cannot_be_had(fm, settings, here, tmp_path, photo, last, more, says):
    use_folder(build(tmp_path / "able"), settings, "able")
    path = photo if last == "good" else tmp_path / last if "." in last else bad_photo(tmp_path, last, photo)
    check_refused(fm("generate", photo, "--last", path, "--model", "able", *more), settings, here, *says)


def test_read_only_output_folder(fm, settings, here, tmp_path, photo):
    done = fm("generate", photo, "--out", "/proc/clip.mp4")
    check_refused(done, settings, here, "/proc", "--out")


def test_a_folder_without_photos(fm, settings, here, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "diary.txt").write_text("Dear diary", encoding="utf-8")
    check_refused(fm("generate", tmp_path / "notes"), settings, here, "notes", "holds no photo")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder that even root cannot write to")
def test_an_output_folder_that_cannot_be_made(fm, settings, here, tmp_path, photo):
    done = fm("generate", photo, "--out", "/proc/new/clips/")
    check_refused(done, settings, here, "/proc/new/clips", "cannot be made", "--out")


def test_several_photos_into_one_file(fm, settings, here, tmp_path, photo):
    done = fm("generate", photo, photo, "--out", "clip.mp4")
    check_refused(done, settings, here, "several videos")


def test_broken_preset_file_of_ones_own(fm, settings, here, tmp_path, photo):
    settings.presets_dir.mkdir(parents=True, exist_ok=True)
    (settings.presets_dir / "resolutions.toml").write_text("[480p]\nwidth = 7\n", encoding="utf-8")
    done = fm("generate", photo)
    check_refused(done, settings, here, "resolutions.toml", "width = 7")


def test_json_tells_the_refusal_too(fm, photo):
    done = fm("generate", photo, "--seconds", "7", "--json")
    assert done.returncode == 2
    answer = json.loads(done.stdout)
    assert answer["status"] == "rejected"
    assert "7" in answer["error"]


def test_one_bad_photo_among_good_ones_does_not_stop_them(fm, settings, here, tmp_path, photo):
    bad = bad_photo(tmp_path, "text", photo)
    done = fm("generate", photo, bad, photo, "--no-wait")
    assert done.returncode == 2
    assert bad.name in done.stderr
    assert [job.name for job in Jobs(settings).list()] == [photo.name] * 2


def test_data_folder_that_cannot_be_made(fm_process, photo):
    blocked = photo / "data"  # inside a file
    done = fm_process("generate", photo, FANSLYMOTION_HOME=str(blocked))
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert str(blocked) in done.stderr


def test_without_a_command_it_shows_the_help(fm):
    done = fm()
    assert done.returncode == 2
    assert "generate" in done.stdout + done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_output_that_nobody_reads_is_no_error(start):
    reading, writing = os.pipe()
    os.close(reading)
    process = start("--version", stdout=writing)
    os.close(writing)
    assert "Traceback" not in process.communicate(timeout=60)[1]


def test_real_process_ends_with_the_sentence_and_the_code(fm_process, settings, here, photo):
    check_refused(fm_process("generate", photo, "--seconds", "7"), settings, here, "Error: ", "7")
