"""Words for the amount of motion: which models have them, and what they come to."""

import pytest
from fanslymotion.errors import BadInput
from fanslymotion.pipeline.families import families, family
from fanslymotion.pipeline.families.motions import motions_of, settle_motion
from fanslymotion.presets import Presets


def test_the_words_go_up_in_their_order(presets: Presets) -> None:
    assert motions_of(presets.models["svd-xt"]) == {"gentle": 60, "normal": 127, "strong": 180}
    assert list(motions_of(presets.models["mini"])) == ["gentle", "normal", "strong"]


def test_only_families_with_that_setting_have_them() -> None:
    for name in families():
        assert bool(family(name).motions) == ("motion_bucket_id" in family(name).takes)


def test_normal_is_the_models_own_number(presets: Presets) -> None:
    own = presets.models["svd"].model_copy(
        update={"sampling": presets.models["svd"].sampling.model_copy(update={"motion_bucket_id": 90})}
    )
    assert motions_of(own)["normal"] == 90


@pytest.mark.parametrize(
    ("word", "number", "settled"),
    [
        ("", None, None),
        ("", 40, 40),
        ("gentle", None, 60),
        ("normal", None, None),
        ("strong", None, 180),
        ("40", None, 40),
    ],
)
def test_what_a_word_comes_to(presets: Presets, word: str, number: int | None, settled: int | None) -> None:
    assert settle_motion(word, number, presets.models["svd-xt"]) == settled


@pytest.mark.parametrize(
    ("word", "number", "model", "says"),
    [
        ("wild", None, "svd", "motion is 'wild'; choose one of gentle, normal, strong, or a number from 1 to 255"),
        ("256", None, "svd", "motion is '256'"),
        ("²", None, "svd", "motion is '²'"),
        ("gentle", 60, "svd", "motion is 'gentle' and motion_bucket_id is 60; give one of the two"),
        ("strong", None, "wan-5b", "motion is 'strong', but the model wan-5b has no setting for motion"),
    ],
)
def test_what_cannot_be_settled_is_said(presets: Presets, word: str, number: int | None, model: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        settle_motion(word, number, presets.models[model])


def test_a_model_without_the_setting_has_its_normal_motion(presets: Presets) -> None:
    assert settle_motion("normal", None, presets.models["ltx-2b"]) is None
    assert motions_of(presets.models["ltx-2b"]) == {}
