"""`fanslymotion generate` from the photo to the file: a real worker, a real (tiny) model, a real video."""

import json
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import torch
from fanslymotion.bench.tiny_home import random_mini
from fanslymotion.cli.generate import chosen_loras
from fanslymotion.errors import BadInput
from fanslymotion.pipeline.families.wan.random_model import build
from fanslymotion.pipeline.media.mp4 import probe, read_metadata
from fanslymotion.presets import load_presets
from fanslymotion.presets.loras import LoraChoice
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.liveness.supervisor import Supervisor
from fanslymotion.queue.types import Status
from fanslymotion.settings import ROOT, Settings
from fanslymotion.tests import tiny_lora
from fanslymotion.tests.permissions import open_to_all, opened  # noqa: F401 - the fixture
from fanslymotion.tests.soak import soak
from PIL import Image
from safetensors.torch import load_file


def tiny_preset(home: Path) -> None:
    """The smallest size, 88×48 in the test photo's shape, and a length that the model draws in one window."""
    random_mini(home)
    (home / "presets" / "resolutions.toml").write_text("[tiny]\nwidth = 64\nheight = 64\n", encoding="utf-8")
    (home / "presets" / "durations.toml").write_text("[2s]\nseconds = 2\nfps = 6\n", encoding="utf-8")


@pytest.fixture(scope="module")
def settings(tmp_path_factory, models_dir):
    """One data folder and one warm worker for this file's jobs: what is tested is the way there, not the loading."""
    home = tmp_path_factory.mktemp("data папка")
    settings = Settings.local(home, models_dir)
    tiny_preset(home)
    with Supervisor(settings):
        yield settings


def facts(path: Path) -> tuple[object, ...]:
    video = probe(path)
    return video.codec, video.pixel_format, video.width, video.height, video.frames, video.fps, round(video.duration, 1)


NO_DETAIL_FAST = ("--no-detail", "--mode", "fast")
TINY = ["--resolution", "tiny", "--seconds", 2, "--steps", 1, "--no-detail"]
"""For what does not depend on size and length: `test_order` has the sizes of all presets."""
TINY_FACTS = (88, 48, 24)
"""Width, height and frames."""


@pytest.mark.parametrize(
    ("resolution", "seconds", "quality", "size", "frames", "fps"),
    [
        ("480p", 6, "sampled", (848, 480), 36, 6),
        ("tiny", 6, "smooth", (88, 48), 144, 24),
        *soak(
            ("tiny", 12, "standard", (88, 48), 144, 12),
            ("720p", 6, "standard", (1280, 720), 72, 12),
            ("1080p", 12, "smooth", (1920, 1080), 288, 24),
        ),
    ],
)
def test_video_has_the_asked_size_length_and_rate(fm, here, photo, resolution, seconds, quality, size, frames, fps):
    wanted = ["--resolution", resolution, "--seconds", seconds, "--quality", quality, "--steps", 1, "--no-detail"]
    done = fm("generate", photo, *wanted, "--out", "clip.mp4")
    assert done.returncode == 0, done.stderr
    assert "100% done\n" in done.stderr, "and no time left"
    assert done.stdout == f"{here / 'clip.mp4'}\n"
    assert facts(here / "clip.mp4") == ("h264", "yuv420p", *size, frames, fps, float(seconds))
    assert [path.name for path in here.iterdir()] == ["clip.mp4"]


def test_a_photo_whose_end_is_missing_becomes_a_video_with_a_note(fm, here, photo, tmp_path):
    whole = tmp_path / "whole.jpg"
    Image.open(photo).save(whole, quality=95)
    cut = tmp_path / "мой пляж.jpg"
    cut.write_bytes(whole.read_bytes()[:-400])
    waiting = fm("generate", cut, *TINY, "--no-wait")
    assert "Note: the end of мой пляж.jpg is missing: " in waiting.stderr
    done = fm("generate", cut, *TINY, "--json")
    assert done.returncode == 0, done.stderr
    notes = json.loads(done.stdout)["warnings"]
    assert [note for note in notes if note.startswith("the end of мой пляж.jpg is missing: ")]


def test_portrait_photo_turned_by_exif_with_a_name_of_any_letters(fm, here, photo, tmp_path):
    turned = tmp_path / "Мария на море 🌊.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side
    Image.open(photo).save(turned, exif=exif)
    done = fm("generate", turned, *TINY, "--json", "--seed", 7)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    video = Path(told["video"])
    assert video == here / "Мария на море 🌊-tiny-2s.mp4"
    assert facts(video) == ("h264", "yuv420p", 48, 88, 24, 12, 2.0)
    assert (told["status"], told["request"]["seed"], told["width"], told["height"]) == ("done", 7, 48, 88)


