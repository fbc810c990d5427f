"""Run a job's last stages: decode latents, enhance, enlarge and interpolate frames, encode the video file."""

import hashlib
import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import Cancelled, HandBack
from ..messages import Message, template
from .families.base import VideoModel
from .families.forecast import tile_side
from .hardware.malloc import free_memory
from .media.detail.detail import with_detail
from .media.detail.gpu_warps import GpuWarps
from .media.detail.size import enlarged, photo_for_detail, too_small
from .media.detail.warps import CpuWarps, Warps
from .media.encode import VideoEncoder
from .media.encoder_thread import EncoderThread
from .media.frame_checks import FrameGuard
from .media.interpolate import interpolate
from .media.join import join
from .media.upscale.files import UpscalerFile
from .media.upscale.learned_detail import GaveUp, LearnedDetail
from .media.upscale.tile_sizes import TileSizes
from .media.upscale.upscaler import Upscaler
from .progress import Progress, Stage
from .stages import Attempt

log = logging.getLogger(__name__)

SMALL_PHOTO = template(
    "The photo is small ({size}): it has no more detail than the generated frames, so none is added."
)

SAVED_TOGETHER = 0.1
"""Share of the saving stage for finishing the file, and the size of its first step."""

GAVE_UP = template(
    "The memory is too small for the upscaler {label}, even in the smallest tiles: what the photo does not give is "
    "enlarged plainly in this video. Close other programs, or choose a quicker upscaler."
)


