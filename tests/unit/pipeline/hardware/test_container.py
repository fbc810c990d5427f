"""What control groups allow counts as the machine: version 1, version 2, nested, a real one where it can be made."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from fanslymotion.pipeline.hardware import container
from fanslymotion.pipeline.hardware.devices import machine

GIB = 2**30
V2_MOUNT = "30 23 0:26 {root} {mount} rw,nosuid - cgroup2 cgroup rw"
V1_MOUNT = "31 23 0:27 {root} {mount} rw - cgroup cgroup rw,{controller}"


class Machine:
    """A `/proc/self` and control groups in a folder."""

    def __init__(self, folder: Path) -> None:
        self.proc = folder / "proc"
        self.mount = folder / "cgroup"
        self.proc.mkdir()
        self.mount.mkdir()

    def version_2(self, path: str, root: str = "/") -> None:
        (self.proc / "cgroup").write_text(f"0::{path}\n", encoding="utf-8")
        (self.proc / "mountinfo").write_text(V2_MOUNT.format(root=root, mount=self.mount) + "\n", encoding="utf-8")

    def version_1(self, controller: str, path: str, root: str = "/") -> None:
        (self.proc / "cgroup").write_text(f"9:name=systemd:/\n4:{controller}:{path}\n0::/\n", encoding="utf-8")
        line = V1_MOUNT.format(root=root, mount=self.mount, controller=controller)
        (self.proc / "mountinfo").write_text(f"22 1 0:1 / / rw - ext4 /dev/sda rw\n{line}\n", encoding="utf-8")

    def write(self, folder: str, **files: object) -> None:
        (self.mount / folder).mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (self.mount / folder / name.replace("__", ".")).write_text(f"{text}\n", encoding="utf-8")


@pytest.fixture
def here(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_version_2(here: Machine) -> None:
    here.version_2("/user.slice/studio.scope")
    stat = f"anon 5\ninactive_file {GIB // 4}\nactive_file 7"
    here.write("user.slice/studio.scope", memory__max=GIB, memory__current=GIB // 2, memory__stat=stat)
    assert container.memory(here.proc) == container.Memory(GIB, GIB - GIB // 4, True), "dropped cache counts as free"


def test_the_tightest_of_nested_groups_counts(here: Machine) -> None:
    here.version_2("/a/b")
    here.write("a/b", memory__max="max", memory__high="max", memory__current=0)
    here.write("a", memory__max=2 * GIB, memory__high=GIB, memory__current=GIB // 2)
    assert container.memory(here.proc) == container.Memory(GIB, GIB // 2, True)


def test_version_1(here: Machine) -> None:
    here.version_1("memory", "/docker/abc")
    stat = f"cache 1\ntotal_inactive_file {GIB // 8}"
    files = {"memory__limit_in_bytes": GIB, "memory__usage_in_bytes": GIB // 2, "memory__stat": stat}
    here.write("docker/abc", **files)
    here.write("", memory__limit_in_bytes=9223372036854771712, memory__usage_in_bytes=9 * GIB)
    assert container.memory(here.proc) == container.Memory(GIB, GIB - GIB // 2 + GIB // 8, True)


def test_a_container_that_sees_only_its_own_part_of_the_hierarchy(here: Machine) -> None:
    here.version_1("memory", "/docker/abc", root="/docker/abc")
    here.write("", memory__limit_in_bytes=GIB, memory__usage_in_bytes=0)
    assert container.memory(here.proc).total == GIB


def test_without_limits_the_machine_counts(here: Machine, tmp_path: Path) -> None:
    total = psutil.virtual_memory().total
    here.version_2("/a")
    here.write("a", memory__max="max", memory__current=5)
    for proc in (here.proc, tmp_path / "no-such-folder"):
        found = container.memory(proc)
        assert (found.total, found.limited) == (total, False)
    here.write("a", memory__max=2 * total, memory__current=5)
    assert not container.memory(here.proc).limited, "a limit above what is there limits nothing"


def test_processor_quota(here: Machine) -> None:
    here.version_2("/a/b")
    here.write("a/b", cpu__max="max 100000")
    unlimited = container.cpus(here.proc)
    here.write("a", cpu__max="50000 100000")
    assert container.cpus(here.proc) == 1
    assert unlimited == container.cpus(Path("/no-such-folder"))
    here.version_1("cpu", "/a")
    here.write("a", cpu__cfs_quota_us=150000, cpu__cfs_period_us=100000)
    assert container.cpus(here.proc) == min(2, unlimited)
    here.write("a", cpu__cfs_quota_us=-1, cpu__cfs_period_us=100000)
    assert container.cpus(here.proc) == unlimited


def test_threads_follow_the_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("control groups are Linux's")
    monkeypatch.setattr(container.os, "sched_getaffinity", lambda pid: set(range(8)))
    monkeypatch.setattr(container, "cpus", lambda: 3)
    assert container.thread_limit({}) == {"OMP_NUM_THREADS": "3"}
    assert container.thread_limit({"OMP_NUM_THREADS": "5"}) == {}, "a wish of the user's stands"
    monkeypatch.setattr(container, "cpus", lambda: 8)
    assert container.thread_limit({}) == {}


def test_a_real_control_group() -> None:
    """The plan of a process that is in one; skipped where none can be made (no root, read-only)."""
    old, new = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    mount, limit = (old, "memory.limit_in_bytes") if old.is_dir() else (new, "memory.max")
    group = mount / f"fanslymotion-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / limit).write_text(str(GIB), encoding="utf-8")
    except OSError as e:
        pytest.skip(f"no control group can be made here: {e}")
    code = (
        "import os, sys; open(sys.argv[1], 'w').write(str(os.getpid()))\n"
        "from fanslymotion.pipeline.hardware.devices import machine\n"
        "found = machine(); print(found.ram_total, found.ram_free)"
    )
    try:
        words = [sys.executable, "-c", code, str(group / "cgroup.procs")]
        done = subprocess.run(words, capture_output=True, encoding="utf-8", errors="replace", check=True)
    finally:
        group.rmdir()
    total, free = map(int, done.stdout.split())
    assert total == GIB
    assert 0 < free < GIB
    assert machine().ram_total == psutil.virtual_memory().total or container.memory().limited
