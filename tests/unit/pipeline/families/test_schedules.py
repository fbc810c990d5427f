"""A family says which spacings of noise levels and which solvers its models follow; others are refused before a job."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import pytest
from fanslymotion.errors import ModelError
from fanslymotion.models.find import require_model
from fanslymotion.models.registry import look
from fanslymotion.models.use import use_model
from fanslymotion.pipeline.families import check_model, families, family
from fanslymotion.pipeline.families.base import ModelFolder
from fanslymotion.pipeline.model_cache import ModelCache
from fanslymotion.presets import Presets, load_presets
from fanslymotion.presets.options import ScheduleName, SolverName
from fanslymotion.presets.schema import Mode, Sampling
from fanslymotion.settings import Settings
from pydantic import ValidationError


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Builds a family's random model, once."""
    folders = tmp_path_factory.mktemp("families")

    def call(name: str) -> Path:
        made = folders / name
        if not made.exists():
            import_module(f"fanslymotion.pipeline.families.{name}.random_model").build(made)
        return made

    return call


def everything() -> list[dict[str, Any]]:
    """Return each spacing with each solver, where a preset may have both."""
    found = []
    for schedule in get_args(ScheduleName):
        for solver in get_args(SolverName):
            told = {"schedule": schedule, "solver": solver, "sigmas": (0.9, 0.5) if schedule == "fixed" else ()}
            try:
                Sampling.model_validate(told)
            except ValidationError:
                continue
            found.append(told)
    return found


def model(name: str, request: pytest.FixtureRequest, **changes: Any) -> ModelFolder:
    folder = request.getfixturevalue("build")(name)
    return ModelFolder(family(name).folder_preset(folder).model_copy(update=changes), folder)


def refusal(asked: ModelFolder) -> str:
    try:
        check_model(asked.folder, asked.preset)
    except ModelError as e:
        return str(e)
    return ""


@pytest.mark.parametrize("name", families())
def test_what_is_not_refused_is_followed(name: str, request: pytest.FixtureRequest) -> None:
    """The levels that a model gives differ from spacing to spacing, and the solver is the preset's."""
    whole = model(name, request)
    loaded = ModelCache().get(whole)
    levels: dict[str, list[float]] = {}
    followed = 0
    for told in everything():
        preset = whole.preset.model_copy(update={"sampling": Sampling.model_validate(told)})
        if why := refusal(replace(whole, preset=preset)):
            assert why.startswith((f"{preset.name}: sampling.schedule is", f"{preset.name}: sampling.solver is"))
            continue
        followed += 1
        asked: Any = replace(loaded, model=replace(whole, preset=preset))  # type: ignore[type-var]
        found = asked.schedule(2, told["schedule"], 3, 64, 32)
        assert found.solver == told["solver"], told
        levels.setdefault(told["schedule"], found.sigmas.tolist())
    assert followed
    assert len({tuple(one) for one in levels.values()}) == len(levels), "each spacing has levels of its own"


@pytest.mark.parametrize(
    ("name", "sampling", "says"),
    [
        ("ltx", {"schedule": "flow", "solver": "unipc"}, "sampling.solver is 'unipc'; choose one of euler"),
        ("ltx", {"schedule": "karras"}, "sampling.schedule is 'karras'; choose one of fixed,"),
        ("wan", {"schedule": "dynamic"}, "sampling.schedule is 'dynamic'; choose one of flow, fixed"),
        ("wan_a14b", {"schedule": "ays"}, "sampling.schedule is 'ays'; choose one of flow, fixed"),
        ("svd", {"schedule": "flow", "solver": "unipc"}, "sampling.schedule is 'flow'; choose one of karras, ays"),
        ("svd", {"schedule": "fixed", "sigmas": (700.0, 50.0)}, "sampling.schedule is 'fixed'; choose one of karras"),
        ("svd", {"schedule": "fixed", "sigmas": (9.0,), "solver": "lcm"}, "sampling.schedule is 'fixed'"),
    ],
)
def test_sampling_of_another_family_is_refused(
    name: str, sampling: dict[str, Any], says: str, request: pytest.FixtureRequest
) -> None:
    """However the model is reached: by the job that loads it, too."""
    asked = model(name, request, sampling=Sampling.model_validate(sampling))
    assert says in refusal(asked)
    with pytest.raises(ModelError, match=r"sampling\.(schedule|solver)"):
        ModelCache().get(asked)


def test_a_mode_with_levels_of_another_family_is_refused(request: pytest.FixtureRequest) -> None:
    modes = {"fast": Mode(steps=4, schedule="ays")}
    assert "modes.fast.schedule is 'ays'; choose one of flow, fixed" in refusal(model("wan", request, modes=modes))
    assert not refusal(model("svd", request, modes=modes))


def test_a_users_preset_is_listed_with_what_is_wrong(settings: Settings, tiny_ltx: Path) -> None:
    (settings.presets_dir / "models").mkdir(parents=True, exist_ok=True)
    (settings.presets_dir / "models" / "mine.toml").write_text(
        f'label = "mine"\nfamily = "ltx"\nsource = "folder"\nfolder = {json.dumps(str(tiny_ltx))}\n'
        'width = 64\nheight = 32\nframes = 17\n[sampling]\nschedule = "flow"\nsolver = "unipc"\n',
        encoding="utf-8",
    )
    presets = load_presets(settings)
    entry = look("mine", presets, settings)
    assert (entry.ready, "sampling.solver is 'unipc'" in str(entry.problem)) == (False, True)
    with pytest.raises(ModelError, match=r"sampling\.solver is 'unipc'"):
        require_model("mine", presets, settings)


def test_a_folder_with_sampling_that_would_not_be_followed_is_not_added(
    settings: Settings, presets: Presets, tiny_ltx: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(tiny_ltx, folder)
    own = folder / "fanslymotion.json"
    told = json.loads(own.read_text(encoding="utf-8")) if own.is_file() else {}
    own.write_text(json.dumps(told | {"sampling": {"schedule": "ays"}}), encoding="utf-8")
    with pytest.raises(ModelError, match=r"sampling\.schedule is 'ays'"):
        use_model([folder], presets, settings)
    assert not (settings.presets_dir / "models" / "mine.toml").exists()
