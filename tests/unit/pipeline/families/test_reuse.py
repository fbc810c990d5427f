"""Which steps use features again: MagCache's rule with a model's measured ratios, by the step's number alone."""

from dataclasses import replace

import pytest
from fanslymotion.pipeline.families.modes import modes_of
from fanslymotion.pipeline.families.steps.effort import WHOLE_AT_THE_ENDS, Effort
from fanslymotion.pipeline.families.steps.reuse import whole_steps
from fanslymotion.presets import Mode, Presets, Reuse, load_presets
from fanslymotion.settings import Settings
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError


def drawn(reuse: Reuse, steps: int) -> str:
    return "".join("#" if whole else "." for whole in whole_steps(reuse, steps))


def wan(presets: Presets) -> Reuse:
    reuse = modes_of(presets.model("wan-5b"))["balanced"].reuse
    assert reuse is not None
    return reuse


def test_with_the_steps_that_were_measured_they_are_the_makers_own(presets: Presets) -> None:
    """What MagCache4Wan2.2/magcache_generate.py decides for ti2v-5B with a photo, both branches alike."""
    found = drawn(wan(presets), 50)
    assert found == "##########..#..#..#..#..#..#..#..#..#.#.#.#.#.###."
    effort = Effort(reuse=wan(presets))
    assert sum(effort.whole(step, 50) for step in range(50)) == 27, "the last step is whole, too"


def test_a_longer_way_between_steps_counts_as_more(presets: Presets) -> None:
    """20 steps of 50 each go two and a half times as far."""
    assert drawn(wan(presets), 20) == "####..#..#.#.#.#####"
    shares = [drawn(wan(presets), steps).count("#") / steps for steps in (50, 30, 20, 10)]
    assert shares == sorted(shares)
    assert [drawn(wan(presets), steps) for steps in (1, 2)] == ["#", "##"]


@given(
    ratios=st.lists(st.floats(0.5, 1.2), min_size=1, max_size=60).map(tuple),
    error=st.floats(0.001, 0.5),
    most=st.integers(1, 10),
    first=st.floats(0, 1),
    steps=st.integers(1, 100),
)
def test_laws(ratios: tuple[float, ...], error: float, most: int, first: float, steps: int) -> None:
    reuse = Reuse(ratios=ratios, error=error, most=most, first=first)
    found = whole_steps(reuse, steps)
    assert len(found) == steps
    assert all(found[: max(1, int(steps * first))])
    assert "." * (most + 1) not in drawn(reuse, steps)
    stricter = whole_steps(replace(reuse, error=error / 2), steps)
    assert sum(stricter) >= sum(found)
    effort = Effort(reuse=reuse)
    ends = [*range(min(steps, WHOLE_AT_THE_ENDS)), *range(max(0, steps - WHOLE_AT_THE_ENDS), steps)]
    assert all(effort.whole(step, steps) for step in ends)


def test_a_model_that_does_not_change_is_whole_as_rarely_as_allowed() -> None:
    still = Reuse(ratios=(1.0,) * 9, most=3, first=0.0)
    assert drawn(still, 10) == "#...#...#."
    assert drawn(replace(still, ratios=(0.5,) * 9), 10) == "#" * 10


def test_who_offers_it(settings: Settings) -> None:
    """A model that takes few steps has nothing to leave out."""
    presets = load_presets(settings)
    with_it = {name for name, model in presets.models.items() if any(mode.reuse for mode in modes_of(model).values())}
    assert with_it == {"wan-5b"}


def test_rules_that_contradict_each_other_or_say_nothing_are_refused() -> None:
    with pytest.raises(ValidationError, match="exclude each other"):
        Mode(full_every=2, reuse=Reuse(ratios=(0.9,)))
    for wrong in ({"ratios": ()}, {"ratios": (0.0,)}, {"ratios": (0.9,), "errors": 0.1}):
        with pytest.raises(ValidationError):
            Mode.model_validate({"reuse": wrong})


def test_what_is_recorded() -> None:
    """As before there was such a rule, where there is none."""
    assert Effort(0.5, 3).record() == {"guidance_above": 0.5, "full_every": 3}
    assert Effort(reuse=Reuse(ratios=(0.9,))).record() == {
        "guidance_above": 0.0,
        "full_every": 1,
        "reuse": {"ratios": (0.9,), "error": 0.06, "most": 2, "first": 0.2},
    }
