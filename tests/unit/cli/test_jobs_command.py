"""`fanslymotion jobs …` and the small commands, on jobs that wait because no worker runs."""

import json

import pytest
from fanslymotion import __version__
from fanslymotion.pipeline.request import VideoRequest, VideoResult
from fanslymotion.queue.continuation import video_before
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store import transitions
from fanslymotion.tests.moving_video import video


@pytest.fixture
def waiting(fm, settings, photo):
    """Three waiting jobs, the first first."""
    return [json.loads(fm("generate", photo, "--no-wait", "--json", "--seed", n).stdout)["id"] for n in (1, 2, 3)]


def line(settings) -> list[str]:
    return [job.id for job in Jobs(settings).list()]


def test_version_and_help(fm):
    assert fm("--version").stdout == f"fanslymotion {__version__}\n"
    for words in (["-h"], ["--help"], ["jobs", "--help"], ["generate", "--help"]):
        assert (fm(*words).returncode, fm(*words).stderr) == (0, "")


def test_help_shows_the_defaults_that_are_words(fm):
    said = " ".join(fm("generate", "--help").stdout.split())
    assert [word for word in ("random", "a real model if here", "the current folder") if word not in said] == []
    assert "{PHOTO}..." in said
    assert "{PHOTO...}" not in said
    assert "first free one from 7860" in fm("ui", "--help").stdout
    assert "the system's" in fm("doctor", "--help").stdout


def test_help_cuts_nothing_off_in_a_narrow_terminal(fm, monkeypatch):
    """No option's name and no command's description."""
    monkeypatch.setenv("COLUMNS", "80")
    assert "--noise-aug-strength" in fm("generate", "--help").stdout
    for words in ((), ("jobs",), ("models",)):
        commands = fm(*words, "--help").stdout.partition("Commands:")[2]
        assert commands
        assert "..." not in commands
        assert "…" not in commands


@pytest.mark.parametrize(("words", "bucket"), [(["--motion", "gentle"], 60), (["--motion", "40"], 40), ([], None)])
def test_motion_as_a_word_or_a_number(fm, photo, words, bucket):
    made = json.loads(fm("generate", photo, "--no-wait", "--json", *words).stdout)
    assert made["request"]["motion_bucket_id"] == bucket


def test_list_shows_waiting_jobs_in_their_order(fm, waiting, photo):
    shown = json.loads(fm("jobs", "list", "--json").stdout)
    assert [(job["id"], job["place"], job["status"]) for job in shown] == [
        (job_id, place, "queued") for place, job_id in enumerate(waiting, 1)
    ]
    assert shown[0]["request"]["seed"] == 1
    table = fm("jobs", "list").stdout
    assert [job_id for job_id in waiting if job_id not in table] == []
    assert photo.name in table
    assert fm("jobs", "list", "--status", "done", "--json").stdout.strip() == "[]"


def test_show_by_the_first_characters(fm, waiting):
    done = fm("jobs", "show", waiting[0][:6])
    assert waiting[0] in done.stdout
    assert "seed 1" in done.stdout
    assert "No worker is running" in done.stderr


def test_move_cancel_retry_delete(fm, waiting, settings):
    first, second, third = waiting
    assert "place 1" in fm("jobs", "move", third, 1).stdout
    assert line(settings) == [third, first, second]
    assert "cancelled" in fm("jobs", "cancel", first, second).stdout
    assert line(settings)[0] == third
    assert fm("jobs", "delete", first).returncode == 0
    assert set(line(settings)) == {second, third}
    assert not settings.job_dir(first).exists()
    again = fm("jobs", "retry", second).stdout.split()[0]
    assert Jobs(settings).get(again).request == Jobs(settings).get(second).request


def test_pause_and_resume(fm, waiting, settings):
    assert fm("jobs", "pause").returncode == 0
    assert Jobs(settings).paused
    assert "paused" in fm("jobs", "list").stderr
    assert fm("jobs", "resume").returncode == 0
    assert not Jobs(settings).paused


def test_logs_tell_what_happened(fm, waiting):
    fm("jobs", "cancel", waiting[0])
    assert fm("jobs", "logs", waiting[0], "--follow").stdout.split("\n")[-2].endswith("cancelled")


@pytest.mark.parametrize(
    "words",
    [
        ["jobs", "show", "nothing"],
        ["jobs", "logs", "nothing"],
        ["jobs", "cancel", "nothing"],
        ["jobs", "retry", "nothing"],
        ["jobs", "delete", "nothing"],
        ["jobs", "move", "nothing", "1"],
        ["jobs", "show", ""],
        ["jobs", "list", "--status", "lost"],
    ],
    ids=" ".join,
)
def test_job_that_is_not_there(fm, words):
    done = fm(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Error: " in done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_waiting_job_does_not_allow(fm, waiting):
    for words in (["delete", waiting[0]], ["retry", waiting[0]], ["move", waiting[0], "0"]):
        done = fm("jobs", *words)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False)


def test_models_commands_are_there(fm):
    models = {model["name"]: model for model in json.loads(fm("models", "list", "--json").stdout)}
    assert set(models) >= {"mini", "svd", "svd-xt", "svd-xt-1.1"}
    assert "Powered by Stability AI" in fm("models", "list").stdout
    done = fm("models", "download", "nothing")
    assert (done.returncode, done.stdout) == (2, "")


def test_restart_without_a_worker_says_so(fm):
    done = fm("restart-worker")
    assert done.returncode == 1
    assert "no worker is running" in done.stderr


@pytest.mark.soak
def test_names_print_on_any_console(fm_process, settings, photo, tmp_path):
    named = tmp_path / "Мария на море 🌊.png"
    named.write_bytes(photo.read_bytes())
    for encoding in ("cp1252", "ascii", "utf-8"):
        done = fm_process("generate", named, "--no-wait", PYTHONIOENCODING=encoding, PYTHONUTF8="0")
        assert (done.returncode, "Мария на море 🌊.png" in done.stdout) == (0, True), done.stderr


def test_takes_differ_in_their_seeds(fm, photo, here):
    made = fm("generate", photo, "--no-wait", "--json", "--seed", 5, "--count", 3)
    assert [json.loads(text)["request"]["seed"] for text in made.stdout.splitlines()] == [5, 6, 7]
    first = json.loads(made.stdout.splitlines()[0])["id"]
    again = fm("jobs", "again", first, "--count", 2)
    assert again.returncode == 0, again.stderr
    assert len({*(line.rpartition(" ")[2] for line in again.stdout.splitlines()), "5"}) == 3
    refused = fm("generate", photo, "--no-wait", "--count", 2, "--out", "clip.mp4")
    assert refused.returncode == 2
    assert "for several videos" in refused.stderr


def test_a_finished_video_is_continued(fm, settings, photo):
    jobs = Jobs(settings)
    old = jobs.submit(photo, VideoRequest(seed=5))
    assert "only a finished video can be continued" in fm("jobs", "continue", old.id).stderr
    assert transitions.claim(jobs.store, "w", 1.0) is not None
    made = video(old.folder / "video.mp4", 72, size=(848, 480), fps=12)
    assert transitions.finish(jobs.store, old.id, "w", VideoResult(made, 848, 480, 72, 12, {}), 2.0)
    for words, joined in (((), True), (("--no-join",), False)):
        done = fm("jobs", "continue", old.id, *words)
        assert done.returncode == 0, done.stderr
        assert (video_before(jobs.get(done.stdout.split()[0])) is not None) is joined
