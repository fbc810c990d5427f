"""Which of several workers a job is for: a table of cases, and laws for any mixture of workers."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.hardware.units import GIB
from fanslymotion.pipeline.memory.request_plan import plan_request
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets import Presets
from fanslymotion.queue.abilities import Abilities
from fanslymotion.queue.liveness.host import MACHINE
from fanslymotion.queue.suitability import Judge, Suits, cached_vram, machine_for, ready
from fanslymotion.queue.types import WorkerInfo
from fanslymotion.settings import Settings
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

PHOTO = (1600, 900)
MINI, SVD = VideoRequest(model="mini"), VideoRequest(model="svd-xt", resolution="720p")

CPU = Machine(ram_total=64 * GIB, ram_free=48 * GIB, cores=16, host="h")
SMALL_CPU = replace(CPU, ram_total=2 * GIB, ram_free=GIB)
GPU = replace(CPU, device="cuda", name="card", vram_total=24 * GIB, vram_free=23 * GIB, gpu_speed=20.0)
SMALL_GPU = replace(GPU, name="small card", vram_total=6 * GIB, vram_free=3 * GIB)
BOTH = frozenset({"mini", "svd-xt"})


def worker(
    name: str,
    machine: Machine,
    models: frozenset[str] = BOTH,
    refused: str = "",
    on: str = MACHINE,
    state: str = "idle",
) -> WorkerInfo:
    told = Abilities(machine, models, frozenset(filter(None, [refused])))
    return WorkerInfo(
        name, "h", 1, state, True, 0.0, 0.0, "", "", "", "", 0, gpu=machine.name, machine=on, abilities=told
    )


BIG, LITTLE, SLOW = worker("big", GPU), worker("little", SMALL_GPU), worker("slow", CPU)
TIGHT, BARE, ELSEWHERE = worker("tight", SMALL_CPU), worker("bare", GPU, frozenset()), worker("far", GPU, on="other")


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    from fanslymotion.presets import load_presets

    folder = tmp_path_factory.mktemp("suits")
    settings = Settings.local(folder, folder / "models")
    return Judge(settings, load_presets(settings))


@pytest.mark.parametrize(
    ("request_", "workers", "best", "suits"),
    [
        (SVD, [BIG], "big", Suits.FULLY),
        (SVD, [SLOW, BIG], "big", Suits.FULLY),
        (MINI, [SLOW, BIG], "big", Suits.FULLY),
        (MINI, [SLOW, replace(BIG, id="busy", state="running")], "busy", Suits.FULLY),
        (SVD, [SLOW, BARE], "slow", Suits.ON_CPU),
        (SVD, [SLOW, TIGHT], "slow", Suits.ON_CPU),
        (SVD, [LITTLE, BIG], "big", Suits.FULLY),
        (MINI, [LITTLE, BIG], "little big", Suits.FULLY),
        (SVD, [BIG, replace(BIG, id="twin")], "big twin", Suits.FULLY),
        (SVD, [BIG, ELSEWHERE], "big far", Suits.FULLY),
        (SVD, [worker("refuses", GPU, refused="j"), SLOW], "slow", Suits.ON_CPU),
        (SVD, [BARE, worker("bare too", CPU, frozenset({"mini"}))], "bare bare too", Suits.NO_MODEL),
        (SVD, [TIGHT, BARE], "tight", Suits.TOO_SMALL),
        (replace(SVD, upscaler="realesrgan-x2plus"), [BIG, BARE], "big bare", Suits.NO_MODEL),
        (VideoRequest(model="/no/such/folder"), [BIG, SLOW], "big slow", Suits.NO_MODEL),
        (VideoRequest(model="/no/such/folder"), [BIG, ELSEWHERE], "far", Suits.TOO_SMALL),
    ],
)
def test_whose_job_it_is(
    judge: Judge, request_: VideoRequest, workers: list[WorkerInfo], best: str, suits: Suits
) -> None:
    found, those = judge.best(workers, "j", request_, PHOTO)
    assert (" ".join(one.id for one in those), found) == (best, suits)


anyone = st.builds(
    worker,
    st.text("abc", min_size=1, max_size=2),
    st.sampled_from([CPU, SMALL_CPU, GPU, SMALL_GPU]),
    st.sampled_from([frozenset(), frozenset({"mini"}), BOTH]),
    st.sampled_from(["", "j"]),
    st.sampled_from([MACHINE, "other"]),
)


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(workers=st.lists(anyone, min_size=1, max_size=4), request_=st.sampled_from([MINI, SVD]))
def test_laws_of_any_mixture(judge: Judge, workers: Sequence[WorkerInfo], request_: VideoRequest) -> None:
    found, those = judge.best(workers, "j", request_, PHOTO)
    assert those, "somebody takes it"
    told = [one.abilities for one in workers if one.abilities]
    able = [one for one in told if request_.model in one.models and "j" not in one.refused]
    assert (found is Suits.NO_MODEL) is (not able)
    for one in those:
        assert found is Suits.NO_MODEL or one.abilities in able
    if any(one.machine == GPU for one in able):  # a large GPU can do both
        assert all(one.abilities and one.abilities.machine.device == "cuda" for one in those), "it is not the CPU's"
    assert judge.best(list(reversed(workers)), "j", request_, PHOTO)[0] is found, "whoever asks gets the same answer"


def test_abilities_survive_their_column() -> None:
    told = Abilities(GPU, BOTH, frozenset({"j"}))
    assert Abilities.read(told.write()) == told
    newer = told.write().replace('"device"', '"colour": "red", "device"')
    assert Abilities.read(newer) == told, "a newer version's machine has more to tell"
    for damaged in ("", "{", "[]", '{"machine": {}}', '{"machine": 1, "models": [], "refused": []}'):
        assert Abilities.read(damaged) is None


def test_the_form_plans_for_the_worker_that_will_do_the_job(settings: Settings, presets: Presets) -> None:
    def planned(*workers: WorkerInfo) -> Machine | None:
        return machine_for(list(workers), SVD, PHOTO, settings, presets)

    assert planned() is planned(BIG) is None, "this process sees its only worker's machine itself"
    assert planned(ELSEWHERE) == planned(SLOW, BIG) == planned(LITTLE, BIG) == GPU
    assert planned(SLOW, BARE) == CPU
    assert planned(SLOW, replace(BIG, state="starting")) is None
    machine = planned(SLOW, BIG)
    plan = plan_request(SVD, PHOTO, _model(settings, presets), presets, settings, machine=machine)
    assert (plan.device, plan.machine.name) == ("cuda", "card")


def _model(settings: Settings, presets: Presets):
    from fanslymotion.models.find import find_model

    return find_model(SVD.model, presets, settings)


def test_video_memory_of_a_living_worker_is_known() -> None:
    warm = replace(BIG, vram=5 << 30)
    assert cached_vram([]) == cached_vram([SLOW]) == 0
    assert cached_vram([warm, SLOW]) == 5 << 30
    assert cached_vram([replace(warm, alive=False)]) == cached_vram([replace(warm, machine="other")]) == 0


def test_who_has_not_told_yet_is_not_counted() -> None:
    assert ready([BIG, replace(SLOW, alive=False), replace(SLOW, abilities=None), replace(SLOW, state="starting")]) == [
        BIG
    ]
