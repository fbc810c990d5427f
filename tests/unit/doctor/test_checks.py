"""Each trouble gets its code, its cause and its fix; a well machine gets none."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from fanslymotion.doctor import loading
from fanslymotion.doctor.checks import BROKEN, OK, WARN, Doctor, hardware, installation, models, queue, worst
from fanslymotion.doctor.checks.installation import requirements, wrong_packages
from fanslymotion.messages import codes
from fanslymotion.pipeline.families.base import Offload
from fanslymotion.pipeline.hardware.compiler import Lack
from fanslymotion.pipeline.hardware.gpus import GpuProcess, Gpus, GpuSample, GpuWatch
from fanslymotion.pipeline.hardware.torch_build import TorchBuild
from fanslymotion.pipeline.hardware.units import GIB
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.queue.crash_diagnosis import Death, find_cause
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store import transitions
from fanslymotion.queue.store.database import storage_errors
from fanslymotion.queue.store.rows import write_message
from fanslymotion.settings import Settings
from packaging.requirements import Requirement

Find = Callable[[str], list[tuple[str, str]]]


@pytest.fixture
def find(settings: Settings) -> Find:
    """(result, code) of one check."""

    def found(key: str) -> list[tuple[str, str]]:
        return [(finding.result, finding.code) for finding in Doctor(settings).find(key)]

    return found


def test_a_well_machine(settings: Settings) -> None:
    checks = Doctor(settings).run()
    bad = [check for check in checks if check.result == BROKEN]
    assert bad == []
    assert {check.key for check in checks} >= {
        "python",
        "packages",
        "store",
        "queue",
        "disk",
        "gpu",
        "models",
        "ffmpeg",
    }


def test_no_check_can_end_the_doctor(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware.shutil, "disk_usage", lambda path: 1 / 0)
    checks = Doctor(settings).run()
    assert [check.code for check in checks if check.key == "disk"] == ["FM-JOB-000"]
    assert worst(checks) == BROKEN


def test_an_unknown_python(find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation.sys, "version_info", (3, 10, 1))
    assert find("python") == [(BROKEN, "FM-PY-001")]


def test_missing_and_wrong_packages(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text(
        "# pinned\nno-such-package==1.0\npillow==1.0 ; python_version > '3'\nnothing ; python_version < '3'\n-e .\n",
        encoding="utf-8",
    )
    missing, wrong = wrong_packages(requirements(path))
    assert missing == "no-such-package is missing"
    assert wrong.startswith("pillow is ")


@pytest.mark.filterwarnings("ignore:Implicit None on return values is deprecated")
def test_a_package_whose_installation_broke_off_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_there-1.0.dist-info").mkdir()
    (tmp_path / "half_there-1.0.dist-info" / "METADATA").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert wrong_packages([Requirement("half-there==1.0")]) == ["half-there is missing"]


def test_waiting_jobs_without_a_worker(find: Find, settings: Settings, photo: Path) -> None:
    assert find("worker") == [(OK, "")]
    Jobs(settings).submit(photo, VideoRequest())
    assert find("worker") == [(WARN, "FM-WORKER-001")]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("ImportError: libcudart.so.12: cannot open", "FM-WORKER-002"),
        ("No module named 'worker.tasks'", "FM-WORKER-006"),
        ("Segmentation fault", "FM-WORKER-002"),
    ],
)
def test_a_worker_that_crashes_while_it_starts(find: Find, settings: Settings, said: str, code: str) -> None:
    jobs = Jobs(settings)
    table = jobs.store.tables.Worker
    own = {"host": "h", "machine": "m", "lock": "", "pid": 1, "started": 0.0, "heartbeat": 0.0}
    table.insert(id="w", state="crashed", last_output=said, cause=write_message(find_cause(said, 1)), **own).execute()
    assert find("worker") == [(BROKEN, code)]


def test_an_idle_worker_and_the_disk_in_russian(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the page's own words and units: it shows both beside the doctor's."""
    table = Jobs(settings).store.tables.Worker
    own = {"host": "h", "machine": "m", "lock": "", "pid": 1, "started": 0.0, "heartbeat": time.time()}
    table.insert(id="w", state="idle", device="cpu", **own).execute()
    monkeypatch.setattr(hardware.shutil, "disk_usage", lambda path: SimpleNamespace(free=69_960_000_000))
    found = [finding.say("ru") for finding in Doctor(settings).run()]
    told = {check.key: f"{check.name}: {check.detail}" for check in found}
    assert told["worker"].startswith("Исполнитель: готов, cpu")
    assert told["disk"].startswith("Диск: свободно 70,0 ГБ")


