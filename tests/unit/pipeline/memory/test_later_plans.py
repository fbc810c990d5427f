"""What a later job, a later attempt or a retry takes over from a plan that ran out of memory."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fanslymotion.errors import RenderError
from fanslymotion.models.find import find_model
from fanslymotion.pipeline.checkpoint import Checkpoints, keep_note, newest_note
from fanslymotion.pipeline.families.base import SIZE, Offload
from fanslymotion.pipeline.hardware.units import GIB
from fanslymotion.pipeline.memory import fallback, planner
from fanslymotion.pipeline.memory.history import PlanHistory
from fanslymotion.pipeline.model_cache import ModelCache
from fanslymotion.pipeline.progress import Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.pipeline.sampling.windowed import SamplingState
from fanslymotion.presets import Presets
from fanslymotion.settings import Settings

from .exhausted import CPU, GPU, check, failing, learned


def test_what_worked_is_remembered(run: Callable, guided, monkeypatch, tmp_path) -> None:
    with failing(monkeypatch, "step", 2):
        run(guided, model_cache=ModelCache(), machine=CPU)
    measures: dict[str, Any] = {}
    later = run(guided, model_cache=ModelCache(), machine=CPU, measures=measures, work=tmp_path / "later")
    assert measures["plan"].two_pass
    assert measures["plan"].chunked
    assert not [w for w in later.warnings if "Out of memory" in w]


def test_memory_that_another_program_took_for_a_while_is_asked_for_again(
    run: Callable, guided, pretend_gpu, monkeypatch, tmp_path
) -> None:
    """A game is opened in the middle of a job and closed after it."""
    now = [GPU]
    monkeypatch.setattr(fallback.devices, "machine", lambda *_, **__: now[0])
    real = fallback.MemoryFallback.step_down

    def while_the_game_runs(self: Any, *args: Any) -> bool:
        now[0] = replace(GPU, vram_free=2 * GIB)
        return real(self, *args)

    monkeypatch.setattr(fallback.MemoryFallback, "step_down", while_the_game_runs)
    with failing(monkeypatch, "step", 3):
        run(guided, model_cache=ModelCache())
    measures: dict[str, Any] = {}
    run(guided, model_cache=ModelCache(), measures=measures, work=tmp_path / "beside the game")
    assert measures["plan"].offload is Offload.MODEL
    now[0] = GPU
    run(guided, model_cache=ModelCache(), measures=measures, work=tmp_path / "after it")
    assert (measures["plan"].offload, measures["plan"].two_pass) == (Offload.NONE, False)


class Stop(BaseException):
    """The process dies."""


def stop_in_window(number: int) -> Callable[[Any], None]:
    def stop(moment: Any) -> None:
        if moment.window == number:
            raise Stop

    return stop


def test_a_job_taken_up_again_keeps_its_size(run: Callable, guided, settings, monkeypatch) -> None:
    """Less memory was free when it began: its checkpoint must fit now that there is more."""
    longer = replace(guided, seconds=2)  # three windows
    with failing(monkeypatch, "step", 4), pytest.raises(Stop):
        run(longer, model_cache=ModelCache(), machine=CPU, progress=stop_in_window(2))
    measures: dict[str, Any] = {}
    run(longer, model_cache=ModelCache(), machine=CPU, measures=measures)
    assert measures["resumed"] is not None
    plan = measures["plan"]
    assert plan.width < 56
    assert (plan.dtype, plan.chunked) == ("float32", False), "only the size is the checkpoint's"
    assert not learned(settings), "nothing ran out in this attempt"


def test_a_failed_jobs_plan_is_not_taken_without_a_checkpoint(run: Callable, guided, settings, tmp_path) -> None:
    """It failed with 1 GB free; the retry, with 60 GB free, is drawn as if nothing had been."""
    kept = {"device": "cuda", "dtype": "float16", "offload": "sequential", "width": 64, "height": 40, "window": 7}
    kept |= {"guided": False, "two_pass": True, "chunked": True, "decode_chunk": 1}
    keep_note(tmp_path / "work", kept, SIZE)
    measures: dict[str, Any] = {}
    check(run(guided, model_cache=ModelCache(), machine=CPU, measures=measures))
    plan = measures["plan"]
    assert (plan.device, plan.width, plan.guided, plan.decode_chunk) == ("cpu", 56, True, 6)
    assert not learned(settings)


def test_what_a_kill_ended_is_not_tried_again(run: Callable, guided, tmp_path, caplog) -> None:
    """The kernel's OOM killer leaves no exception behind, only the plan that was tried (T3 on a CPU)."""
    drawn = []
    for window in (1, 1, 9):
        measures: dict[str, Any] = {}
        killed = Stage.SAMPLING if drawn else None
        with suppress(Stop):
            run(
                guided,
                model_cache=ModelCache(),
                machine=CPU,
                killed=killed,
                measures=measures,
                progress=stop_in_window(window),
            )
        drawn.append(newest_note(tmp_path / "work").values)
    assert drawn[1] != drawn[0]
    assert (drawn[1]["two_pass"], drawn[1]["chunked"]) == (True, True)
    assert "The system ended the worker while generating: memory ran out. Going on with:" in caplog.text
    assert "it is tried again unchanged" in caplog.text, "there is no cheaper plan"
    after: dict[str, Any] = {}
    run(replace(guided, seed=5), model_cache=ModelCache(), machine=CPU, measures=after, work=tmp_path / "later")
    assert after["plan"].two_pass, "the next job has learned from it"


