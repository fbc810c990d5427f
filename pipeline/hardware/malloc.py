"""Configure memory allocation of computing processes: reuse freed memory between steps, return it at the end.

Each step allocates the same few hundred buffers. glibc by default returns them to the system and maps them again page
by page, which takes a third of a CPU's time (`bench/RESULTS.md`, "Memory kept between steps"). Other systems ignore
these settings.
"""

import ctypes
import gc
import os
import sys
from collections.abc import Mapping
from typing import Any

from .torch_build import torch_build

GLIBC = {
    "MALLOC_ARENA_MAX": "1",  # a thread's own arena cannot hold large buffers, and the job's thread is not the main one
    "MALLOC_MMAP_THRESHOLD_": "33554432",  # bytes; larger buffers are mapped, for they would tear holes into the heap
    "MALLOC_TRIM_THRESHOLD_": "2000000000",  # bytes; the setting is a C int
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",  # asks for transparent huge pages
}


def keep_heap(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return environment variables for glibc in a computing process. The user's own values win."""
    if not sys.platform.startswith("linux"):
        return {}
    return {name: value for name, value in GLIBC.items() if name not in environ}


def grow_segments(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return environment variables for torch's CUDA allocator, on Linux. The user's own values win.

    Expandable segments avoid gaps between allocations: without them an H100 reserved 16 GiB for 10 GiB in use while
    decoding (bench/RESULTS.md).
    """
    if not sys.platform.startswith("linux") or torch_build().cuda is None:
        return {}
    names = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")  # the second is the older one
    return {} if any(name in environ for name in names) else {names[0]: "expandable_segments:True"}


def free_memory() -> None:
    """Collect garbage, empty torch's caches (video memory, page-locked memory) and return free heap pages."""
    gc.collect()
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
        empty = getattr(torch.accelerator, "empty_host_cache", None)  # page-locked memory; not in torch 2.10
        if empty is not None:
            empty()
    return_heap()


def return_heap() -> None:
    """Return free heap pages to the system; glibc would keep them."""
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # not in musl
        if trim is not None:
            trim(0)
