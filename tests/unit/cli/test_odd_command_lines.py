"""Command lines that nobody means: a sentence and an exit code, never a traceback, and nothing is lost."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fanslymotion.cli.deliver import choose_targets
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.queue.jobs import Jobs
from fanslymotion.tests.soak import soak

LONG = "x" * 300
VERY_LONG = "x" * 5000
HUGE = str(10**40)
USER = "~nosuchuser/folder"
CONTROL = "\x1b[31m\x07\r\n"
SURROGATE = "\udce9t\udce9"
NUL = "a\0b"

GENERATE = [
    ["missing.jpg"],
    [""],
    [LONG + ".jpg"],
    [VERY_LONG + "/photo.jpg"],
    [USER],
    [NUL],
    [CONTROL],
    [SURROGATE],
    ["/dev/null"],
    ["/proc/self/mem"],
    ["PHOTO/inside.jpg"],
    ["PHOTO", "--model", USER],
    ["PHOTO", "--model", LONG],
    ["PHOTO", "--model", VERY_LONG],
    ["PHOTO", "--model", NUL],
    ["PHOTO", "--model", SURROGATE],
    ["PHOTO", "--out", LONG + ".mp4"],
    ["PHOTO", "--out", VERY_LONG + "/clip.mp4"],
    ["PHOTO", "--out", USER + "/clip.mp4"],
    ["PHOTO", "--out", "a\0b.mp4"],
    ["PHOTO", "--out", "PHOTO/clip.mp4"],
    ["PHOTO", "--seed", HUGE],
    ["PHOTO", "--seconds", "-" + HUGE],
    ["PHOTO", "--motion", HUGE],
    ["PHOTO", "--steps", "-1"],
    ["PHOTO", "--noise", "nan"],
    ["PHOTO", "--noise", "1e999"],
    ["PHOTO", "--fps", HUGE],
    ["PHOTO", "--resolution", SURROGATE],
    ["PHOTO", "--quality", CONTROL],
]
OTHERS = [
    ["jobs", "list", "--limit", HUGE],
    ["jobs", "list", "--limit", "-1"],
    ["jobs", "list", "--status", SURROGATE],
    ["jobs", "show", ""],
    ["jobs", "show", "nosuchjob"],
    ["jobs", "show", NUL],
    ["jobs", "show", SURROGATE],
    ["jobs", "show", CONTROL],
    ["jobs", "show", VERY_LONG],
    ["jobs", "logs", "nosuchjob"],
    ["jobs", "cancel", "nosuchjob", SURROGATE],
    ["jobs", "retry", "nosuchjob"],
    ["jobs", "delete", "nosuchjob"],
    ["jobs", "delete", "JOB"],
    ["jobs", "move", "nosuchjob", "1"],
    ["jobs", "move", "JOB", "0"],
    ["jobs", "retry", "JOB"],
    ["restart-worker"],
    ["models", "use", USER],
    ["models", "use", LONG],
    ["models", "use", NUL],
    ["models", "use", "PHOTO"],
    ["models", "use", "."],
    ["models", "download", SURROGATE],
    ["models", "download", "mini"],
    ["models", "check", VERY_LONG],
    ["models", "cancel", "../mini"],
    ["models", "remove", "mini"],
    ["ui", "--no-browser", "--no-worker", "--host", LONG],
    ["ui", "--no-browser", "--no-worker", "--host", SURROGATE],
    ["ui", "--no-browser", "--no-worker", "--host", NUL],
    ["ui", "--no-browser", "--no-worker", "--host", "no.such.host.invalid"],
    ["ui", "--port", HUGE],
    ["ui", "--no-browser", "--no-worker", "--auth", "nocolon"],
    ["nosuchcommand", SURROGATE],
]
ENVIRONMENTS = [
    {"FANSLYMOTION_HOME": USER},
    {"FANSLYMOTION_HOME": LONG},
    {"FANSLYMOTION_HOME": "PHOTO"},
    {"FANSLYMOTION_HOME": SURROGATE + "/" + LONG},
    {"FANSLYMOTION_MODELS": USER},
    {"FANSLYMOTION_IDLE": "soon"},
    {"FANSLYMOTION_IDLE": "nan"},
    {"FANSLYMOTION_COMPILE": "often"},
    {"FANSLYMOTION_DATABASE": "nonsense"},
    {"FANSLYMOTION_DATABASE": "nonsense://host/jobs"},
    {"FANSLYMOTION_DATABASE": "postgresql://user:secret@[::1/jobs"},
    {"FANSLYMOTION_DATABASE": "postgresql://user:secret@127.0.0.1:99999999/jobs"},
    {"FANSLYMOTION_DATABASE": "postgresql://user:secret@127.0.0.1:1/jobs"},
    {"FANSLYMOTION_DATABASE": "sqlite:////proc/nowhere/jobs.db"},
    {"FANSLYMOTION_DATABASE": "sqlite:///" + LONG},
]


@pytest.fixture
def job(settings, photo) -> str:
    return Jobs(settings).submit(photo, VideoRequest(seed=1), name="mine").id


def check(said, *, at_least_one_of: tuple[int, ...] = (1, 2)) -> None:
    assert said.returncode in at_least_one_of, said
    assert "Traceback" not in said.stderr
    assert said.stdout == ""
    assert said.stderr.strip()
    assert "secret" not in said.stderr
    assert "\x1b" not in said.stderr


def filled(words: list[str], photo: Path, job: str) -> list[str]:
    return [word.replace("PHOTO", str(photo)).replace("JOB", job) for word in words]


@pytest.mark.parametrize("words", GENERATE, ids=lambda words: ascii(" ".join(words))[:40])
def test_generate(fm, settings, here, photo, job, words) -> None:
    check(fm("generate", *filled(words, photo, job)), at_least_one_of=(2,))
    assert [one.id for one in Jobs(settings).list()] == [job]
    assert list(here.iterdir()) == []
    assert photo.is_file()


@pytest.mark.parametrize("words", OTHERS, ids=lambda words: ascii(" ".join(words))[:40])
def test_other_commands(fm, settings, here, photo, job, words) -> None:
    check(fm(*filled(words, photo, job)))
    (left,) = Jobs(settings).list()
    assert (left.id, left.status, left.place) == (job, "queued", 1)
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("environ", ENVIRONMENTS, ids=lambda one: ascii(" ".join(one.values()))[:40])
def test_environments(fm, here, photo, monkeypatch, environ) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value.replace("PHOTO", str(photo)))
    words = ("generate", photo) if "FANSLYMOTION_MODELS" in environ else ("jobs", "list")
    check(fm(*words))
    assert photo.is_file()


def test_a_move_beyond_the_line_and_a_photo_with_the_longest_name(fm, settings, here, photo, job, tmp_path) -> None:
    """The video of a photo whose name is as long as a file's may be fits beside its ending."""
    longest = tmp_path / ("ф" * 125 + ".png")
    longest.write_bytes(photo.read_bytes())
    assert fm("generate", longest, "--no-wait").returncode == 0
    assert fm("jobs", "move", job, "1000000").returncode == 0
    assert fm("jobs", "move", job, HUGE).returncode == 2
    assert [one.id for one in Jobs(settings).list()][-1] == job
    (target,) = choose_targets([longest], here, "1080p-12s")
    target.path.write_bytes(b"video")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a folder in which a process stands")