def test_each_plan_is_recorded_beside_the_latents_that_fit_it(
    guided: VideoRequest, settings: Settings, presets: Presets, tmp_path: Path
) -> None:
    """Guided latents are gone on with on the CPU, without guidance; of another size they are of no use."""
    work = tmp_path / "work"
    ladder = fallback.MemoryFallback(
        guided, (320, 180), find_model("guided", presets, settings), presets, settings, work, GPU
    )
    assert newest_note(work) == (ladder.plan.note, False)
    dropped = 0
    while ladder.plan.device != "cpu":
        state = SamplingState({"x": torch.zeros(1)}, torch.zeros(1, dtype=torch.uint8), torch.float32)
        Checkpoints(work, "key", lambda: ladder.plan.note).now(state)
        kept = ladder.step_down(Stage.SAMPLING, "CUDA out of memory")
        assert newest_note(work) == (ladder.plan.note, kept)
        dropped += not kept
    assert dropped
    assert kept


def test_two_memories_that_run_out_in_turn_do_not_send_a_job_to_and_fro(
    guided: VideoRequest, presets: Presets, settings: Settings, tmp_path: Path
) -> None:
    """On the card there is no room for all of the model, and in RAM none for what waits, whatever the forecasts say."""
    folder = find_model("guided", presets, settings)
    job = fallback.MemoryFallback(guided, (64, 48), folder, presets, settings, tmp_path, GPU)
    tried = [job.plan.settings]

    def run_out() -> None:
        job.step_down(Stage.SAMPLING, "no room", ram=job.plan.offload is not Offload.NONE or job.plan.device == "cpu")
        assert job.plan.settings not in tried
        tried.append(job.plan.settings)
        run_out()

    with pytest.raises(RenderError, match="memory is too small"):
        run_out()
    assert any(plan["width"] < tried[0]["width"] for plan in tried), "a smaller size is tried, too"


def test_a_card_with_no_room_for_32_bits_is_remembered_as_one_that_gives_nan(
    guided: VideoRequest, presets: Presets, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job goes on on the processor. The next one begins there, and not with NaN again."""

    def on_the_processor(machine: Any, *given: Any) -> Any:
        return planner.plan(replace(machine, device="cpu"), *given)

    monkeypatch.setattr(fallback, "plan", on_the_processor)
    folder = find_model("guided", presets, settings)
    job = fallback.MemoryFallback(guided, (64, 48), folder, presets, settings, tmp_path, GPU)
    first = job.plan
    job.use_float32(Stage.SAMPLING)
    assert (first.dtype, job.plan.device) == ("float16", "cpu")
    job.done(1.0, 1.0)
    assert PlanHistory(settings).recall(first, "guided").dtype == "float32"


@pytest.mark.parametrize(
    ("size", "guided_now", "said"),
    [
        ((48, 40), False, "To fit this machine the video is generated without guidance."),
        ((40, 32), True, "generated at 40×32 instead of 48×40; the finished size stays"),
        ((40, 32), False, "without guidance and at 40×32 instead of 48×40"),
    ],
)
def test_what_a_job_goes_on_with_is_said(
    guided: VideoRequest, presets: Presets, settings: Settings, tmp_path: Path,
    size: tuple[int, int], guided_now: bool, said: str,
) -> None:  # fmt: skip
    """Only what is not as wished: of a job that was sampled on the card and goes on without guidance the size is."""
    folder = find_model("guided", presets, settings)
    job = fallback.MemoryFallback(guided, (64, 48), folder, presets, settings, tmp_path, GPU)
    assert (job.plan.width, job.plan.height) == (48, 40)
    kept = replace(job.plan, width=size[0], height=size[1], guided=guided_now)
    state = SamplingState({"image": torch.zeros(1)}, torch.Generator().get_state(), torch.float32)
    Checkpoints(tmp_path, "key", lambda: kept.note).now(state)
    later = fallback.MemoryFallback(guided, (64, 48), folder, presets, settings, tmp_path, GPU)
    assert len(later.warnings) == 1
    assert said in later.warnings[0]
