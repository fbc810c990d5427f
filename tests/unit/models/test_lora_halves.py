"""Which LoRA files are the two halves of one, by names as they are published."""

import pytest
from fanslymotion.models.lora_halves import Halves, find_halves

PAIRS = {
    "wan2.2_i2v_lightx2v_4steps_lora_v1": ("{}_high_noise", "{}_low_noise"),
    "Wan2.2-Lightning_I2V-A14B-4steps-lora_fp16": (
        "Wan2.2-Lightning_I2V-A14B-4steps-lora_HIGH_fp16",
        "Wan2.2-Lightning_I2V-A14B-4steps-lora_LOW_fp16",
    ),
    "model": ("high_noise_model", "low_noise_model"),
    "model_rank64": ("high_noise_model_rank64", "low_noise_model_rank64"),
    "wan2.2_i2v_A14b_lora_rank64_lightx2v_4step_1022": (
        "wan2.2_i2v_A14b_high_noise_lora_rank64_lightx2v_4step_1022",
        "wan2.2_i2v_A14b_low_noise_lora_rank64_lightx2v_4step_1022",
    ),
    "Wan22-I2V-A14B-rCM6_0_lora_rank_64_bf16": (
        "Wan22-I2V-A14B-HIGH-rCM6_0_lora_rank_64_bf16",
        "Wan22-I2V-A14B-LOW-rCM1_0_lora_rank_64_bf16",
    ),
    "SVI_v2_PRO_Wan2.2-I2V-A14B_lora_rank_128_fp16": (
        "SVI_v2_PRO_Wan2.2-I2V-A14B_HIGH_lora_rank_128_fp16",
        "SVI_v2_PRO_Wan2.2-I2V-A14B_LOW_lora_rank_128_fp16",
    ),
    "Wan2.2-Fun-A14B-InP-HPS2.1": ("Wan2.2-Fun-A14B-InP-high-noise-HPS2.1", "Wan2.2-Fun-A14B-InP-low-noise-HPS2.1"),
    "my_wan2.2_lora_000001500": ("my_wan2.2_lora_000001500_high_noise", "my_wan2.2_lora_000001500_low_noise"),
    "WAN-2.2-I2V-Ballet-v1": ("WAN-2.2-I2V-Ballet-HIGH-v1", "WAN-2.2-I2V-Ballet-LOW-v1"),
    "CassHamadaWan2.2": ("CassHamadaWan2.2HighNoise", "CassHamadaWan2.2LowNoise"),
    "DanceH": ("DanceH_high_noise", "DanceH_low_noise"),
    "Portrait v2.0": ("Portrait v2.0_hinoise", "Portrait v2.0_lownoise"),
    "BounceWan2_2": ("BounceHighWan2_2", "BounceLowWan2_2"),
    "T2V-WAN2.2_Walk-000016": ("T2V-WAN2.2-HighNoise_Walk-000016", "T2V-WAN2.2-LowNoise_Walk-000026"),
    "rain_wan2.2_epoch80": ("rain_wan2.2high_epoch80", "rain_wan2.2low_epoch80"),
    "W22_i2v_Walk_v1": ("W22_HN_i2v_Walk_v1", "W22_LN_i2v_Walk_v1"),
    "live2d_22_i2v_e320": ("live2d_22_i2v_HIGH_e320", "live2d_22_i2v_LOW_e496"),
    "wan22-smile-154epoc-k3": ("wan22-smile-154epoc-high-k3", "wan22-smile-154epoc-low-k3"),
    "softlight": ("softlight_H", "softlight_L"),
    "Smooth": ("Smooth_High", "Smooth_low"),
    "стиль": ("стиль_HN", "стиль_LN"),
    "high": ("high", "low"),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_is_found_by_its_names(name: str) -> None:
    high, low = (half.format(name) for half in PAIRS[name])
    assert find_halves([low, high, "another"]) == Halves({name: (high, low)})


def test_all_pairs_in_one_folder_stay_apart() -> None:
    pairs = {name: (high.format(name), low.format(name)) for name, (high, low) in PAIRS.items()}
    assert find_halves(half for pair in pairs.values() for half in pair) == Halves(pairs)


@pytest.mark.parametrize(
    ("half", "other"),
    [
        ("wan2.2_i2v_lightx2v_4steps_lora_v1_high_noise", "wan2.2_i2v_lightx2v_4steps_lora_v1_low_noise"),
        ("Wan2.2-Lightning_I2V-A14B-4steps-lora_LOW_fp16", "Wan2.2-Lightning_I2V-A14B-4steps-lora_HIGH_fp16"),
        ("CassHamadaWan2.2HighNoise", "CassHamadaWan2.2LowNoise"),
        ("W22_LN_i2v_Walk_v1", "W22_HN_i2v_Walk_v1"),
        ("Portrait_hinoise", "Portrait_lownoise"),
        ("high quality low noise", "high quality high noise"),
    ],
)
def test_a_half_alone_tells_which_file_is_missing(half: str, other: str) -> None:
    assert find_halves([half, "another"]) == Halves({}, {half: other})


@pytest.mark.parametrize(
    "name",
    [
        "Wan2.1_I2V_14B_FusionX_LoRA", "lightx2v_I2V_14B_480p_cfg_step_distill_rank64_bf16", "clip_l", "vit_h", "flow",
        "Highland", "Hello", "below the line", "slow-motion", "Хай_лоу", "ltx-hi-there", "", "___",
    ],
)  # fmt: skip
def test_any_other_file_is_one(name: str) -> None:
    assert find_halves([name]) == Halves()


def test_two_trainings_of_one_half_wait_for_a_name_that_tells() -> None:
    names = ["rain_high_e40", "rain_high_e60", "rain_low_e50"]
    assert find_halves(names).pairs == {}
    assert set(find_halves(names).missing) == set(names)
    assert find_halves([*names, "rain_low_e60"]).pairs["rain_e60"] == ("rain_high_e60", "rain_low_e60")


def test_versions_are_never_mixed() -> None:
    assert find_halves(["rain_v1_high", "rain_v2_low"]).pairs == {}


def test_a_file_of_the_pairs_own_name_keeps_it() -> None:
    assert find_halves(["rain", "rain_high", "rain_low"]).pairs == {"rain_high": ("rain_high", "rain_low")}
