"""Every way in which memory says that it ran out, and what is remembered of it."""

import errno

import pytest
import torch
from fanslymotion.errors import RenderError
from fanslymotion.pipeline.families.base import MemoryPlan, Work
from fanslymotion.pipeline.families.svd.cost import forecast
from fanslymotion.pipeline.families.svd.model_size import FULL
from fanslymotion.pipeline.hardware.machine import Machine, speed_key
from fanslymotion.pipeline.hardware.measurements import Measurements
from fanslymotion.pipeline.hardware.oom import is_oom, is_ram
from fanslymotion.pipeline.hardware.units import GIB
from fanslymotion.pipeline.memory.history import PlanHistory
from fanslymotion.pipeline.memory.planner import _best, next_fallback, plan
from fanslymotion.pipeline.progress import Stage
from fanslymotion.settings import Settings
from safetensors import SafetensorError


def wrapped(cause: BaseException) -> BaseException:
    try:
        raise RenderError("decoding failed") from cause
    except RenderError as e:
        return e


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("GET was unable to find an engine to execute this computation"),
        RuntimeError("FIND was unable to find an engine to execute this computation"),
        RuntimeError("CUDA error: HIPBLAS_STATUS_ALLOC_FAILED when calling `hipblasCreate(handle)`"),
        wrapped(torch.OutOfMemoryError("HIP out of memory")),
    ],
)
def test_video_memory_that_ran_out_is_known(error):
    assert is_oom(error)
    assert not is_ram(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you tried to"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 4294967296 bytes."),
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        OSError("Файл подкачки слишком мал для завершения операции. (os error 1455)"),
        RuntimeError("Файл подкачки слишком мал для завершения операции. (os error 1455)"),
        SafetensorError("Error while deserializing: I/O error: Файл подкачки слишком мал. (os error 1455)"),
        wrapped(MemoryError()),
    ],
)
def test_the_machines_memory_that_ran_out_is_known(error):
    assert is_oom(error)
    assert is_ram(error)


def test_torch_really_speaks_like_that():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**46, dtype=torch.float32)
    assert is_ram(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("Input type (c10::Half) and bias type (float) should be the same"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        OSError(errno.ENOSPC, "No space left on device"),
        SafetensorError("Error while deserializing header: header too large"),
        RuntimeError("I/O error: No space left on device (os error 28)"),
        ValueError("height must be divisible by 8"),
        KeyError("out of memory"),
        KeyboardInterrupt(),
    ],
)
def test_other_errors_are_not_taken_for_it(error):
    assert not is_oom(error)


def clumsy_clean_up():
    try:
        raise torch.OutOfMemoryError("CUDA out of memory")
    except RuntimeError:
        raise ValueError("while cleaning up")  # noqa: B904 - the context is what is tested


def test_an_error_while_handling_another_is_judged_with_it():
    with pytest.raises(ValueError, match="cleaning up") as caught:
        clumsy_clean_up()
    assert is_oom(caught.value)


WORK = Work(1024, 576, 36, 25, True)


@pytest.fixture
def memory(tmp_path) -> PlanHistory:
    return PlanHistory(Settings(tmp_path, tmp_path / "models", ""))


@pytest.fixture
def measured(tmp_path) -> Measurements:
    return Measurements(tmp_path)


def card(free: float) -> Machine:
    return Machine("cuda", "card", 24 * GIB, int(free * GIB), 32 * GIB, 24 * GIB, gpu_speed=20)


def short(first: MemoryPlan) -> dict[str, int]:
    """All that was free when the job began, and it ran out."""
    return {"vram_free": first.machine.vram_free}


def test_what_worked_is_taken_next_time(memory):
    first = plan(card(20), FULL, WORK)
    worked = next_fallback(next_fallback(first, Stage.SAMPLING), Stage.LOADING)
    memory.remember(first, worked, "svd-xt", short(first))
    assert memory.recall(first, "svd-xt").settings == worked.settings
    assert memory.recall(first, "svd").settings == first.settings


def test_the_full_plan_is_tried_again_with_more_free_memory(memory):
    first = plan(card(12), FULL, WORK)
    memory.remember(first, next_fallback(first, Stage.LOADING), "svd-xt", short(first))
    again = plan(card(22), FULL, WORK)
    assert memory.recall(again, "svd-xt").settings == again.settings


def test_a_remembered_plan_never_lifts_one_that_starts_lower(memory):
    first = plan(card(20), FULL, WORK)
    memory.remember(first, next_fallback(first, Stage.SAMPLING), "svd-xt", short(first))
    low = plan(card(4), FULL, WORK)
    assert forecast(memory.recall(low, "svd-xt")).need <= forecast(low).need


def test_a_step_below_what_was_remembered_is_remembered_too(memory):
    first = plan(card(20), FULL, WORK)
    worked = first
    while worked.device != "cpu":
        worked = next_fallback(worked, Stage.SAMPLING)
    memory.remember(first, worked, "svd-xt", short(first))
    again = memory.recall(first, "svd-xt")
    memory.remember(again, next_fallback(again, Stage.DECODING), "svd-xt", short(first))
    assert memory.recall(first, "svd-xt").decode_chunk < worked.decode_chunk


def test_nothing_is_stored_when_the_first_plan_did_it(memory, measured):
    first = plan(card(20), FULL, WORK)
    memory.remember(first, first, "svd-xt", short(first))
    assert not measured.path.exists()


def test_measured_speed_corrects_the_estimate(memory, measured):
    first = _best(card(24), FULL, WORK)
    expected = forecast(first).stage_seconds[Stage.SAMPLING]
    memory.record_speed(first, expected * 2)
    assert measured.read().speeds[speed_key("cuda", "card", True)] == pytest.approx(10)


def test_a_card_that_fails_at_16_bits_computes_in_32_from_then_on(memory):
    first = plan(card(20), FULL, WORK)
    wide = plan(card(20), FULL, WORK, "float32")
    assert (first.dtype, wide.dtype, forecast(wide).fits) == ("float16", "float32", True)
    memory.remember(first, next_fallback(first, Stage.LOADING), "svd-xt", short(first))
    memory.remember_float32(wide, "svd-xt")
    assert memory.recall(first, "svd-xt").settings == wide.settings
    assert memory.recall(first, "svd").settings == first.settings, "another model may be well"
    memory.remember(wide, next_fallback(wide, Stage.SAMPLING), "svd-xt", short(wide))
    assert memory.recall(first, "svd-xt").two_pass
