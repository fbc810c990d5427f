"""Machines on which memory runs out where and as often as a test says."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
from fanslymotion.pipeline.families.svd import model
from fanslymotion.pipeline.families.svd.decoding import vae
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.hardware.measurements import Measurements
from fanslymotion.pipeline.hardware.units import GIB
from fanslymotion.pipeline.media.mp4 import probe
from fanslymotion.settings import Settings

CPU = Machine(cores=2, ram_total=64 * GIB, ram_free=60 * GIB)
GPU = replace(CPU, device="cuda", name="a large GPU", vram_total=24 * GIB, vram_free=23 * GIB, gpu_speed=20.0)

GPU_ERRORS = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
)
ERRORS = (*GPU_ERRORS, MemoryError())


@contextmanager
def failing(
    monkeypatch: pytest.MonkeyPatch, place: str, times: int, errors: tuple[Exception, ...] = GPU_ERRORS
) -> Iterator[list[int]]:
    """The first `times` calls at the place find no memory; the list's only number counts them down."""
    left = [times]

    def guard(real: Callable) -> Callable:
        def call(*args: Any, **options: Any) -> Any:
            if left[0] > 0:
                left[0] -= 1
                raise errors[left[0] % len(errors)]
            return real(*args, **options)

        return call

    where, name = {
        "load": (model, "_part"),
        "encode": (AutoencoderKLTemporalDecoder, "encode"),
        "decode": (vae, "decode_frames"),
        "step": (torch.nn.Module, ""),
    }[place]
    with monkeypatch.context() as patch:
        if place == "step":
            from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel as Unet

            patch.setattr(Unet, "forward", guard(Unet.forward))
        else:
            patch.setattr(where, name, guard(getattr(where, name)))
        yield left


def learned(settings: Settings) -> Any:
    """What is remembered of plans, beside the speeds."""
    return Measurements(settings.home).read().plans


def check(result: Any) -> None:
    info = probe(result.path)
    assert (info.width, info.height, info.frames) == (128, 72, 6)
