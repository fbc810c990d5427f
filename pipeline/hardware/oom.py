"""Recognise out-of-memory in errors of torch, its libraries and the system. Without torch."""

import re
import sys
from collections.abc import Iterator

# torch has a class for the allocator's own OOM only; drivers and libraries speak through plain RuntimeErrors
# (accelerate's detector misses these; so do others: huggingface/accelerate `should_reduce_batch_size`).
MESSAGES = (
    "out of memory",
    "cublas_status_alloc_failed",
    "cublas_status_not_initialized",  # what cuBLAS says when its handle finds no memory
    "cudnn_status_alloc_failed",
    "cudnn_status_not_initialized",
    "unable to find an engine to execute this computation",  # what cuDNN says when no engine's work space fits
    "hipblas_status_alloc_failed",
)
RAM_MESSAGES = (
    "cudnn_status_internal_error_host_allocation_failed",
    "defaultcpuallocator: can't allocate memory",
    "defaultcpuallocator: not enough memory",  # Windows
    "unable to allocate",  # numpy
    "cannot allocate memory",  # ENOMEM: mmap of a weights file, a new thread
    "not enough memory resources are available",  # WinError 8
    "the paging file is too small",  # WinError 1455
)

ENOMEM = 12
WIN_CODES = (8, 14, 1455)  # not enough memory, out of memory, the paging file is too small
# safetensors and other Rust libraries put the system's words, in its language, before the number.
OS_ERROR = re.compile(r"\(os error (?:8|14|1455)\)" if sys.platform == "win32" else r"\(os error (?:12|1455)\)")


def is_oom(error: BaseException) -> bool:
    """Tell whether an error, or one of its causes, means that memory ran out, on the GPU or in RAM."""
    return any(_is_gpus(e) or _is_rams(e) for e in _chain(error))


def is_ram(error: BaseException) -> bool:
    """Tell whether RAM ran out, not the GPU's memory."""
    return any(_is_rams(e) for e in _chain(error))


def _is_gpus(error: BaseException) -> bool:
    if type(error).__name__ in ("OutOfMemoryError", "AcceleratorOutOfMemoryError"):
        return True
    return isinstance(error, (RuntimeError, OSError, ValueError)) and _says(error, MESSAGES)


def _is_rams(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError) and (error.errno == ENOMEM or getattr(error, "winerror", None) in WIN_CODES):
        return True
    if type(error).__name__ != "SafetensorError" and not isinstance(error, (RuntimeError, OSError, ValueError)):
        return False
    return OS_ERROR.search(str(error).lower()) is not None or _says(error, RAM_MESSAGES)


def _says(error: BaseException, messages: tuple[str, ...]) -> bool:
    text = str(error).lower()
    return any(message in text for message in messages)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        if error.__cause__ is None and (error.__suppress_context__ or error.__context__ is None):
            return
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
