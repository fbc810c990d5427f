"""One window, the same seed, the same weights: the latents of the stock StableVideoDiffusionPipeline.

Exactly where the UNet is computed as diffusers does it, within rounding with the shortcuts that are on by default.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_video_diffusion.pipeline_stable_video_diffusion import StableVideoDiffusionPipeline
from fanslymotion.bench.checkpoint_sinks import Nowhere
from fanslymotion.pipeline.families.base import Offload
from fanslymotion.pipeline.families.svd.conditioning import MicroConditioning
from fanslymotion.pipeline.families.svd.decoding.vae import decode
from fanslymotion.pipeline.families.svd.folder import ModelFolder, folder_preset
from fanslymotion.pipeline.families.svd.model import LoadedModel, Placement, choose_placement, load
from fanslymotion.pipeline.families.svd.noise.levels import AYS_SIGMAS, ays_sigmas
from fanslymotion.pipeline.families.svd.random_model import build
from fanslymotion.pipeline.families.svd.shortcuts import ARITHMETIC, OneToken, PlainAttention
from fanslymotion.pipeline.sampling.euler import Guidance
from fanslymotion.pipeline.sampling.windowed import SamplingParams, begin, sample_clip
from fanslymotion.pipeline.windows import WindowOptions, plan_windows
from fanslymotion.tests.soak import soak
from PIL import Image
from transformers import CLIPImageProcessorPil, CLIPVisionModelWithProjection

STEPS = 4


@pytest.fixture(scope="module")
def loaded(tiny_model: Path) -> LoadedModel:
    """Without shortcuts."""
    return load(ModelFolder(folder_preset(tiny_model), tiny_model), choose_placement(), shortcuts=False)


def settings(loaded: LoadedModel, **changes) -> SamplingParams:
    known = SamplingParams(
        width=64,
        height=40,
        seed=1234,
        steps=STEPS,
        schedule="karras",
        guidance=Guidance(1.0, 1.0),
        family_options=MicroConditioning(fps=7, bucket=127, noise_aug=0.02),
        plan=plan_windows(6, 6),
        options=WindowOptions(),
    )
    return replace(known, **changes)


def ours(loaded: LoadedModel, photo: Image.Image, clip: SamplingParams) -> torch.Tensor:
    return sample_clip(loaded, clip, begin(loaded, clip, photo), checkpoints=Nowhere())


def stock(loaded: LoadedModel, photo: Image.Image, clip: SamplingParams, **changes) -> torch.Tensor:
    pipeline = stock_pipeline(loaded)
    known = {
        "height": clip.height,
        "width": clip.width,
        "num_frames": clip.plan.frames,
        "num_inference_steps": clip.steps,
        "min_guidance_scale": clip.guidance.first,
        "max_guidance_scale": clip.guidance.last,
        "fps": clip.family_options.fps,
        "motion_bucket_id": clip.family_options.bucket,
        "noise_aug_strength": clip.family_options.noise_aug,
        "generator": torch.Generator("cpu").manual_seed(clip.seed),
        "output_type": "latent",
    }
    latents = pipeline(photo, **{**known, **changes}).frames
    assert isinstance(latents, torch.Tensor)
    return latents


def stock_pipeline(loaded: LoadedModel) -> StableVideoDiffusionPipeline:
    """Our UNet and VAE, which are diffusers' own, and transformers' CLIP, which ours must equal."""
    folder, dtype = loaded.model.folder, loaded.dtype
    pipeline = StableVideoDiffusionPipeline(
        vae=loaded.vae,
        image_encoder=CLIPVisionModelWithProjection.from_pretrained(folder / "image_encoder", dtype=dtype).eval(),
        unet=loaded.unet,
        scheduler=loaded.scheduler,
        feature_extractor=CLIPImageProcessorPil.from_pretrained(folder / "feature_extractor"),
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def test_without_guidance(loaded: LoadedModel, small_photo: Image.Image) -> None:
    clip = settings(loaded)
    assert torch.equal(ours(loaded, small_photo, clip), stock(loaded, small_photo, clip))


def test_with_the_guidance_ramp(loaded: LoadedModel, small_photo: Image.Image) -> None:
    clip = settings(
        loaded, guidance=Guidance(1.0, 3.0), family_options=MicroConditioning(fps=12, bucket=40, noise_aug=0.1)
    )
    assert torch.equal(ours(loaded, small_photo, clip), stock(loaded, small_photo, clip))


GUIDED = [Guidance(1.0, 1.0), Guidance(1.0, 3.0), Guidance(1.0, 3.0, two_passes=True)]


@pytest.fixture(scope="module")
def exact(loaded: LoadedModel, small_photo: Image.Image) -> list[torch.Tensor]:
    """Latents without shortcuts, for each of GUIDED."""
    return [ours(loaded, small_photo, settings(loaded, guidance=guidance)) for guidance in GUIDED]


@pytest.mark.parametrize(
    "offload",
    [Offload.NONE, *soak(Offload.GROUP, Offload.MODEL, Offload.SEQUENTIAL)],
)
def test_shortcuts_differ_by_rounding_only(
    loaded: LoadedModel, small_photo: Image.Image, exact: list[torch.Tensor], offload: Offload
) -> None:
    """The same each time, whatever was sampled before."""
    quick = load(loaded.model, Placement(loaded.device, loaded.dtype, offload))
    assert (loaded.arithmetic, quick.arithmetic) == (0, ARITHMETIC)
    clips = [settings(loaded, guidance=guidance) for guidance in GUIDED]
    made = [ours(quick, small_photo, clip) for clip in clips]
    for found, wanted in zip(made, exact, strict=True):
        assert 0 < (found - wanted).abs().max() <= 1e-5
    for clip, found in zip(clips, made, strict=True):
        assert torch.equal(ours(quick, small_photo, clip), found)


def test_shortcuts_leave_out_what_one_token_does_not_need(tiny_model: Path) -> None:
    quick = load(ModelFolder(folder_preset(tiny_model), tiny_model), choose_placement())
    names = {name for name, _ in quick.unet.named_parameters()}
    assert any("attn2.to_v" in name for name in names)
    assert not [name for name in names if "attn2.to_q" in name or "attn2.to_k" in name]
    assert not [name for name in names if "transformer_blocks" in name and ".norm2." in name]
    blends = [module for module in quick.unet.modules() if type(module).__name__ == "AlphaBlender"]
    assert blends
    assert all("forward" in vars(module) for module in blends)
    attentions = [module for module in quick.unet.modules() if type(module).__name__ == "Attention"]
    assert {type(module.processor) for module in attentions} == {PlainAttention}
    several = torch.zeros(1, 2, quick.unet.config.cross_attention_dim)
    one_token = next(module for module in quick.unet.modules() if isinstance(module, OneToken))
    with pytest.raises(ValueError, match="one token"):
        one_token(torch.zeros(1, 4, 32), encoder_hidden_states=several)


def test_guidance_in_two_passes(loaded: LoadedModel, small_photo: Image.Image) -> None:
    clip = settings(loaded, guidance=Guidance(1.5, 3.0))
    two = replace(clip, guidance=replace(clip.guidance, two_passes=True))
    expected = stock(loaded, small_photo, clip)
    difference = ours(loaded, small_photo, two) - expected
    assert difference.abs().max() <= 1e-5 * expected.abs().max()  # processors round otherwise in batches of one and two


def test_align_your_steps(loaded: LoadedModel, small_photo: Image.Image) -> None:
    clip = settings(loaded, schedule="ays", steps=10)
    expected = stock(loaded, small_photo, clip, sigmas=[*AYS_SIGMAS, 0.0])
    assert torch.equal(ours(loaded, small_photo, clip), expected)
    assert ays_sigmas(10) == pytest.approx(AYS_SIGMAS)


@pytest.mark.parametrize("steps", [1, 2, 7, 25])
def test_align_your_steps_at_other_counts(steps: int) -> None:
    found = ays_sigmas(steps)
    assert len(found) == steps
    assert found == sorted(found, reverse=True)
    assert found[0] == pytest.approx(AYS_SIGMAS[0])
    assert steps == 1 or found[-1] == pytest.approx(AYS_SIGMAS[-1])


@pytest.mark.parametrize("levels", [3, *soak(2)])
def test_other_vae_factors_and_half_precision(levels: int, small_photo: Image.Image, tmp_path: Path) -> None:
    """A model whose latents are half or a quarter of the pixels' size, computed in bfloat16."""
    folder = build(tmp_path / "model", levels=levels, frames=3, seed=levels)
    model = ModelFolder(folder_preset(folder), folder)
    loaded = load(model, Placement(torch.device("cpu"), torch.bfloat16), shortcuts=False)
    assert loaded.vae_factor == 2 ** (levels - 1)
    clip = settings(loaded, width=32, height=24, plan=plan_windows(3, 3), steps=2, guidance=Guidance(1.0, 2.0))
    photo = small_photo.resize((32, 24))
    found = ours(loaded, photo, clip)
    assert found.shape == (1, 3, 4, 24 // loaded.vae_factor, 32 // loaded.vae_factor)
    assert torch.equal(found, stock(loaded, photo, clip))


def test_decoded_frames(loaded: LoadedModel, small_photo: Image.Image) -> None:
    latents = ours(loaded, small_photo, settings(loaded))
    pipeline = stock_pipeline(loaded)
    with torch.no_grad():
        expected = pipeline.decode_latents(latents, 6, decode_chunk_size=3)
    expected = pipeline.video_processor.postprocess_video(expected, output_type="pil")[0]
    found = np.concatenate(list(decode(loaded, latents, chunk=3, halo=0)))
    assert np.array_equal(found, np.stack([np.asarray(frame) for frame in expected]))


def test_guidance_is_off_at_one(loaded: LoadedModel, small_photo: Image.Image) -> None:
    calls = []
    handle = loaded.unet.register_forward_pre_hook(lambda module, args: calls.append(args[0].shape[0]))
    try:
        ours(loaded, small_photo, settings(loaded))
    finally:
        handle.remove()
    assert calls == [1] * STEPS