class VideoFile:
    """Write the video file of one attempt.

    Args:
        attempt: The attempt, with its latents sampled.
        out: The mp4 file to write.
        metadata: Settings to store in it.
        before: See `produce`.
    """

    def __init__(self, attempt: Attempt, out: Path, metadata: dict[str, Any], before: Path | None = None) -> None:
        self._attempt = attempt
        self._out = out
        self._before = before
        self._metadata = metadata
        self._trim = attempt.resolved.model.preset.trim
        self._encoder: VideoEncoder | None = None
        self._check: Callable[[], object] = lambda: None
        """Called in long steps of the encoder's thread; raises when the work is abandoned."""

    def write(self, model: VideoModel, latents: torch.Tensor, chunk: int) -> None:
        """Write the file. Start again without the upscaler if its smallest tile does not fit into memory.

        Args:
            model: The loaded model.
            latents: (1, frames, channels, h, w), scaled.
            chunk: Largest number of frames to decode together.
        """
        sides = self._tile_sides()
        self._begin(chunk)
        detail = self._detail()
        try:
            self._decode(model, latents, chunk, detail, self._learned(sides))
            return
        except GaveUp:
            upscaler = self._attempt.resolved.upscaler
            assert upscaler is not None
            self._attempt.warn(Message(GAVE_UP, {"label": upscaler.preset.label}))
        self._attempt.leave_out_upscaler()
        free_memory()
        self._begin(chunk)
        self._decode(model, latents, chunk, detail, None)

    def _begin(self, chunk: int) -> None:
        """Enter the decoding stage. Preparing the photo counts as decoding, so that the bar keeps moving."""
        frames = self._attempt.resolved.frames
        self._attempt.clock.enter(Stage.DECODING, together=min(chunk, frames))
        self._attempt.report(Progress(Stage.DECODING, steps=frames))
        self._encoder = None

    def _detail(self) -> np.ndarray | None:
        """Return the photo as the first frame shows it, at the output size; None if it adds no detail."""
        resolved, clip = self._attempt.resolved, self._attempt.resolved.clip
        if not resolved.request.detail:
            return None
        drawn, size, fit = (clip.width, clip.height), (resolved.width, resolved.height), resolved.request.fit
        if enlarged(drawn, self._trim, size) and too_small(self._attempt.image.size, drawn, fit):
            self._attempt.warn(
                Message(SMALL_PHOTO, {"size": f"{self._attempt.image.width}×{self._attempt.image.height}"})
            )
            return None
        return np.asarray(photo_for_detail(self._attempt.image, drawn, self._trim, size, fit, resolved.request.centre))

    def _tile_sides(self) -> TileSizes | None:
        """Return the upscaler's tiles; None without one, where nothing is enlarged, and where it has given up."""
        resolved, file = self._attempt.resolved, self._attempt.resolved.upscaler
        size = resolved.width, resolved.height
        if file is None or not enlarged((resolved.clip.width, resolved.clip.height), self._trim, size):
            return None
        device, number = self._attempt.memory.device, self._number_bytes(file)
        key = f"{file.fingerprint} {resolved.clip.width}x{resolved.clip.height} {size} {device} {number}"
        sides = TileSizes(self._attempt.work, key, tile_side(self._attempt.memory))
        if sides.given_up:
            self._attempt.warn(Message(GAVE_UP, {"label": file.preset.label}))
            self._attempt.leave_out_upscaler()
            return None
        return sides

    def _learned(self, sides: TileSizes | None) -> LearnedDetail | None:
        """Load the requested upscaler. sides: its tiles; None = there is nothing for it to do."""
        resolved, file = self._attempt.resolved, self._attempt.resolved.upscaler
        if sides is None or file is None:
            return None
        network = Upscaler(file, self._attempt.memory.device, self._number_bytes(file))
        return LearnedDetail(network, (resolved.width, resolved.height), sides, self._attempt.warn)

    def _number_bytes(self, file: UpscalerFile) -> int:
        """Return the bytes of a number that the upscaler computes with, 2 or 4."""
        memory = self._attempt.memory
        return file.network.number_bytes(memory.device, memory.machine.cpu_bf16)

    def _decode(
        self,
        model: VideoModel,
        latents: torch.Tensor,
        chunk: int,
        detail: np.ndarray | None,
        learned: LearnedDetail | None,
    ) -> None:
        """Decode in this thread; interpolate and encode in another one."""
        attempt, resolved = self._attempt, self._attempt.resolved
        clock = attempt.clock
        guard, digest = FrameGuard(attempt.photo), hashlib.sha256()
        count = 0
        # One more frame is needed to interpolate behind the last one. The windows may give a few more than that.
        wanted = resolved.frames + (resolved.interpolation > 1)
        latents = latents[:, : resolved.decoded_latents]

        # A short queue before a slow upscaler keeps the estimate of the time left accurate.
        encoder_thread = EncoderThread(partial(self._encode, detail, learned), depth=2 if learned else max(4, chunk))

        def through() -> float:
            return min(encoder_thread.through(wanted), resolved.frames)

        def report() -> None:
            clock.done(through(), more=True)
            attempt.report(Progress(Stage.DECODING, step=count, steps=resolved.frames))

        report()
        self._check = encoder_thread.check
        if learned:
            learned.between = encoder_thread.check
        try:
            with encoder_thread:
                for frames in model.decode(latents, chunk, resolved.clip.seed):
                    frames = frames[: wanted - encoder_thread.given]  # the last latent frame may stand for more
                    guard.check(frames, count)
                    digest.update(frames.data)
                    for frame in frames:
                        encoder_thread.put(self._shown(frame), report)
                        clock.done(through(), more=True)
                    count = min(encoder_thread.given, resolved.frames)
                    clock.done(through(), together=chunk)
                    report()
                self._save(encoder_thread)
        except (Cancelled, HandBack):
            if encoder_thread.finished:
                self._out.unlink(missing_ok=True)  # it came while the file was being renamed
            raise
        attempt.measures["frames_sha256"] = digest.hexdigest()
        attempt.measures["latents"] = latents

    def _save(self, encoder_thread: EncoderThread) -> None:
        """Wait until the encoder has finished, after all frames were handed over."""
        attempt = self._attempt
        clock, before = attempt.clock, self._encoded
        new = attempt.resolved.shown - (self._before is not None)
        clock.enter(Stage.SAVING, together=SAVED_TOGETHER)

        def report() -> None:
            """Report how many of the queued frames are encoded; the end of the file comes last."""
            share = (self._encoded - before) / max(1, new - before)
            clock.done(min(share, 1 - SAVED_TOGETHER))
            attempt.report(Progress(Stage.SAVING, step=self._encoded, steps=new))

        report()
        encoder_thread.finish(report)
        clock.done(1)
        clock.leave()

    @property
    def _encoded(self) -> int:
        return 0 if self._encoder is None else self._encoder.encoded

    def _shown(self, frame: np.ndarray) -> np.ndarray:
        t = self._trim
        return np.ascontiguousarray(frame[t : len(frame) - t, t : frame.shape[1] - t])

    def _warps(self, photo: np.ndarray) -> Warps:
        """Create the object that warps the photo, on the computing device. photo: at the output size."""
        device = self._attempt.placement.device
        return CpuWarps(photo) if device.type == "cpu" else GpuWarps(photo, device)

    def _encode(self, detail: np.ndarray | None, learned: LearnedDetail | None, frames: Iterator[np.ndarray]) -> None:
        """Encode the frames, in the encoder's thread.

        Args:
            detail: The photo at the output size; None = no detail from the photo.
            learned: The upscaler; None = no upscaler. Without both, ffmpeg enlarges the frames.
            frames: Decoded frames, uint8 RGB (height, width, 3), of the sampling size less the trim.
        """
        resolved = self._attempt.resolved
        size = resolved.clip.width - 2 * self._trim, resolved.clip.height - 2 * self._trim
        if detail is not None:
            frames = with_detail(frames, detail, learned and learned.add, self._warps)
            size = resolved.width, resolved.height
        elif learned is not None:
            frames, size = learned.enlarge(frames), (resolved.width, resolved.height)
        before = self._before
        metadata = self._metadata if learned else {**self._metadata, "upscaler": None}  # it may have given up
        drawn = self._out if before is None else self._out.with_stem(f"{self._out.stem}-drawn")
        with VideoEncoder(
            drawn,
            resolved.width,
            resolved.height,
            resolved.fps,
            source_size=size,
            metadata=metadata,
        ) as self._encoder:
            for n, frame in enumerate(interpolate(frames, resolved.interpolation, resolved.shown)):
                if n or before is None:  # the first frame is the last one of the video before
                    self._encoder.write(frame)
        if before is not None:
            try:
                join(before, drawn, self._out, metadata, self._check)
            finally:
                drawn.unlink(missing_ok=True)
