"""Define the presets' keys, ranges and defaults. Unknown keys are errors, so that a typo is noticed."""

from typing import Annotated, Literal, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from .options import (
    BEST,
    MAX_PROMPT,
    Fps,
    LoraStrength,
    ModeName,
    MotionBucketId,
    NoiseAugStrength,
    ScheduleName,
    SolverName,
    Steps,
)
from .purposes import Purpose

MOST_SHOWN = 8
"""Frames shown for each sampled one, at most."""


class Preset(BaseModel):
    """A named preset.

    Attributes:
        name: the table's or file's name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str


class Resolution(Preset):
    """Output size in pixels of a 16:9 landscape video. Other aspect ratios keep the area."""

    width: int = Field(ge=64, le=4096, multiple_of=8)
    height: int = Field(ge=64, le=4096, multiple_of=8)


class Duration(Preset):
    """Length of a video.

    Attributes:
        seconds: the length.
        fps: frames sampled for each second, before interpolation, where the model's preset has no rate of its own.
    """

    seconds: int = Field(ge=1, le=60)
    fps: int = Field(default=6, ge=1, le=30)

    @property
    def frames(self) -> int:
        """Return the number of frames to sample."""
        return self.seconds * self.fps


class Quality(Preset):
    """Smoothness of a video.

    Attributes:
        label: for users.
        interpolation: output frames for each sampled frame, where the model's preset has no rate of its own.
        advanced: shown among the advanced settings only.
    """

    label: str
    interpolation: Literal[1, 2, 4, 8]
    advanced: bool = False


class Idea(Preset):
    """A ready prompt.

    Attributes:
        label: for users.
        label_ru: the same in Russian.
        prompt: the English text, which goes to the model.
        prompt_ru: what it says, in Russian.
    """

    label: str
    label_ru: str = ""
    prompt: str = Field(min_length=1, max_length=MAX_PROMPT)
    prompt_ru: str = ""


class Rate(BaseModel):
    """The frame rates of a quality.

    Attributes:
        fps: Frames a second that the model samples.
        interpolation: Frames shown for each of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fps: int = Field(ge=1, le=30)
    interpolation: Literal[1, 2, 4, 8] = 1

    def frames(self, seconds: int) -> int:
        """Return the frames to sample for so many seconds of video."""
        return self.fps * seconds


class Sampling(BaseModel):
    """Defaults of a model's sampling; a request may override them one by one.

    Attributes:
        schedule: spacing of the noise levels; `flow` takes `shift`, `fixed` takes `sigmas`; `linear-quadratic` and
            `dynamic` are those of LTX-Video (`pipeline/families/ltx/sampling.py`).
        sigmas: noise levels of a distilled model, falling, without the last, which is 0.
        shift: how far evenly spaced levels of flow matching are moved up, σ = shift·s / (1 + (shift - 1)·s).
        solver: the step from one level to the next; `unipc` remembers earlier steps, and goes with `flow`; `lcm` adds
            fresh noise at each level, and goes with `fixed`.
        negative_prompt: what guidance leads away from, for a family with prompts.
        guidance_rescale: share, 0..1, of each guided estimate that gets the standard deviation of the one without
            guidance (arXiv 2305.08891, section 3.4), against colours that are too strong.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: Steps = 25
    schedule: ScheduleName = "karras"
    sigmas: tuple[Annotated[float, Field(gt=0, le=1000)], ...] = Field(default=(), max_length=100)
    shift: float = Field(default=1.0, ge=1, le=20)
    solver: SolverName = "euler"
    negative_prompt: str = Field(default="", max_length=MAX_PROMPT)
    min_guidance: float = Field(default=1.0, ge=0, le=20)
    max_guidance: float = Field(default=3.0, ge=0, le=20)
    guidance_rescale: float = Field(default=0.0, ge=0, le=1)
    fps: Fps = 7
    motion_bucket_id: MotionBucketId = 127
    noise_aug_strength: NoiseAugStrength = 0.02
    lora_strength: LoraStrength = 1.0

    @model_validator(mode="after")
    def _levels(self) -> Self:
        if (self.schedule == "fixed") != bool(self.sigmas):
            raise ValueError("schedule = 'fixed' goes together with sigmas, the noise levels")
        if list(self.sigmas) != sorted(set(self.sigmas), reverse=True):
            raise ValueError("sigmas must fall")
        if self.solver == "unipc" and self.schedule != "flow":
            raise ValueError("solver = 'unipc' goes together with schedule = 'flow'")
        if self.solver == "lcm" and self.schedule != "fixed":
            raise ValueError("solver = 'lcm' goes together with schedule = 'fixed'")
        return self


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Reuse:
    """Which steps use the network's features of an earlier step again: MagCache's rule, arXiv 2506.09045.

    The residuals of neighbouring steps, what the transformer's blocks add to its tokens, differ little, and by how much
    is nearly the same for all photos and prompts. So a model is measured once, and the steps are known beforehand.

    Attributes:
        ratios: size of the residual at each step but the first, as a share of its size one step before; measured with
            `len(ratios) + 1` steps.
        error: sum of the shares by which the residuals have changed in the steps in a row that use one again, at most.
        most: such steps in a row, at most.
        first: share of the steps, at the beginning, that are computed as a whole.
    """

    ratios: tuple[Annotated[float, Field(gt=0, le=2)], ...] = Field(min_length=1, max_length=200)
    error: float = Field(default=0.06, gt=0, le=1)
    most: int = Field(default=2, ge=1, le=10)
    first: float = Field(default=0.2, ge=0, le=1)


class Mode(BaseModel):
    """A quicker way to sample. What it leaves open is as in the best one, see `Sampling`.

    Attributes:
        steps: the most steps that it takes, where a request gives no number; None = as many as the best one.
        schedule: spacing of the noise levels; None = as the best one.
        guidance_above: guidance is on while the noise level σ is above this; 0 = at every step.
        full_every: the whole network is computed at every n-th step, and features are used again in between, see
            `pipeline.families.steps.effort.Effort`; 1 = at every step.
        reuse: another rule for the steps that use features again; None = `full_every` is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: Steps | None = None
    schedule: Literal["karras", "ays"] | None = None
    guidance_above: float = Field(default=0.0, ge=0, le=1000)
    full_every: int = Field(default=1, ge=1, le=10)
    reuse: Reuse | None = None

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if self.reuse is not None and self.full_every != 1:
            raise ValueError("full_every and reuse exclude each other")
        return self


