"""Rows `env` and `stock`: what the machine is, and what diffusers alone makes of it."""

import os
import platform
import time
from importlib import metadata
from typing import Any

import psutil
import torch
from fanslymotion.pipeline.hardware import devices
from fanslymotion.pipeline.hardware.gpus import GpuWatch
from safetensors.torch import save_file

from .harness import GIB, SEED, Bench, Figures, StepClock, free, peaks, reset_peak, timed

STOCK_LATENTS = "stock-latents.safetensors"


def env(bench: Bench, figures: Figures) -> None:
    watch = GpuWatch()
    before = watch.sample()
    gpus = watch.describe()
    named = ("torch", "diffusers", "transformers", "accelerate", "triton", "numpy", "safetensors")
    versions = {name: _version(name) for name in named}
    figures.put(
        python=platform.python_version(),
        system=platform.platform(),
        versions=versions,
        cores=os.cpu_count(),
        ram_gib=round(psutil.virtual_memory().total / GIB, 1),
        gpus=list(gpus.names),
        driver=gpus.driver,
        driver_cuda=list(gpus.cuda),
        capability=gpus.capability,
        cuda_cores=gpus.cores,
        clock_mhz=gpus.clock_mhz,
        torch_cuda=torch.version.cuda,
        cudnn=torch.backends.cudnn.version() if bench.cuda else None,
        guessed_gpu_speed=round(devices.gpu_speed(gpus), 2),
    )
    with figures.part("machine as planned") as part:
        found = devices.machine(cuda=devices.Cuda.here())
        part.update(
            device=found.device,
            vram_total_gib=round(found.vram_total / GIB, 2),
            vram_free_gib=round(found.vram_free / GIB, 2),
            gpu_speed=found.gpu_speed,
        )
    with figures.part("matmul") as part:
        part["tflops"] = _matmul(bench)
    with figures.part("copies") as part:
        part.update(_copies(bench))
    with figures.part("context") as part:
        part.update(_context(bench, watch, before.memory_used if before else 0))


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


def _matmul(bench: Bench) -> float:
    """10¹² operations a second of a square product in the model's numbers."""
    side, rounds = (8192, 20) if bench.cuda else (256, 2)
    a, b = (torch.randn(side, side, device=bench.device).to(bench.dtype) for _ in range(2))
    timed(lambda: [a @ b for _ in range(3)])
    seconds, _ = timed(lambda: [a @ b for _ in range(rounds)])
    return round(2 * side**3 * rounds / max(seconds, 1e-9) / 1e12, 3)


def _copies(bench: Bench) -> dict[str, float]:
    """GB a second between the machine's memory and the card's, and within the card (read and written)."""
    size = GIB if bench.cuda else 2**22
    found: dict[str, float] = {}
    there = torch.empty(size, dtype=torch.uint8, device=bench.device)
    for kind in ("pageable", "pinned") if bench.cuda else ("pageable",):
        here = torch.zeros(size, dtype=torch.uint8, pin_memory=kind == "pinned")
        for name, to, source in (("h2d", there, here), ("d2h", here, there)):
            best = min(timed(lambda to=to, source=source: to.copy_(source, non_blocking=True))[0] for _ in range(4))
            found[f"{name}_{kind}_gb_s"] = round(size / max(best, 1e-9) / 1e9, 2)
    other = torch.empty_like(there)
    best = min(timed(lambda: [other.copy_(there) for _ in range(4)])[0] for _ in range(3))
    found["on_device_gb_s"] = round(4 * 2 * size / max(best, 1e-9) / 1e9, 1)
    return found


def _context(bench: Bench, watch: Any, before: int) -> dict[str, Any]:
    """Video memory that the process takes outside of torch's allocator, with the libraries' kernels loaded."""
    if not bench.cuda:
        return {"overhead_bytes": 0}
    x = torch.randn(8, 64, 64, 64, device=bench.device).half()
    torch.nn.functional.conv2d(x, torch.randn(64, 64, 3, 3, device=bench.device).half())
    heads = x.flatten(2).transpose(1, 2).unsqueeze(1)
    torch.nn.functional.scaled_dot_product_attention(heads, heads, heads)
    torch.cuda.synchronize()
    del x, heads
    free()
    sample = watch.sample()
    reserved = torch.cuda.memory_reserved()
    used = sample.memory_used if sample else 0
    gone, total = torch.cuda.mem_get_info()
    return {
        "before_bytes": before,
        "nvml_used_bytes": used,
        "reserved_bytes": reserved,
        "overhead_bytes": max(0, used - before - reserved),
        "torch_free_bytes": gone,
        "torch_total_bytes": total,
    }


def stock(bench: Bench, figures: Figures) -> None:
    from diffusers.pipelines.stable_video_diffusion.pipeline_stable_video_diffusion import StableVideoDiffusionPipeline

    clip, photo = bench.clip(), bench.photo()
    words: dict[str, Any] = {"torch_dtype": bench.dtype, "local_files_only": True}
    if bench.dtype == torch.float16:
        words["variant"] = "fp16"

    def load() -> Any:
        return StableVideoDiffusionPipeline.from_pretrained(bench.model, **words).to(bench.device)

    seconds, pipeline = timed(load)
    pipeline.set_progress_bar_config(disable=True)
    figures.put(load_s=seconds)
    known: dict[str, Any] = {
        "height": clip.height,
        "width": clip.width,
        "num_frames": clip.plan.frames,
        "min_guidance_scale": clip.guidance.first,
        "max_guidance_scale": clip.guidance.last,
        **clip.family_options.metadata(),
        "output_type": "latent",
    }
    latents: Any = None
    with figures.part("sampling") as part:
        began = time.perf_counter()
        clock: list[StepClock] = []

        def tick(pipe: Any, step: int, t: Any, kept: dict[str, Any]) -> dict[str, Any]:
            clock[0].tick()
            return kept

        encode = pipeline._encode_vae_image

        def encoded(*args: Any, **kwargs: Any) -> Any:
            part["encode_s"], found = timed(lambda: encode(*args, **kwargs))
            clock[:] = [StepClock()]
            return found

        pipeline._encode_vae_image = encoded
        generator = torch.Generator("cpu").manual_seed(SEED)
        latents = pipeline(
            photo, num_inference_steps=clip.steps, generator=generator, callback_on_step_end=tick, **known
        ).frames
        part.update(clock[0].figures, whole_s=round(time.perf_counter() - began, 3), **peaks())
        part["finite"] = bool(torch.isfinite(latents).all())
        save_file({"latents": latents.cpu().contiguous()}, bench.work / STOCK_LATENTS)
    if latents is None:
        return
    frames = clip.plan.frames
    with figures.part("decode warm-up") as part, torch.no_grad():
        part["seconds"], _ = timed(lambda: pipeline.decode_latents(latents[:, :5], 5, decode_chunk_size=5))
    for chunk in (5, 8, frames):
        with figures.part(f"decode chunk {chunk}") as part, torch.no_grad():
            reset_peak()
            part["seconds"], _ = timed(lambda chunk=chunk: pipeline.decode_latents(latents, frames, chunk))
            part.update(peaks())
        free()