def test_detail_and_mode_go_with_the_job(fm, settings, photo):
    """What the job does with them is tested in test_produce and test_resume."""
    for options, *wanted in (((), True, "best"), (("--detail",), True, "best"), (NO_DETAIL_FAST, False, "fast")):
        done = fm("generate", photo, *options, "--json", "--no-wait")
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert [told["request"]["detail"], told["request"]["mode"]] == wanted
        request = Jobs(settings).get(told["id"]).request
        assert [request.detail, request.mode] == wanted
        assert fm("jobs", "cancel", told["id"]).returncode == 0


def test_a_ready_prompt_goes_before_the_own_words(fm, settings, photo, tmp_path):
    folder = build(tmp_path / "tiny-wan")
    wind = load_presets(settings).idea("wind").prompt
    asked = ["generate", photo, "--model", folder, "--idea", "wind", "--no-wait", "--json"]
    for words, prompt in (((), wind), (("--prompt", " At dusk. ", "--negative-prompt", ""), f"{wind} At dusk.")):
        told = json.loads(fm(*asked, *words).stdout)
        request = Jobs(settings).get(told["id"]).request
        assert (request.prompt, request.negative_prompt) == (prompt, "" if words else None)
        assert fm("jobs", "cancel", told["id"]).returncode == 0
    refused = fm("generate", photo, "--idea", "wind", "--no-wait")
    assert refused.returncode == 2
    assert "but the model mini has no such setting" in refused.stderr
    assert "--idea is 'rain'; choose one of gentle" in fm("generate", photo, "--idea", "rain", "--no-wait").stderr


@pytest.mark.soak
def test_a_lora_goes_through_the_worker(fm, here, settings, photo, tmp_path):
    folder = build(tmp_path / "tiny-wan")
    weights = load_file(folder / "transformer" / "diffusion_pytorch_model.safetensors")
    out = weights["blocks.0.attn1.to_q.weight"].shape[0]
    pair = {"lora_A.weight": torch.ones(2, out), "lora_B.weight": torch.ones(out, 2)}
    file = settings.models / "loras" / "my style.safetensors"
    light = file.with_name("light.safetensors")
    for one in (file, light):
        tiny_lora.write(one, {f"transformer.blocks.0.attn1.to_q.{name}": tensor for name, tensor in pair.items()})
    try:
        asked = ["generate", photo, *TINY, "--model", folder, "--lora", "my style", "--lora-strength", 0.5]
        done = fm(*asked[:-4], "--lora", "my style:0.5", "--lora", "light", "--out", "clip.mp4")
        assert done.returncode == 0, done.stderr
        told = [(one["name"], one["strength"]) for one in read_metadata(here / "clip.mp4")["loras"]]
        assert told == [("my style", 0.5), ("light", 1.0)]
        assert "my style" in fm("models", "loras").stdout
        assert [one["name"] for one in json.loads(fm("models", "loras", "--json").stdout)] == ["light", "my style"]
        refused = fm("generate", photo, "--lora", "my style", "--no-wait")
        assert "but the model mini has no such setting" in refused.stderr
        file.write_bytes(file.read_bytes()[:-1])
        refused = fm(*asked)
        assert (refused.returncode, "it is cut short" in refused.stderr) == (2, True)
        assert "is not whole; get it again" in fm("models", "loras").stdout
    finally:
        file.unlink()
        light.unlink()
    refused = fm(*asked)
    assert "there is no LoRA 'my style', and none at all here; put its .safetensors file into" in refused.stderr


def test_the_strength_of_the_only_lora_may_stand_apart():
    assert chosen_loras(["style"], 0.5) == (LoraChoice("style", 0.5),)
    assert chosen_loras(["style:0.8", "light"], None) == (LoraChoice("style", 0.8), LoraChoice("light"))
    for typed in ([], ["style:0.8"], ["style", "light"]):
        with pytest.raises(BadInput, match=r"--lora-strength is for one --lora .* write --lora NAME:STRENGTH"):
            chosen_loras(typed, 0.5)


