"""How a plan changes: what is told of it, how far down it goes after a kill, and for a checkpoint of another size."""

from dataclasses import replace

import pytest
from fanslymotion.pipeline.families.base import SIZE, Offload, Work
from fanslymotion.pipeline.families.forecast import forecast, peak
from fanslymotion.pipeline.families.ltx.folder import FULL
from fanslymotion.pipeline.memory.planner import (
    LIGHTER,
    _best,
    after_oom_kill,
    describe_change,
    fit_to_checkpoint,
    next_fallback,
    plan,
    same_latents,
)
from fanslymotion.pipeline.progress import Stage

from .test_planner import CLIP_720P, MINI, SVD, XT, cpu, gpu, ladder

SMALL = Work(576, 320, 36, 14, True, 72, 848 * 480)


def test_every_change_is_told_and_nothing_else() -> None:
    first = plan(gpu(80), XT, CLIP_720P)
    last = replace(plan(cpu(64), XT, CLIP_720P), chunked=True, decode_chunk=2)
    assert describe_change(first, last) == (
        "CPU instead of all on the GPU, bfloat16 instead of float16, generating at 448×256 instead of 1024×576, "
        "14 frames at once instead of 25, without guidance, forward chunking, decoding 2 frames at once instead of 25"
    )
    assert describe_change(first, replace(first, two_pass=True)) == "guidance in two passes"
    assert describe_change(first, replace(first, height=512)) == "generating at 1024×512 instead of 1024×576"
    assert describe_change(first, replace(first, width=960)) == "generating at 960×576 instead of 1024×576"
    for same in (first, last, replace(first, two_pass=True)):
        assert describe_change(same, same) == ""
    assert "guidance" not in describe_change(last, first), "what comes back is no step down"
    assert "chunking" not in describe_change(last, first)


@pytest.mark.parametrize("at", list(Stage))
@pytest.mark.parametrize("first", [_best(cpu(64), XT, CLIP_720P), _best(cpu(64), MINI, SMALL)], ids=["xt", "mini"])
def test_after_a_kill_on_a_cpu_the_first_clearly_lighter_plan_is_next(first, at) -> None:
    """Or the last one there is: a kill does not tell how much was missing."""
    where = Stage.DECODING if at is Stage.SAVING else at
    below = ladder(first, where)[1:]
    lighter = [one for one in below if peak(one, where) <= LIGHTER * peak(first, where)]
    assert after_oom_kill(first, at) == next(iter([*lighter, *below[-1:]]), None)


@pytest.mark.parametrize("at", list(Stage))
def test_after_a_kill_beside_a_gpu_the_stage_decides(at: Stage) -> None:
    """This GPU has no room for what waits in RAM, so the plan must get smaller where the process was."""
    tight = _best(gpu(4), XT, CLIP_720P)
    assert after_oom_kill(tight, at) == next_fallback(tight, at, ram=True)
    sampling, decoding = (after_oom_kill(tight, stage) for stage in (Stage.SAMPLING, Stage.DECODING))
    assert sampling is not None
    assert decoding is not None
    assert (sampling.two_pass, decoding.decode_chunk) == (True, 13)


@pytest.mark.parametrize("machine", [gpu(8), gpu(12), cpu(16)], ids=["8", "12", "cpu"])
def test_a_checkpoint_of_a_larger_size_goes_on_with_other_savings(machine) -> None:
    larger = plan(gpu(80), SVD, CLIP_720P)
    fresh = plan(machine, SVD, SMALL)
    fitted = fit_to_checkpoint(fresh, {name: getattr(larger, name) for name in SIZE})
    assert not forecast(replace(fresh, **{name: getattr(larger, name) for name in SIZE})).fits, (
        "a plan that is too large"
    )
    assert forecast(fitted).fits
    assert same_latents(fitted, larger)
    assert fitted == replace(fitted, two_pass=fresh.two_pass, chunked=fresh.chunked), (
        "only decoding had too little: sampling stays as it is"
    )