@pytest.mark.parametrize(
    "words", [["generate", "photo.jpg"], *soak(["generate", "PHOTO"], ["jobs", "list"], ["doctor"])]
)
def test_the_folder_it_stands_in_is_gone(start, settings, photo, job, tmp_path, words) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = 'cd "$1" && rmdir "$1" && shift && exec "$@"'
    command = [sys.executable, "-P", "-m", "fanslymotion", *filled(words, photo, job)]
    environ = os.environ | {"FANSLYMOTION_HOME": str(settings.home), "FANSLYMOTION_MODELS": str(settings.models)}
    done = subprocess.run(
        ["sh", "-c", script, "sh", str(gone), *command],
        env=environ,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=120,
    )
    assert "Traceback" not in done.stderr + done.stdout
    assert done.returncode == (2 if words[0] == "generate" else 0 if words[0] == "jobs" else done.returncode)
    assert [one.id for one in Jobs(settings).list()] == [job]


CLOSED = [
    ("exec >&- 2>&-", ["jobs", "list"]),
    ("exec <&-", ["jobs", "list"]),
    ("exec >/dev/full", ["jobs", "list"]),
    ("export LC_ALL=xx_YY.nonsense LANG=..", ["jobs", "show", "JOB"]),
    *soak(
        ("exec >&-", ["jobs", "list"]),
        ("exec >&- 2>&-", ["generate", "missing.jpg"]),
        ("exec 2>&-", ["jobs", "show", "nosuchjob"]),
        ("exec >/dev/full", ["jobs", "show", "JOB", "--json"]),
        ("exec >/dev/full 2>/dev/full", ["jobs", "list"]),
        ("ulimit -n 24", ["jobs", "list"]),
    ),
]


@pytest.mark.skipif(sys.platform != "linux", reason="file descriptors of POSIX, /dev/full")
@pytest.mark.parametrize(("before", "words"), CLOSED, ids=lambda one: one if isinstance(one, str) else " ".join(one))
def test_streams_that_cannot_be_used(settings, here, photo, job, before, words) -> None:
    command = [sys.executable, "-P", "-m", "fanslymotion", *filled(words, photo, job)]
    environ = os.environ | {"FANSLYMOTION_HOME": str(settings.home), "FANSLYMOTION_MODELS": str(settings.models)}
    done = subprocess.run(
        ["sh", "-c", f'{before}; exec "$@"', "sh", *command],
        cwd=here, env=environ, capture_output=True, encoding="utf-8", errors="replace", timeout=120,
    )  # fmt: skip
    assert "Traceback" not in done.stderr + done.stdout
    assert done.returncode in (0, 1, 2), done
    assert [one.id for one in Jobs(settings).list()] == [job]


def test_two_cleans_at_once(settings, photo) -> None:
    jobs = Jobs(settings)
    for _ in range(12):
        jobs.cancel(jobs.submit(photo, VideoRequest(seed=1)).id)
    kept = jobs.submit(photo, VideoRequest(seed=1))
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: Jobs(settings).clean(), range(4)))
    assert sum(counts) == 12
    assert [one.id for one in jobs.list()] == [kept.id]
