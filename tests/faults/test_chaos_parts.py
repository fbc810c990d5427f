"""What a campaign is made of does harm, and its judge sees what is broken; else no finding would mean nothing."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from fanslymotion.bench.faults import proxy, shim
from fanslymotion.bench.faults.judge import judge
from fanslymotion.bench.faults.users import Told
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store.rows import photo_of
from fanslymotion.queue.types import Job
from fanslymotion.settings import Settings
from fanslymotion.tests import databases

pytestmark = pytest.mark.faults

LOOK = """
import os, sys, time
for line in sys.stdin:
    with open(sys.argv[1], "w") as file:
        try:
            os.fsync(file.fileno())
            synced = "synced"
        except OSError as e:
            synced = e.strerror
    print(time.time(), time.monotonic(), synced, sep="|", flush=True)
"""


def test_a_clock_steps_and_syncs_fail_in_a_running_process(tmp_path: Path) -> None:
    library = shim.build(tmp_path)
    if library is None:
        pytest.skip("no C compiler, or another system than Linux")
    own = shim.Shim(library, tmp_path / "control")
    command = [sys.executable, "-c", LOOK, str(tmp_path / "file")]
    with subprocess.Popen(
        command, env=own.environ(), stdin=-1, stdout=-1, encoding="utf-8", errors="replace", bufsize=1
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None

        def look() -> tuple[float, float, str]:
            child.stdin.write("\n")
            wall, monotonic, synced = child.stdout.readline().strip().split("|")
            return float(wall), float(monotonic), synced

        before = look()
        own.step_clock(-7200)
        own.fail_syncs(1)
        after, again = look(), look()
        child.stdin.close()
    assert before[2] == "synced"
    assert after[0] - before[0] == pytest.approx(after[1] - before[1] - 7200, abs=1)
    assert (after[2], again[2], own.failed) == ("Input/output error", "synced", 1)


WRITE = """
import sys
from fanslymotion.errors import StoreError
from fanslymotion.queue.store.store import Store
from fanslymotion.settings import Settings
store = Store(Settings.from_env())
print("ready", flush=True)
sys.stdin.readline()
try:
    store.set_meta("key", "value")
except StoreError as e:
    print(e, flush=True)
"""


def test_a_disk_that_does_not_sync_is_named_and_not_the_rollback_that_follows(
    settings: Settings, tmp_path: Path
) -> None:
    library = shim.build(tmp_path)
    if library is None:
        pytest.skip("no C compiler, or another system than Linux")
    own = shim.Shim(library, tmp_path / "control")
    environ = settings.environ() | own.environ()
    with subprocess.Popen(
        [sys.executable, "-c", WRITE], env=environ, stdin=-1, stdout=-1, encoding="utf-8", errors="replace"
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        own.fail_syncs(100)
        said, _ = child.communicate("\n")
    assert "disk I/O error" in said
    assert "check that disk" in said


@pytest.mark.parametrize(("trap", "stands"), [(proxy.LOST_ANSWER, 1), (proxy.LOST_COMMIT, 0)])
def test_a_commit_is_lost_on_its_way(postgresql: str, trap: str, stands: int) -> None:
    address = databases.new_database(postgresql)
    between = proxy.Proxy(address)
    link = between.link()
    try:
        with psycopg.connect(address, autocommit=True) as direct:
            direct.execute('CREATE TABLE "jobs" (status text)')
            with psycopg.connect(link.address) as caller:
                link.trap = trap
                caller.execute('INSERT INTO "jobs" VALUES (%s)', ["status"])
                with pytest.raises(psycopg.OperationalError):
                    caller.commit()
            assert direct.execute('SELECT count(*) FROM "jobs"').fetchone() == (stands,)
            assert link.sprung == 1
    finally:
        between.close()


def test_what_is_frozen_inside_a_transaction_keeps_its_locks_until_it_is_healed(postgresql: str) -> None:
    address = databases.new_database(postgresql)
    between = proxy.Proxy(address)
    link = between.link()
    try:
        with psycopg.connect(address, autocommit=True) as direct:
            direct.execute('CREATE TABLE "jobs" AS SELECT 1 AS id')
            link.trap = proxy.FROZEN_INSIDE
            words = [
                sys.executable,
                "-c",
                "import psycopg, sys; psycopg.connect(sys.argv[1]).execute('DELETE FROM jobs')",
            ]
            with subprocess.Popen([*words, link.address]) as caller:
                while not link.sprung:
                    assert caller.poll() is None
                while not direct.execute(  # until the server has carried the DELETE out
                    "SELECT 1 FROM pg_stat_activity"
                    " WHERE datname = current_database() AND state = 'idle in transaction'"
                ).fetchone():
                    assert caller.poll() is None
                direct.execute("SET lock_timeout = 200")
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    direct.execute("UPDATE jobs SET id = 2")
                link.heal()
            direct.execute("UPDATE jobs SET id = 2")
    finally:
        between.close()


def test_the_judge_sees_every_broken_promise(jobs: Jobs, submit: Callable[..., Job]) -> None:
    kept, ghost = submit(), submit()
    photo_of(ghost.folder).unlink()
    (kept.folder / "left.part").touch()
    (jobs.settings.jobs_dir / "0123456789ab").mkdir()
    told = Told(accepted={kept.id: 3, "ba9876543210": 3}, asked={kept.name: 1}, deleted={kept.id})
    found = {(violation.kind, violation.job) for violation in judge(jobs, told, {}, False)}
    assert found == {
        ("lost", "ba9876543210"),
        ("revived", kept.id),
        ("stuck", kept.id),
        ("stuck", ghost.id),
        ("ghost", ghost.id),
        ("doubled", kept.name),
        ("left behind", kept.id),
        ("left behind", "0123456789ab"),
        ("left behind", str(kept.folder / "left.part")),
    }