def test_a_checkpoint_too_large_for_the_machine_keeps_its_size_all_the_same() -> None:
    larger = plan(gpu(80), XT, CLIP_720P)
    fitted = fit_to_checkpoint(plan(cpu(9), XT, CLIP_720P), {name: getattr(larger, name) for name in SIZE})
    assert same_latents(fitted, larger)
    assert not forecast(fitted).fits
    assert (fitted.two_pass, fitted.chunked) == (True, True), "all that could be saved is saved"


@pytest.mark.parametrize("first", [_best(gpu(24), XT, CLIP_720P), _best(cpu(64), XT, CLIP_720P)], ids=["gpu", "cpu"])
def test_what_runs_out_while_the_file_is_saved_ran_out_for_decoding(first) -> None:
    """The last decoded frames wait there for the encoder."""
    assert next_fallback(first, Stage.SAVING) == next_fallback(first, Stage.DECODING) != next_fallback(first)


def test_a_checkpoint_that_fits_changes_nothing() -> None:
    fresh = plan(gpu(24), SVD, CLIP_720P)
    assert fit_to_checkpoint(fresh, {name: getattr(fresh, name) for name in SIZE}) == fresh


def test_numbers_that_were_asked_for_are_planned() -> None:
    """After NaN in 16-bit numbers."""
    assert plan(gpu(80), XT, CLIP_720P, "float32").dtype == "float32"


def test_a_cpu_offloads_nothing() -> None:
    below = ladder(plan(gpu(4), XT, CLIP_720P))
    assert below[0].offload is Offload.SEQUENTIAL
    assert {one.offload for one in below if one.device == "cpu"} == {Offload.NONE}


def test_a_gpu_too_small_leaves_the_cpu_its_own_plan() -> None:
    """Not what is left of the GPU's. Where the CPU has too little as well, the GPU keeps it."""
    machine = gpu(1.2)
    assert plan(machine, XT, CLIP_720P) == plan(replace(machine, device="cpu"), XT, CLIP_720P)
    assert plan(gpu(1.2, ram=4), XT, CLIP_720P).device == "cuda"


@pytest.mark.parametrize(("model", "work"), [(XT, CLIP_720P), (MINI, SMALL)], ids=["xt", "mini"])
def test_a_sampling_size_shrinks_to_half_of_the_models_own_and_no_further(model, work) -> None:
    smallest = ladder(_best(gpu(80), model, work), Stage.SAMPLING)
    area = min(one.width * one.height for one in smallest)
    floor = min(448 * 256, model.width * model.height // 2)
    assert 0.85 * floor <= area <= floor


def test_a_family_of_even_windows_decodes_and_draws_as_many_frames_as_it_has() -> None:
    """Its windows are as long as the clip allows, so that no limit for windows of one length applies."""
    ltx = replace(FULL, width=1216, height=704, frames=161)
    short, long = (Work(1216, 704, frames, 30, True, frames, 1216 * 704) for frames in (73, 289))
    assert [_best(gpu(200), ltx, work).decode_chunk for work in (short, long)] == [73, 161]
    assert [_best(cpu(900), ltx, work).window for work in (short, long)] == [161, 161]
    assert _best(cpu(64), XT, CLIP_720P).decode_chunk == _best(cpu(64), XT, CLIP_720P).window == 14


def test_without_guidance_there_are_no_two_passes() -> None:
    unguided = replace(CLIP_720P, guided=False)
    assert _best(gpu(12), XT, unguided).two_pass is False
    assert _best(gpu(12), XT, CLIP_720P).two_pass is True
    below = ladder(_best(gpu(12), XT, CLIP_720P), Stage.LOADING)[-1]
    assert (below.device, below.guided, below.two_pass) == ("cpu", False, False)


@pytest.mark.parametrize("at", [Stage.CONDITIONING, Stage.DECODING])
def test_hooks_that_only_the_denoiser_has_are_not_tried_elsewhere(at: Stage) -> None:
    tried = {one.offload for one in ladder(_best(gpu(24), XT, CLIP_720P), at) if one.device == "cuda"}
    assert tried == {Offload.NONE, Offload.MODEL}
