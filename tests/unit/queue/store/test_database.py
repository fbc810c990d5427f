"""Storage faults: locked, full, damaged, newer, older, moved."""

import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from fanslymotion.errors import StoreError
from fanslymotion.pipeline.request import VideoResult
from fanslymotion.presets.loras import LoraChoice
from fanslymotion.queue.crash_diagnosis import Death
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store import database as database_module
from fanslymotion.queue.store import transitions
from fanslymotion.queue.store.damage import find_damage
from fanslymotion.queue.store.database import MIGRATIONS, prepare
from fanslymotion.queue.store.records import read_record
from fanslymotion.queue.store.rows import RECORD_NAME, to_job
from fanslymotion.queue.store.store import Store
from fanslymotion.queue.types import Status
from fanslymotion.queue.worker.attempt import _finish
from fanslymotion.settings import Settings

from ..conftest import REQUEST


def file_of(settings: Settings) -> Path:
    return settings.home / "jobs.db"


def quick(settings: Settings) -> Settings:
    """The same database with a short wait for locks."""
    return Settings(settings.home, settings.models, settings.database + "?timeout=1")


def test_acknowledged_writes_are_synced(store: Store) -> None:
    assert store.db.execute_sql("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert store.db.execute_sql("PRAGMA synchronous").fetchone()[0] == 2, "FULL"


def test_a_lock_of_another_program_is_waited_for(jobs: Jobs, photo: Path, settings: Settings) -> None:
    other = sqlite3.connect(file_of(settings), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(1.5, lambda: other.execute("ROLLBACK")).start()
    assert jobs.submit(photo, REQUEST).place == 1
    other.close()


def test_a_lock_that_stays_gets_a_sentence(jobs: Jobs, photo: Path, settings: Settings) -> None:
    other = sqlite3.connect(file_of(settings), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match=r"locked by another program for 1 s; close what has it open"):
        Jobs(quick(settings)).submit(photo, REQUEST)
    other.execute("ROLLBACK")
    other.close()
    assert jobs.list() == []
    assert not settings.jobs_dir.exists(), "no half job stays"


def test_a_full_disk_while_writing(jobs: Jobs, photo: Path, settings: Settings) -> None:
    pages = jobs.store.db.execute_sql("PRAGMA page_count").fetchone()[0]
    jobs.store.db.execute_sql(f"PRAGMA max_page_count = {pages}")

    def fill() -> None:
        for number in range(2000):
            jobs.store.set_meta(f"k{number}", "x" * 4000)

    with pytest.raises(StoreError, match="disk is full"):
        fill()
    jobs.store.db.execute_sql("PRAGMA max_page_count = 1000000")
    assert jobs.submit(photo, REQUEST).place == 1, "with space again all goes on"


@pytest.mark.parametrize("damage", ["garbage", "middle"])
def test_a_damaged_file_is_kept_aside_and_said(settings: Settings, photo: Path, damage: str) -> None:
    first = Jobs(settings)
    for _ in range(30):
        first.submit(photo, REQUEST)
    first.store.db.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    first.close()
    path = file_of(settings)
    data = bytearray(path.read_bytes())
    if damage == "garbage":
        data = bytearray(b"this is no database" * 500)
    else:
        data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)
    second = Jobs(settings)
    assert {job.status for job in second.list()} == {Status.FAILED}, "their folders tell of them"
    assert second.count() == 30
    kept = list(settings.home.glob("jobs.damaged-*"))
    assert len(kept) == 1
    assert (kept[0] / "jobs.db").read_bytes() == data, "not a byte of it was changed"
    assert kept[0].name in second.notice
    assert second.submit(photo, REQUEST).place == 1


def test_a_newer_versions_file_is_left_alone(settings: Settings) -> None:
    store = Store(settings)
    store.set_meta("schema", "99")
    store.close()
    with pytest.raises(StoreError, match="newer fanslymotion") as refusal:
        Store(settings)
    assert "99" in str(refusal.value)
    assert not list(settings.home.glob("*damaged*"))


def test_migrations_run_in_order_once_and_whole(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(settings)
    store.set_meta("schema", "1")
    ran: list[int] = []

    def second(db, tables) -> None:
        ran.append(2)
        db.execute_sql("ALTER TABLE jobs ADD COLUMN colour TEXT")

    def third(db, tables) -> None:
        ran.append(3)
        if len(ran) < 3:
            raise sqlite3.OperationalError("interrupted")

    with pytest.raises(StoreError):
        prepare(store.db, store.tables, (second, third))
    assert "colour" not in [column.name for column in store.db.get_columns("jobs")], "all steps or none"
    prepare(store.db, store.tables, (second, third))
    assert ran == [2, 3, 2, 3]
    assert store.meta("schema") == "3"
    prepare(store.db, store.tables, (second, third))
    assert ran == [2, 3, 2, 3]


@pytest.mark.parametrize("url", ["mysql://x", "jobs.db", "postgresql://u:secret@nowhere.invalid/x"])
def test_a_wrong_address_gets_a_sentence_without_the_password(settings: Settings, url: str) -> None:
    with pytest.raises(StoreError) as refusal:
        Store(Settings(settings.home, settings.models, url))
    assert "secret" not in str(refusal.value)


def test_postgresql_without_its_driver_names_the_command(settings: Settings) -> None:
    """The driver is no part of the ordinary set-up. peewee looks for it once, while it is imported."""
    code = (
        "import sys; sys.modules.update(psycopg=None, psycopg2=None)\n"
        "from fanslymotion.cli import main as cli; sys.argv = ['fanslymotion', 'jobs', 'list']; cli.main()"
    )
    env = Settings(settings.home, settings.models, "postgresql://u:secret@127.0.0.1:1/x").environ()
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, encoding="utf-8", errors="replace"
    )
    assert done.returncode == 1
    assert 'pip install "psycopg[binary]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_postgresql_that_the_environment_did_not_name_is_not_said_to_lack_its_driver(settings: Settings) -> None:
    """Where the environment names SQLite the driver is not imported, which a script may not know."""
    code = (
        "import pathlib, sys\n"
        "from fanslymotion.queue.store.store import Store; from fanslymotion.settings import Settings\n"
        "assert 'psycopg' not in sys.modules\n"
        "import psycopg\n"
        "Store(Settings(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[1]), 'postgresql://127.0.0.1:1/x'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, settings.home],
        env=settings.environ(),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    assert done.returncode == 1
    assert "StoreError: FANSLYMOTION_DATABASE must name PostgreSQL when the program starts" in done.stderr


def test_the_data_folder_comes_back_after_it_was_removed(jobs: Jobs, photo: Path, settings: Settings) -> None:
    """Somebody tidied up while the program ran: a new start begins anew instead of failing."""
    jobs.submit(photo, REQUEST)
    jobs.close()
    jobs._huey.storage.close()  # Windows removes no open file
    shutil.rmtree(settings.home)
    assert Jobs(settings).submit(photo, REQUEST).place == 1


@pytest.mark.skipif(sys.platform == "win32", reason="an open file keeps its name there")
@pytest.mark.parametrize("how", ["set aside", "replaced", "removed"])
def test_a_job_handed_in_after_the_file_went_is_in_the_new_one(
    settings: Settings, jobs: Jobs, photo: Path, how: str
) -> None:
    """The page's connections are open when a worker sets the file aside, or somebody puts a backup in its place."""
    jobs.submit(photo, REQUEST)
    path = file_of(settings)
    path.rename(path.with_name("old.db"))
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).rename(path.with_name("old.db" + end))
    if how == "set aside":
        Store(settings).close()  # as the next worker does
    elif how == "replaced":
        with sqlite3.connect(path.with_name("old.db")) as source, sqlite3.connect(path) as copy:
            source.backup(copy)
    job = jobs.submit(photo, REQUEST)
    assert job.place == (2 if how == "replaced" else 1)
    assert [found.id for found in Jobs(settings).list()][-1] == job.id
    assert jobs.get(job.id) == Jobs(settings).get(job.id)


WINDOWS_REFUSES = pytest.mark.skipif(sys.platform == "win32", reason="no such names there")


@pytest.mark.parametrize(
    "name", ["C# projects", pytest.param("what?", marks=WINDOWS_REFUSES), "50 %20", "данные & more"]
)
def test_any_folder_name_leads_to_its_own_database(tmp_path: Path, photo: Path, name: str) -> None:
    settings = Settings.from_env({"FANSLYMOTION_HOME": str(tmp_path / name), "FANSLYMOTION_MODELS": str(tmp_path)})
    Jobs(settings).submit(photo, REQUEST)
    assert file_of(settings).is_file()
    again = Settings.from_env(settings.environ({}))
    assert len(Jobs(again).list()) == 1
    assert {path.name for path in tmp_path.iterdir()} == {name}


def test_a_password_of_any_letters_reaches_postgresql_as_it_is(settings: Settings) -> None:
    database = database_module.open_database(replace(settings, database="postgresql://u%40x:p%40s%2Fs%23@h/db"))
    assert database.connect_params["password"] == "p@s/s#"
    assert database.connect_params["user"] == "u@x"


def test_only_real_damage_counts_as_damage(settings: Settings) -> None:
    Store(settings).close()
    assert not find_damage(file_of(settings), settings.jobs_dir)


def test_a_job_list_of_the_first_version_is_brought_up_to_date(jobs: Jobs, photo: Path, settings: Settings) -> None:
    job = jobs.submit(photo, REQUEST)
    without_messages(jobs)
    jobs.store.set_meta("schema", "1")
    jobs.store.db.execute_sql("ALTER TABLE jobs DROP COLUMN favourite")
    jobs.store.db.execute_sql("DROP TABLE folders")
    jobs.close()
    again = Jobs(settings)
    assert again.store.meta("schema") == str(len(MIGRATIONS) + 1)
    assert again.set_favourite(job.id, True).favourite
    assert [found.id for found in again.list()] == [job.id]
    assert again.submit(photo, REQUEST).place == 2


@pytest.mark.both_databases(always=True)
def test_a_job_list_with_one_lora_a_job_goes_on(settings: Settings, photo: Path) -> None:
    """Back to version 8: a LoRA and its strength, in rows and records."""
    jobs = Jobs(settings)
    job, plain = jobs.submit(photo, REQUEST), jobs.submit(photo, REQUEST)
    table = jobs.store.tables.Job
    for one, lora in ((job, "style"), (plain, None)):
        asked = {key: value for key, value in REQUEST.to_json().items() if key != "loras"}
        old = asked | {"lora": lora, "lora_strength": 0.5 if lora else None}
        table.update(request=json.dumps(old)).where(table.id == one.id).execute()
        record = json.loads((one.folder / RECORD_NAME).read_text(encoding="utf-8"))
        del record["loras"]
        record |= {"request": old, "lora": "0123456789abcdef" if lora else ""}
        (one.folder / RECORD_NAME).write_text(json.dumps(record), encoding="utf-8")
    jobs.store.set_meta("schema", "8")
    jobs.close()
    again = Jobs(settings)
    assert again.store.meta("schema") == "9"
    assert again.get(job.id).request == replace(REQUEST, loras=(LoraChoice("style", 0.5),))
    assert again.get(plain.id).request == REQUEST
    rows = [json.loads(row.request) for row in again.store.tables.Job.select()]
    assert not any("lora" in row or "lora_strength" in row for row in rows)
    records = [read_record(one.folder) for one in (job, plain)]
    assert [one.loras for one in records if one] == [("0123456789abcdef",), ()]
    assert [one.request for one in records if one] == [again.get(one.id).request for one in (job, plain)]
    again.close()


def without_messages(jobs: Jobs) -> None:
    """Back to version 3: sentences alone, a worker's stage that nothing read, no photo's hash, no part that loads."""
    without_abilities(jobs)
    for column in ("failure", "tried", "last_death", "photo", "part"):
        jobs.store.db.execute_sql(f"ALTER TABLE jobs DROP COLUMN {column}")
    jobs.store.db.execute_sql("ALTER TABLE workers DROP COLUMN cause")
    jobs.store.db.execute_sql("ALTER TABLE workers ADD COLUMN stage VARCHAR(32) NOT NULL DEFAULT ''")
    jobs.store.set_meta("schema", "3")


def without_abilities(jobs: Jobs) -> None:
    """Back to version 6: one worker for each machine, whose video memory is a note in `meta`."""
    for column in ("gpu", "abilities", "vram", "crashes", "last_crash"):
        jobs.store.db.execute_sql(f"ALTER TABLE workers DROP COLUMN {column}")
    for column in ("waits_for", "last_photo"):
        jobs.store.db.execute_sql(f"ALTER TABLE jobs DROP COLUMN {column}")
    jobs.store.set_meta("vram", '{"pid": 5, "bytes": 7}')
    jobs.store.set_meta("schema", "6")


@pytest.mark.both_databases(always=True)
def test_a_job_list_of_before_several_workers_goes_on(settings: Settings, photo: Path) -> None:
    jobs = Jobs(settings)
    job = jobs.submit(photo, REQUEST)
    own = {"host": "h", "machine": "m", "lock": "", "pid": 5, "started": 1.0, "heartbeat": 1.0, "state": "stopped"}
    jobs.store.tables.Worker.insert(id="w", **own).execute()
    without_abilities(jobs)
    jobs.close()
    again = Jobs(settings)
    assert again.store.meta("schema") == str(len(MIGRATIONS) + 1)
    assert again.store.meta("vram") == ""
    (worker,) = again.workers()
    assert (worker.gpu, worker.abilities, worker.vram, worker.crashes, worker.last_crash) == ("", None, 0, 0, None)
    assert again.get(job.id).waits_for == ""
    again.store.tables.Worker.update(vram=80 << 30).execute()
    assert again.workers()[0].vram == 80 << 30, "more than a 32-bit number holds"
    assert transitions.claim(again.store, "v", 2.0).id == job.id
    again.close()


def test_a_job_list_of_before_messages_keeps_its_words(jobs: Jobs, photo: Path, settings: Settings) -> None:
    failed, waiting = jobs.submit(photo, REQUEST), jobs.submit(photo, REQUEST)
    transitions.claim(jobs.store, "w", 1.0)
    transitions.fail(jobs.store, failed.id, "w", "the disk of /d is full; free some space", 2.0)
    jobs.store.db.execute_sql("UPDATE jobs SET warnings = ? WHERE id = ?", ('["drawn smaller"]', failed.id))
    without_messages(jobs)
    jobs.close()
    again = Jobs(settings)
    assert again.store.check() == "ok"
    found = again.get(failed.id)
    assert (found.error, found.error.code) == ("the disk of /d is full; free some space", "FM-JOB-002")
    assert (found.warnings, found.warnings[0].say("ru")) == (("drawn smaller",), "drawn smaller")
    row = transitions.claim(again.store, "v", 3.0)
    assert row.id == waiting.id
    assert transitions.mark_lost(again.store, row, "", 4.0, Death("FM-WORKER-005", {"free": "0.2 GB"})) is not None
    assert transitions.killed_for_memory(again.store, waiting.id, 2) == "loading"
    own = {"host": "h", "machine": "m", "lock": "", "pid": 1, "started": 0.0, "heartbeat": 0.0}
    again.store.tables.Worker.insert(id="w", state="idle", **own).execute()
    assert [worker.cause for worker in again.workers()] == [""]


def test_a_connection_that_cannot_write_is_left_for_a_new_one(jobs: Jobs, photo: Path) -> None:
    """SQLite's stays read-only when its file or folder was so as it was opened; mending that must be enough."""
    jobs.store.db.execute_sql("PRAGMA query_only = 1")
    with pytest.raises(StoreError, match="cannot be written; make it and its folder writable"):
        jobs.pause()
    assert jobs.submit(photo, REQUEST).place == 1


def test_a_finished_job_does_not_wait_for_ever_on_such_a_connection(jobs: Jobs, photo: Path) -> None:
    job = jobs.submit(photo, REQUEST)
    row = transitions.claim(jobs.store, "w", 1.0)
    (job.folder / "draft.mp4").write_bytes(b"video")
    result = VideoResult(job.folder / "draft.mp4", 848, 480, 72, 12, {})

    def finish() -> None:
        jobs.store.db.execute_sql("PRAGMA query_only = 1")
        _finish(jobs.store, to_job(row, jobs.settings, 0), "w", result)
        jobs.close()

    ending = threading.Thread(target=finish, daemon=True)
    ending.start()
    ending.join(30)
    assert jobs.get(job.id).status is Status.DONE
