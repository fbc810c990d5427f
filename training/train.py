"""Train `mini` from photographs to a model folder: `python training/train.py [--decoder-minutes 60] …`.

Ends by itself, goes on from its checkpoints when started again, and writes a diffusers folder (fp16 safetensors).
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import decoder as decoder_stage
import fanslymotion.pipeline  # noqa: F401 (how OpenMP's threads wait is read when torch is imported)
import torch
import unet as unet_stage
import vae as vae_stage
from edm import SCHEDULER
from fanslymotion.pipeline.families.svd.folder import PATCH_DECODER
from latents import CLIP_SIZE
from patches import Patches, fit
from photos import RUNS, load, painted


def main() -> None:
    """Train both decoders and the UNet, one after the other, and write the model's folder."""
    asked = parser().parse_args()
    torch.set_num_threads(asked.threads or os.cpu_count() or 1)
    if asked.smoke:
        photos, held_out = painted(6), painted(1, seed=9)
        vae_config = vae_stage.VaeConfig(
            linear_steps=2, steps=2, minutes=5, tail_minutes=0.002, tail_clips=2, images=4, crop=32, judged=2
        )
        unet_config = unet_stage.UnetConfig(steps=2, minutes=5, clips=1, strip_clips=1, first_clips=1, pool=2)
        decoder_config = decoder_stage.DecoderConfig(steps=2, minutes=5, drawn=1, judged=2)
    else:
        photos, held_out = load(RUNS / "photos" / "train"), load(RUNS / "photos" / "held_out")
        vae_config = vae_stage.VaeConfig(minutes=asked.vae_minutes, peak_rate=asked.vae_rate)
        decoder_config = decoder_stage.DecoderConfig(minutes=asked.decoder_minutes)
        unet_config = unet_stage.UnetConfig(steps=asked.unet_steps, minutes=asked.unet_minutes, spread=asked.spread)
    run = asked.run
    patches = components(photos, run)
    vae = vae_stage.train(patches, photos, held_out, run, vae_config, asked.start)
    denoiser = unet_stage.train(patches, photos, run, unet_config, asked.start, held_out)
    export(vae, denoiser, run / "model")
    decoder = decoder_stage.train(patches, photos, held_out, run, run / "model", decoder_config)
    decoder.half().save_pretrained(run / "model" / PATCH_DECODER)
    print(preview_map(patches, photos), flush=True)
    print("the model lies in", run / "model", flush=True)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("--run", type=Path, default=RUNS / "mini", help="folder of checkpoints, curves and the model")
    words.add_argument("--vae-minutes", type=float, default=45.0)
    words.add_argument("--vae-rate", type=float, default=1e-3, help="highest learning rate; 2e-4 to go on with --start")
    words.add_argument("--decoder-minutes", type=float, default=60.0, help="of the decoder that fanslymotion uses")
    words.add_argument("--unet-minutes", type=float, default=120.0)
    words.add_argument("--unet-steps", type=int, default=20_000, help="the run ends here at the latest")
    words.add_argument("--start", type=Path, help="a model folder of this recipe whose weights a new run begins with")
    words.add_argument("--spread", type=float, default=0.0, help="headings of the sway, within ± radians")
    words.add_argument("--threads", type=int, help="CPU threads (default: all cores)")
    words.add_argument("--smoke", action="store_true", help="two steps of each stage on painted pictures")
    return words


def components(photos: list, run: Path) -> Patches:
    """The encoder's principal components, fitted once for a run: everything else depends on them."""
    run.mkdir(parents=True, exist_ok=True)
    path = run / "patches.pt"
    if path.exists():
        return Patches(**torch.load(path, weights_only=True))
    patches = fit(photos)
    torch.save({"mean": patches.mean, "basis": patches.basis, "scale": patches.scale}, path)
    return patches


def export(vae: torch.nn.Module, denoiser: unet_stage.Denoiser, folder: Path) -> None:
    """The folder that `StableVideoDiffusionPipeline.from_pretrained` and fanslymotion load; fp16, plainly named."""
    from diffusers import EulerDiscreteScheduler, StableVideoDiffusionPipeline
    from transformers import CLIPImageProcessor

    side = {"height": CLIP_SIZE, "width": CLIP_SIZE}
    pipeline = StableVideoDiffusionPipeline(
        vae=vae.half(),
        image_encoder=denoiser.image_encoder.half(),
        unet=denoiser.unet.half(),
        scheduler=EulerDiscreteScheduler(**SCHEDULER),
        feature_extractor=CLIPImageProcessor(size={"shortest_edge": CLIP_SIZE}, crop_size=side),
    )
    pipeline.save_pretrained(folder, safe_serialization=True)


@torch.no_grad()
def preview_map(patches: Patches, photos: list) -> str:
    """`[latent_rgb]` for the model's preset: the linear map of its previews, fitted on the training photos."""
    import cv2
    from fanslymotion.pipeline.sampling.preview import fit_latent_rgb

    small = [cv2.resize(photo, (256, 144), interpolation=cv2.INTER_AREA) for photo in photos]
    pixels = torch.stack([torch.from_numpy(photo).permute(2, 0, 1).float() / 255 for photo in small])
    found = fit_latent_rgb(patches.encode(2 * pixels - 1), pixels)
    rows = ",\n".join("  [" + ", ".join(f"{value:.5f}" for value in row) + "]" for row in found.matrix)
    bias = ", ".join(f"{value:.5f}" for value in found.bias)
    return f"[latent_rgb]\nmatrix = [\n{rows},\n]\nbias = [{bias}]"


if __name__ == "__main__":
    main()
