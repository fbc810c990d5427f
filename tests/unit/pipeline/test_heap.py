"""glibc keeps what a step gave back, and returns it when told: counted in page faults, in a process of its own."""

import json
import os
import platform
import subprocess
import sys

import pytest
from fanslymotion.pipeline.heap import GLIBC, keep_heap

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have other heaps")

COUNT = """
import gc, json, resource, threading
import numpy as np, psutil
from fanslymotion.pipeline.heap import return_heap

def step():
    for _ in range(20):
        np.ones(5_000_000)  # 40 MB
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
several = [np.ones(5_000_000) for _ in range(10)]
del several
gc.collect()
told["kept"] = process.memory_info().rss
return_heap()
told["returned"] = told["kept"] - process.memory_info().rss
print(json.dumps(told))
"""
BUFFERS = 10 * 5_000_000 * 8


def count(environ: dict[str, str]) -> dict[str, int]:
    plain = {name: value for name, value in os.environ.items() if name not in GLIBC}
    said = subprocess.run(
        [sys.executable, "-c", COUNT], env=plain | environ, capture_output=True, text=True, check=True
    )
    return json.loads(said.stdout)


def test_a_step_finds_the_buffers_of_the_one_before() -> None:
    as_it_is, kept = count({}), count(keep_heap({}))
    assert kept["faults"] < as_it_is["faults"] / 10


def test_what_is_kept_is_given_back_when_told() -> None:
    assert count(keep_heap({}))["returned"] > BUFFERS / 2


def test_what_the_user_has_set_stays() -> None:
    assert "MALLOC_ARENA_MAX" not in keep_heap({"MALLOC_ARENA_MAX": "4"})
