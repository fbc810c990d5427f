"""Return unused memory to the GPU and to the system."""

import gc

import torch

from .malloc import return_heap


def free_memory() -> None:
    """Collect garbage, empty torch's caches (video memory, page-locked memory) and return free heap pages."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        empty = getattr(torch.accelerator, "empty_host_cache", None)  # page-locked memory; not in torch 2.10
        if empty is not None:
            empty()
    return_heap()
