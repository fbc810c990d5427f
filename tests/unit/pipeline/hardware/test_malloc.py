"""glibc keeps what a step gave back, and returns it when told: counted in page faults, in a process of its own."""

import json
import os
import platform
import subprocess
import sys

import pytest
from fanslymotion.pipeline.hardware.malloc import GLIBC, keep_heap

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have other heaps")

COUNT = """
import gc, json, resource, threading
import numpy as np, psutil
from fanslymotion.pipeline.hardware.malloc import return_heap

def step():
    for _ in range(3):
        buffers = [np.ones(3_000_000) for _ in range(5)]  # 24 MB each
        del buffers
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
def job():
    step()
    told["faults"] = faults()

told = {}
thread = threading.Thread(target=job)  # as the worker does: not the main thread
thread.start()
thread.join()
process = psutil.Process()
several = [np.ones(3_000_000) for _ in range(5)]
del several
gc.collect()
told["kept"] = process.memory_info().rss
return_heap()
told["returned"] = told["kept"] - process.memory_info().rss
print(json.dumps(told))
"""
BUFFERS = 5 * 3_000_000 * 8


GROW = """
import json
import numpy as np, psutil

process, kept = psutil.Process(), []
before, most = process.memory_info().rss, 0
for number in range(20):
    large = np.ones(5_000_000 + 500_000 * number)  # 40 MB, then more and more
    most = max(most, process.memory_info().rss - before)
    kept.append(np.ones(10_000))  # lies behind what is given back: a hole
    del large
print(json.dumps({"most": most, "largest": (5_000_000 + 500_000 * 19) * 8}))
"""


def count(environ: dict[str, str], code: str = COUNT) -> dict[str, int]:
    plain = {name: value for name, value in os.environ.items() if name not in GLIBC}
    said = subprocess.run(
        [sys.executable, "-c", code],
        env=plain | environ,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=True,
    )
    return json.loads(said.stdout)


def test_a_step_finds_the_buffers_of_the_one_before() -> None:
    as_it_is, kept = count({}), count(keep_heap({}))
    assert kept["faults"] < as_it_is["faults"] / 10


def test_what_is_kept_is_given_back_when_told() -> None:
    assert count(keep_heap({}))["returned"] > BUFFERS / 2


def test_large_buffers_of_growing_sizes_leave_no_holes() -> None:
    """A real model's decoder took twice the memory that it needs, until the system killed it (bench/memory.py)."""
    grown = count(keep_heap({}), GROW)
    assert grown["most"] < 1.2 * grown["largest"]


def test_what_the_user_has_set_stays() -> None:
    assert "MALLOC_ARENA_MAX" not in keep_heap({"MALLOC_ARENA_MAX": "4"})