def test_a_locked_database(find: Find, settings: Settings) -> None:
    Jobs(settings).close()
    quick = Settings(settings.home, settings.models, settings.database + "?timeout=1")
    other = sqlite3.connect(settings.home / "jobs.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    doctor = Doctor(quick)
    assert [check.code for check in doctor.find("store")] == ["FM-QUEUE-002"]
    other.execute("ROLLBACK")
    other.close()
    assert find("store") == [(OK, "")]


def test_a_newer_database(find: Find, settings: Settings) -> None:
    Jobs(settings).store.set_meta("schema", "99")
    assert find("store") == [(BROKEN, "FM-QUEUE-004")]


def test_a_damaged_database_is_told_after_it_was_set_aside(find: Find, settings: Settings) -> None:
    settings.home.mkdir(parents=True, exist_ok=True)
    (settings.home / "jobs.db").write_bytes(b"this is no database" * 400)
    assert find("store") == [(WARN, "FM-QUEUE-003")]
    (told,) = Doctor(settings).find("store")
    assert "список заданий был повреждён; он отложен как" in told.say("ru").cause
    Jobs(settings).store.put_notice_away()
    assert find("store") == [(OK, "")]


def test_a_queue_that_does_not_answer(find: Find, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "round_trip", lambda settings: (_ for _ in ()).throw(OSError("disk I/O error")))
    assert find("queue") == [(BROKEN, "FM-QUEUE-001")]


@pytest.mark.parametrize(("free", "result"), [(1 << 30, WARN), (1 << 20, BROKEN)])
def test_a_full_disk(find: Find, monkeypatch: pytest.MonkeyPatch, free: int, result: str) -> None:
    monkeypatch.setattr(hardware.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    assert set(find("disk")) == {(result, "FM-DISK-001")}


def test_a_folder_that_cannot_be_written(find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "write_error", lambda folder: "Permission denied")
    assert set(find("disk")) == {(BROKEN, "FM-DISK-002")}


def nvidia(cuda: tuple[int, int] = (12, 8)) -> Gpus:
    return Gpus("nvidia", ("GeForce RTX 4070",), driver="570.1", cuda=cuda, capability=8.9)


@pytest.mark.parametrize(
    ("gpus", "build", "expected"),
    [
        (Gpus("none", note="no GPU"), TorchBuild("2.13.0"), [(OK, "")]),
        (nvidia(), TorchBuild("2.13.0+cpu"), [(BROKEN, "FM-GPU-002")]),
        (nvidia((11, 8)), TorchBuild("2.13.0+cu128", (12, 8)), [(BROKEN, "FM-GPU-003")]),
        (nvidia(), TorchBuild("2.13.0+cu128", (12, 8)), [(OK, "")]),
        (Gpus("amd", ("Radeon",)), TorchBuild("2.13.0+cpu"), [(WARN, "FM-GPU-006")]),
    ],
)
def test_cards_and_builds(find: Find, monkeypatch: pytest.MonkeyPatch, gpus, build, expected) -> None:
    monkeypatch.setattr(GpuWatch, "describe", lambda self: gpus)
    monkeypatch.setattr(GpuWatch, "sample", lambda self, card="": None)
    monkeypatch.setattr(hardware, "torch_build", lambda: build)
    assert find("gpu") == expected


def test_who_holds_the_video_memory(find: Find, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    sample = GpuSample(0.0, 0, "RTX", 3.0, 10 * GIB, 12 * GIB, 95.0, (GpuProcess(1, "game.exe", 9 * GIB),))
    monkeypatch.setattr(GpuWatch, "describe", lambda self: nvidia())
    monkeypatch.setattr(GpuWatch, "sample", lambda self, card="": sample)
    monkeypatch.setattr(hardware, "torch_build", lambda: TorchBuild("2.13.0+cu128", (12, 8)))
    assert find("gpu") == [(OK, ""), (WARN, "FM-GPU-004"), (WARN, "FM-GPU-007")]
    held = next(check for check in Doctor(settings).find("gpu") if check.code == "FM-GPU-004")
    assert "game.exe (9.0 GB)" in held.say().cause


@pytest.mark.parametrize(
    ("lack", "setting", "expected"),
    [
        (Lack.TRITON, "auto", [(WARN, "FM-GPU-010")]),
        (Lack.PYTHON_HEADERS, "always", [(WARN, "FM-GPU-010")]),
        (Lack.TRITON, "never", []),
        (Lack.CARD, "auto", []),
        (None, "auto", [(OK, "")]),
    ],
)
def test_what_is_missing_for_compiling(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, lack: Lack | None, setting: str, expected: list
) -> None:
    sample = GpuSample(0.0, 0, "RTX 4090", 3.0, 24 * GIB, 24 * GIB, 50.0, ())
    monkeypatch.setattr(GpuWatch, "describe", lambda self: nvidia())
    monkeypatch.setattr(GpuWatch, "sample", lambda self, card="": sample)
    monkeypatch.setattr(hardware, "torch_build", lambda: TorchBuild("2.13.0+cu128", (12, 8)))
    monkeypatch.setattr(hardware, "lacking", lambda gpus: lack)
    found = Doctor(replace(settings, compile=setting)).find("gpu")
    assert [(one.result, one.code) for one in found[2:]] == expected
    for one in found[2:]:
        assert one.say("ru").detail


def test_a_damaged_model(settings: Settings, tiny_model: Path, tmp_path: Path) -> None:
    import shutil

    own = Settings(settings.home, tmp_path / "models", settings.database)
    shutil.copytree(tiny_model, own.models / "svd")
    weights = own.models / "svd" / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    assert [check.code for check in Doctor(own).find("models")] == ["FM-MODEL-002"]


def test_a_damaged_bundled_model_is_not_to_be_downloaded(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    doctor = Doctor(settings)
    entry = SimpleNamespace(
        name="mini", state="damaged", problem="x", ready=False, preset=doctor.examination.presets.model("mini")
    )
    monkeypatch.setattr(models, "list_models", lambda presets, settings: [entry])
    fixes = [finding.say().fix for finding in doctor.find("models")]
    assert fixes
    assert not [fix for fix in fixes if "models download" in fix]


def test_an_ffmpeg_that_does_not_work(find: Find, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "no-ffmpeg"))
    assert find("ffmpeg") == [(BROKEN, "FM-VIDEO-001")]


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([("ERROR", "[ERROR] it broke"), ("INFO", "[INFO] more")], "FM-JOB-001"),
        ([("INFO", "[WORKER] Starting job: 1")], ""),  # it failed in words: the line is not where it stopped
    ],
)
def test_an_unforeseen_failure_is_told_by_its_log(
    find: Find, settings: Settings, photo: Path, lines: list, code: str
) -> None:
    jobs = Jobs(settings)
    job = jobs.submit(photo, VideoRequest())
    transitions.claim(jobs.store, "w", 1.0)
    for level, text in lines:
        transitions.add_event(jobs.store, job.id, 1.0, "log", text, level)
    transitions.fail(jobs.store, job.id, "w", "why", 2.0)
    assert [found for _, found in find("log")] == [code]


@pytest.mark.parametrize(
    ("stage", "death", "code"),
    [
        ("", None, "FM-WORKER-007"),
        ("", Death("FM-WORKER-003", {"seconds": 3600.0}), "FM-WORKER-007"),
        ("loading", None, "FM-MEM-001"),
        ("loading", Death("FM-WORKER-003", {"seconds": 3600.0}), "FM-WORKER-003"),
        ("loading", Death(codes.CARD_LOST), "FM-WORKER-004"),
        ("sampling", None, "FM-WORKER-004"),
    ],
)
def test_the_stage_of_a_death_tells_more(
    find: Find, settings: Settings, photo: Path, stage: str, death: Death | None, code: str
) -> None:
    """What the log's last line says does not matter: its words are for people."""
    jobs = Jobs(settings)
    job = jobs.submit(photo, VideoRequest())
    for attempt in (1, 2, 3):
        worker = f"w{attempt}"
        transitions.claim(jobs.store, worker, 1.0)
        transitions.add_event(jobs.store, job.id, 1.0, "log", "[INFO] a line that was said", "INFO")
        if stage:
            transitions.renew(jobs.store, job.id, worker, {"stage": stage})
        row = jobs.store.tables.Job.get_by_id(job.id)
        assert transitions.mark_lost(jobs.store, row, "", 2.0, death) is not None
    assert [found for _, found in find("log")] == [code]
    assert jobs.get(job.id).status == "failed"
    if code == "FM-WORKER-007":
        [check] = Doctor(settings).find("log")
        assert "a line that was said" in check.say().cause


def test_a_database_on_a_full_disk(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        with storage_errors(doctor.examination.jobs.store.db):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error

    doctor = Doctor(settings)
    monkeypatch.setattr(doctor.examination.jobs.store, "set_meta", full)
    [check] = doctor.find("store")
    assert check.code == "FM-DISK-001"
    assert "unknown" not in check.say().cause


def test_a_worker_that_was_killed_under_a_job_is_told(find: Find, settings: Settings, photo: Path) -> None:
    jobs = Jobs(settings)
    jobs.submit(photo, VideoRequest())
    row = transitions.claim(jobs.store, "w", 1.0)
    transitions.mark_lost(jobs.store, row, "", 2.0, Death("FM-WORKER-005", {"free": "0.2 GB"}))
    transitions.claim(jobs.store, "v", 3.0)
    assert (WARN, "FM-WORKER-005") in find("watch")


@pytest.mark.soak
def test_the_command_in_russian(settings: Settings) -> None:
    """tests/faults asks it for JSON, and to load the model."""
    Jobs(settings).store.set_meta("schema", "99")
    words = [sys.executable, "-m", "fanslymotion", "doctor", "--language", "ru"]
    broken = subprocess.run(words, env=settings.environ(), capture_output=True, encoding="utf-8", errors="replace")
    assert broken.returncode == 1
    assert "FM-QUEUE-004" in broken.stdout
    assert "Traceback" not in broken.stdout + broken.stderr


def test_a_model_that_waits_in_ram_is_brought_to_the_card(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading alone would tell nothing of the card: with model offload each part goes there when it computes."""
    import torch
    from fanslymotion.pipeline.families.svd.model import LoadedModel, Placement

    asked: list[str] = []

    def bring(self: LoadedModel, part: str) -> None:
        asked.append(part)
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    placement = Placement(torch.device("cpu"), torch.float32, Offload.MODEL)
    monkeypatch.setattr(Placement, "of", staticmethod(lambda plan: placement))
    monkeypatch.setattr(LoadedModel, "bring", bring)
    with pytest.raises(SystemExit) as caught:
        loading.main(settings, "mini")
    assert caught.value.code == loading.OUT_OF_MEMORY
    assert asked == ["unet"]


@pytest.mark.parametrize(("code", "fault"), [(-9, "FM-MEM-001"), (3, "FM-MEM-001"), (1, "FM-MODEL-006")])
def test_a_model_that_does_not_load(settings: Settings, monkeypatch: pytest.MonkeyPatch, code: int, fault: str) -> None:
    """The model is the one that a video without a choice would be drawn with."""
    asked: list[str] = []

    def run(command: list[str], **_: object) -> SimpleNamespace:
        asked.append(command[-1])
        return SimpleNamespace(returncode=code, stderr="the last words", stdout="")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(models, "default_model", lambda presets, settings: "svd-xt")
    [check] = Doctor(settings, load=True).find("load")
    assert check.code == fault
    assert "the last words" in check.say().cause
    assert asked == ["svd-xt"]


def test_the_card_is_looked_at_beside_a_broken_database(
    find: Find, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    Jobs(settings).store.set_meta("schema", "99")
    sample = GpuSample(0.0, 0, "RTX", 3.0, 10 * GIB, 12 * GIB, 95.0, (GpuProcess(1, "game.exe", 9 * GIB),))
    monkeypatch.setattr(GpuWatch, "describe", lambda self: nvidia())
    monkeypatch.setattr(GpuWatch, "sample", lambda self, card="": sample)
    monkeypatch.setattr(hardware, "torch_build", lambda: TorchBuild("2.13.0+cu128", (12, 8)))
    assert find("gpu") == [(OK, ""), (WARN, "FM-GPU-004"), (WARN, "FM-GPU-007")]


@pytest.mark.soak
def test_a_page_that_cannot_be_built_has_its_reason(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    doctor = Doctor(settings, page=True)
    assert [(check.result, check.code) for check in doctor.find("page")] == [(OK, "")]
    settings.jobs_dir.parent.mkdir(parents=True, exist_ok=True)
    broken = settings.home / "broken"
    broken.mkdir()
    (broken / "gradio.py").write_text("raise ImportError('no such library here')", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(broken))
    [found] = doctor.find("page")
    assert (found.result, found.code) == (BROKEN, "FM-PY-003")
    assert "no such library here" in found.say().cause
    assert "no such library here" in (settings.logs_dir / "start.log").read_text(encoding="utf-8")


def test_a_proxy_that_was_taken_out_is_told(find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find("proxies") == []
    monkeypatch.setenv("FANSLYMOTION_IGNORED_PROXIES", "ALL_PROXY")
    assert find("proxies") == [(WARN, "FM-NET-001")]