class Licence(BaseModel):
    """Licence of a model. `notice` and `powered_by` are shown wherever it is used, if the licence requires them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    url: str = ""
    notice: str = ""
    powered_by: str = ""


UNKNOWN = Licence(name="unknown")
"""Of a folder of one's own."""


class LatentRGB(BaseModel):
    """Map from latents to preview colours: rgb (0 to 1) = latents (scaled) @ matrix (channels × 3) + bias (3)."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    matrix: tuple[tuple[float, float, float], ...] = Field(min_length=1, max_length=64)
    bias: tuple[float, float, float]


class HubPreset(Preset):
    """A folder of weights and its origin.

    Attributes:
        label: name for users.
        summary: its use, in one English sentence.
        summary_ru: the same in Russian.
        source: `bundled` (in the checkout), `hub` (downloaded into `cache/models/<name>`) or `folder` (the user's).
        folder: path, unless the source is `hub`.
        repository: on the hub.
        revision: branch, tag or commit on the hub.
        files: names of the files to download. `*` stands for no `/`: `vae/*.json` takes nothing of `vae/copy/`.
        download_gb: size of the download in 10⁹ bytes.
        gated: the hub asks for a login and the licence's acceptance.
        licence: of the weights.
    """

    label: str
    summary: str = ""
    summary_ru: str = ""
    source: Literal["bundled", "hub", "folder"]
    folder: str = ""
    repository: str = ""
    revision: str = "main"
    files: tuple[str, ...] = ()
    download_gb: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    gated: bool = False
    licence: Licence = UNKNOWN

    @model_validator(mode="after")
    def _place(self) -> Self:
        if self.source == "hub" and not self.repository:
            raise ValueError("source is 'hub': repository must name it")
        if self.source != "hub" and not self.folder:
            raise ValueError(f"source is {self.source!r}: folder must name it")
        return self


class ModelPreset(HubPreset):
    """Origin of a model and its sampling defaults.

    Attributes:
        family: kind of model, a folder of `pipeline/families`.
        purpose: what it is for; None = not said.
        weights: paths of the files that take the place of its transformers (GGUF, safetensors); everything else is in
            its folder. Presets of earlier versions call them `gguf`.
        base: name of the model whose folder that is; "" for a model without such files.
        rotated: these files' 8-bit floats are multiplied by Hadamard matrices, as in Lightricks' first ones.
        demo: made for tests and demonstrations, not for real videos.
        trial: not run on a graphics card by fanslymotion's makers yet: offered, but never chosen by itself.
        width: of the training frames, in pixels.
        height: of the training frames, in pixels.
        frames: per window, as in training.
        loop: period of the motion in frames, for models whose motion repeats; 0 = none.
        trim: pixels (of the sampling size) cut off at each edge: the outermost ones of a small VAE are dark.
        sampling: defaults.
        rates: by quality (`[rates.smooth]`), for a model that samples at other frame rates than the lengths say. A
            quality of the user's is sampled as the nearest of the bundled ones (`Presets.own_rate`).
        modes: quicker ways to sample that it offers beside the best one (`[modes.fast]`); None = its family's.
        ideas: names of the ready prompts that it offers, where it reads a prompt; None = all of them.
        latent_rgb: colours of previews; None = estimated from the first frames.
    """

    family: str = "svd"
    purpose: Purpose | None = None
    weights: tuple[str, ...] = Field(default=(), validation_alias=AliasChoices("weights", "gguf"))
    base: str = ""
    rotated: bool = False
    demo: bool = False
    trial: bool = False
    width: int = Field(ge=32, le=4096, multiple_of=8)
    height: int = Field(ge=32, le=4096, multiple_of=8)
    frames: int = Field(ge=2, le=512)
    loop: int = Field(default=0, ge=0, le=127)
    trim: int = Field(default=0, ge=0, le=8)
    sampling: Sampling = Sampling()
    rates: dict[str, Rate] = {}
    modes: dict[ModeName, Mode] | None = None
    ideas: tuple[str, ...] | None = None
    latent_rgb: LatentRGB | None = None

    @field_validator("modes")
    @classmethod
    def _none_for_the_best(cls, modes: dict[ModeName, Mode] | None) -> dict[ModeName, Mode] | None:
        if modes and BEST in modes:
            raise ValueError(f"the mode {BEST!r} is what [sampling] says; name only others here")
        return modes


class UpscalerPreset(HubPreset):
    """Origin of a learned upscaler: one `.safetensors` file of an architecture in `pipeline/media/upscale`.

    Attributes:
        sha256: expected hash of the file in hexadecimal; a file with another hash is refused. If it is "", the hub's
            hash is recorded with the download and checked later.
    """

    sha256: str = Field(default="", pattern="^([0-9a-f]{64})?$")