def test_default_name_never_overwrites_and_out_may_be_a_folder(fm, here, photo, tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    taken = folder / f"{photo.stem}-tiny-2s.mp4"
    taken.write_bytes(b"somebody's")
    done = fm("generate", photo, *TINY, "--out", folder)
    assert done.stdout == f"{taken.with_stem(taken.stem + '-2')}\n", done.stderr
    assert taken.read_bytes() == b"somebody's"


def test_model_by_a_path_from_where_one_stands(fm, here, photo, tiny_model):
    own = here / "my модель"
    own.mkdir()
    for source in tiny_model.rglob("*"):
        target = own / source.relative_to(tiny_model)
        target.mkdir(exist_ok=True) if source.is_dir() else target.write_bytes(source.read_bytes())
    done = fm("generate", photo, *TINY, "--model", own.name, "--out", "clip.mp4", "--verbose")
    assert done.returncode == 0, done.stderr
    assert facts(here / "clip.mp4")[2:5] == TINY_FACTS
    assert str(own) in done.stderr


def test_verbose_shows_the_five_lines_in_order(fm, photo):
    said = fm("generate", photo, *TINY, "--verbose").stderr
    assert re.search(r"^Expected: about \d+ (s|min|min \d+ s), \d+\.\d GB of \d+ GB on the CPU$", said, re.MULTILINE), (
        "T13"
    )
    assert said.index("Expected: ") < said.index("[START]")
    lines = [
        "[WORKER] Starting job: ",
        "[WORKER] Job func: ",
        "[START] Job ",
        "[DEBUG] Metadata loaded",
        "[INFO] Getting",
    ]
    places = [said.find(line) for line in lines]
    assert -1 not in places
    assert places == sorted(places)


def test_failed_job_gives_its_reason_and_exit_code_1(fm, here, photo, settings, tiny_model):
    """A model that is whole to look at, with weights that are not."""
    broken = here / "broken"
    for source in tiny_model.rglob("*"):
        target = broken / source.relative_to(tiny_model)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_file():
            data = source.read_bytes()
            target.write_bytes(data[: len(data) // 2] if source.suffix == ".safetensors" else data)
    done = fm("generate", photo, "--model", broken, "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["status"], told["video"]) == (1, "failed", None)
    assert told["error"]
    assert "Traceback" not in done.stderr
    assert [path.name for path in here.iterdir()] == ["broken"]


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl+C of a POSIX terminal")
def test_ctrl_c_cancels_and_waits_for_the_end(start, here, photo, settings):
    running = start("generate", photo, "--seconds", 12, "--steps", 100, "--out", "clip.mp4")
    said = ""
    for line in running.stderr:
        said += line
        if "sampling" in line:
            running.send_signal(signal.SIGINT)
            break
    said += running.stderr.read()
    assert running.wait(timeout=120) == 130, said
    assert "Cancelled." in said
    assert "Traceback" not in said
    newest = max(Jobs(settings).list(), key=lambda job: job.created)
    assert newest.status is Status.CANCELLED
    assert list(here.iterdir()) == []


@pytest.mark.usefixtures("open_to_all")
def test_without_a_worker_it_starts_one_and_takes_it_along(start, tmp_path, models_dir, photo):
    """From another folder, with a data folder of its own; nothing runs on afterwards.

    With a umask of 000 every file of the data folder is the user's alone, those of the worker too.
    """
    home = tmp_path / "lonely"
    alone = Settings.local(home, models_dir)
    tiny_preset(home)
    clip = tmp_path / "clip.mp4"
    running = start("generate", photo, *TINY, "--out", clip, cwd=ROOT.anchor, FANSLYMOTION_HOME=str(home))
    seen: set[int] = set()
    for _ in running.stderr:
        seen |= {child.pid for child in psutil.Process(running.pid).children()}
    assert running.wait(timeout=240) == 0
    assert facts(clip)[2:5] == TINY_FACTS
    assert seen
    assert [pid for pid in seen if psutil.pid_exists(pid)] == []
    assert [worker for worker in Jobs(alone).workers() if worker.alive] == []
    if sys.platform != "win32":
        assert list(home.rglob("video.mp4"))
        assert list(home.rglob("*.log"))
        assert opened(home) == []
        assert stat.S_IMODE(clip.stat().st_mode) == 0o666, "as any program's file"


def test_it_goes_on_when_its_readers_have_gone(start, here, photo):
    """As in `fanslymotion generate photo.jpg 2>&1 | head -1`: every video is still wanted."""
    running = start("generate", photo, *TINY, "--count", 2, stdout=subprocess.PIPE)
    assert running.stderr.readline()
    running.stderr.close()
    assert running.stdout.readline()
    running.stdout.close()
    assert running.wait(timeout=240) == 0
    assert [facts(video)[2:5] for video in here.iterdir()] == [TINY_FACTS] * 2
