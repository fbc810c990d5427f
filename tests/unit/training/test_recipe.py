"""The recipe runs from nothing to a model folder that both pipelines load; its closed forms are exact."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from fanslymotion.pipeline.families.svd.folder import ModelFolder, check_folder, folder_preset
from fanslymotion.pipeline.families.svd.model import choose_placement, load
from fanslymotion.settings import ROOT

TRAINING = ROOT / "training"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("run")
    words = [sys.executable, str(TRAINING / "train.py"), "--smoke", "--threads", "1", "--run", str(run)]
    done = subprocess.run(words, capture_output=True, encoding="utf-8", errors="replace", cwd=run, timeout=250)
    assert done.returncode == 0, done.stderr
    return run / "model"


@pytest.mark.soak
def test_the_folder_is_a_whole_model(model: Path) -> None:
    files = check_folder(model)
    assert set(files.variants.values()) == {("",)}
    assert sum(path.stat().st_size for path in model.rglob("*")) < 25 * 2**20
    preset = folder_preset(model)
    assert (preset.width, preset.height, preset.frames) == (256, 144, 14)


@pytest.mark.soak
def test_it_draws_a_window(model: Path) -> None:
    loaded = load(ModelFolder(folder_preset(model), model), choose_placement())
    x = torch.randn(1, 14, 32, 8, 16)  # a fifth of its picture: how its parts fit together is the same
    ids = torch.tensor([[6.0, 127.0, 0.02]])
    with torch.no_grad():
        out = loaded.unet(x, torch.tensor(1.0), torch.zeros(1, 1, 64), ids).sample
        frames = loaded.vae.decode(out[0], num_frames=14).sample
    assert frames.shape == (14, 3, 64, 128)
    assert torch.isfinite(frames).all()


def test_the_encoder_is_the_components_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TRAINING))
    import photos
    import vae as stage
    from patches import fit

    pictures = photos.painted(3)
    patches = fit(pictures)
    vae = stage.build(patches)
    pixels = torch.from_numpy(np.stack([p[:144, :256] for p in pictures])).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        installed = vae.encode(pixels).latent_dist.mode()
    assert torch.allclose(installed, patches.encode(pixels), rtol=2e-3, atol=2e-3)


def test_the_tail_is_the_decoder_s_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TRAINING))
    import tail
    from diffusers import AutoencoderKLTemporalDecoder

    vae = AutoencoderKLTemporalDecoder.from_pretrained(ROOT / "assets" / "mini", subfolder="vae").float()
    latents = torch.randn(3, vae.config.latent_channels, 4, 6)
    with torch.no_grad():
        whole = vae.decode(latents, num_frames=3).sample
        ended = tail.Tail(vae.decoder)(tail.features_of(vae, latents))
    assert torch.allclose(whole, ended, atol=1e-5)


def test_the_target_is_what_the_sampler_inverts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TRAINING))
    from edm import denoised, target

    clean = torch.randn(2, 3, 4, 5, 6)
    for sigma in (0.01, 1.0, 300.0):
        noise = torch.full((2, 1, 1, 1, 1), sigma)
        noisy = clean + noise * torch.randn_like(clean)
        assert torch.allclose(
            denoised(target(clean, noisy, noise), noisy, noise), clean, atol=1e-3 * max(1, sigma**0.5)
        )
