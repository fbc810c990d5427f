"""What a preset may hold. Unknown keys are errors, so that a typo never passes as a default."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Preset(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str


class Resolution(Preset):
    """Output size in pixels of a 16:9 landscape clip; other shapes keep the pixel area."""

    width: int = Field(ge=64, le=4096, multiple_of=8)
    height: int = Field(ge=64, le=4096, multiple_of=8)


class Duration(Preset):
    """seconds of video, sampled at `fps` frames per second by the model."""

    seconds: int = Field(ge=1, le=60)
    fps: int = Field(default=6, ge=1, le=30)

    @property
    def frames(self) -> int:
        """Frames to sample."""
        return self.seconds * self.fps


class Quality(Preset):
    """interpolation: frames shown for each sampled one."""

    label: str
    interpolation: Literal[1, 2, 4, 8]
    advanced: bool = False


class Sampling(BaseModel):
    """Defaults of a model's sampling; a request may override them one by one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = Field(default=25, ge=1, le=100)
    schedule: Literal["karras", "ays"] = "karras"
    min_guidance: float = Field(default=1.0, ge=0, le=20)
    max_guidance: float = Field(default=3.0, ge=0, le=20)
    fps: int = Field(default=7, ge=5, le=30)
    motion_bucket_id: int = Field(default=127, ge=1, le=255)
    noise_aug_strength: float = Field(default=0.02, ge=0, le=1)


class Licence(BaseModel):
    """notice and powered_by are shown wherever such a model is used, when its licence asks for them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    url: str = ""
    notice: str = ""
    powered_by: str = ""


class LatentRGB(BaseModel):
    """The preview's map: rgb (0..1) = latents (scaled) @ matrix (channels × 3) + bias (3)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    matrix: tuple[tuple[float, float, float], ...] = Field(min_length=1, max_length=64)
    bias: tuple[float, float, float]


class HubPreset(Preset):
    """What lies in a folder of weights, and where it comes from.

    source: `bundled` (a folder of the checkout), `hub` (downloaded into `cache/models/<name>`), `folder` (the user's).
    summary, summary_ru: what it is good for, in a sentence, in English and Russian.
    """

    label: str
    summary: str = ""
    summary_ru: str = ""
    source: Literal["bundled", "hub", "folder"]
    folder: str = ""
    repository: str = ""
    revision: str = "main"
    files: tuple[str, ...] = ()
    download_gb: float = 0.0
    gated: bool = False
    licence: Licence = Licence(name="unknown")

    @model_validator(mode="after")
    def _place(self) -> Self:
        if self.source == "hub" and not self.repository:
            raise ValueError("source is 'hub': repository must name it")
        if self.source != "hub" and not self.folder:
            raise ValueError(f"source is {self.source!r}: folder must name it")
        return self


class ModelPreset(HubPreset):
    """Where a model comes from and how it likes to be sampled.

    width, height, frames: what the model was trained on (pixels, frames per window).
    loop: frames after which its motion is back where it began, for models that move in a circle; 0 = never.
    trim: pixels (of the sampling size) at each edge that are not shown: a small VAE's outermost ones are dark.
    """

    demo: bool = False
    width: int = Field(ge=64, le=4096, multiple_of=8)
    height: int = Field(ge=64, le=4096, multiple_of=8)
    frames: int = Field(ge=2, le=128)
    loop: int = Field(default=0, ge=0, le=127)
    trim: int = Field(default=0, ge=0, le=8)
    sampling: Sampling = Sampling()
    latent_rgb: LatentRGB | None = None


class UpscalerPreset(HubPreset):
    """Where a learned upscaler comes from: one `.safetensors` file of an architecture that `pipeline/upscale` has.

    sha256: of that file, in hexadecimal, where it is known beforehand: anything else that the hub has under the name
    is refused. Without it, the hub's own hash is recorded with the download and checked against from then on.
    """

    sha256: str = Field(default="", pattern="^([0-9a-f]{64})?$")
