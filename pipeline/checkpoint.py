"""Store a job's latents and progress in numbered safetensors files, each whole or absent.

Windows cannot replace an open file, so every checkpoint has a name of its own and older ones are deleted afterwards.
Each checkpoint also holds a note with the memory plan. A checkpoint without tensors holds only the note: nothing was
sampled under that plan yet.
"""

import errno
import hashlib
import json
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..fs import commit, make_folder, part_path
from .sampling.windowed import SamplingState

log = logging.getLogger(__name__)

VERSION = 3
"""Of the files' layout. What the model sees of the photo is named by its family, behind CONDITIONING; what the solver
remembers of earlier steps, by itself, behind HISTORY.

2 named Stable Video Diffusion's two tensors alone, and is gone on with. Others are ignored: a job from another version
starts anew instead of breaking. (1 had no checksum.)"""

CONDITIONING, HISTORY = "conditioning.", "history."
VERSION_2: dict[str, str] = {"embedding": f"{CONDITIONING}embedding", "image": f"{CONDITIONING}image"}
"""Names of version 2, and what they are now."""

INTERVAL = 30.0
"""Seconds of sampling that a sudden death may cost."""

UNUSABLE = (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError)
"""What reading a file may raise that is cut off, scrambled, or another program's. (torch raises RuntimeError.)"""

PREFIX, SUFFIX = "checkpoint-", ".safetensors"
KEPT = 2
"""Files kept: the last, and the one before it should the last be damaged."""


@dataclass(frozen=True)
class Saved:
    """A checkpoint read back.

    Attributes:
        state: Where sampling resumes.
        note: The note stored with it (JSON).
    """

    state: SamplingState
    note: dict[str, Any]


class Note(NamedTuple):
    """The note of the newest checkpoint.

    Attributes:
        values: The note; {} without a checkpoint.
        sampled: The checkpoint has tensors, at least the conditioning, from which sampling can resume.
    """

    values: dict[str, Any]
    sampled: bool


def newest_note(folder: Path) -> Note:
    """Return the note of the newest checkpoint that is whole, whatever job it belongs to."""
    for _, path in sorted(numbered(folder), reverse=True):
        with suppress(*UNUSABLE):
            header, tensors = _read_whole(path)
            return Note(dict(header["note"]), bool(tensors))
    return Note({}, False)


def keep_note(folder: Path, values: dict[str, Any], shape: Sequence[str]) -> None:
    """Replace the note of a work folder's newest checkpoint, or write a checkpoint without tensors.

    Args:
        folder: The work folder.
        values: The note.
        shape: Keys of the note on which the tensors depend. If one of them changes, all checkpoints are deleted.

    Raises:
        OSError: The note cannot be written, or the newest checkpoint cannot be read now.
    """
    found, of_no_use = sorted(numbered(folder), reverse=True), False
    header, tensors = {"version": VERSION, "key": "", "window": 0, "step": 0, "noise_dtype": "float32"}, {}
    for _, path in found:
        try:
            there, kept = _read_whole(path)
            old = there["note"]
            if all(old[name] == values[name] for name in shape):
                header, tensors = there | {"version": VERSION}, kept
            of_no_use = not tensors
            break
        except OSError:  # another program holds it open: it may be whole
            raise
        except UNUSABLE as e:
            log.debug("Checkpoint %s is not used: %s", path.name, e)
    if header.get("note") == values:
        return
    number = found[0][0] if found else 0
    _write_file(folder, number + 1, header | {"note": values}, tensors)
    for _, path in found if of_no_use else found[KEPT - 1 :]:
        _delete(path)


def numbered(folder: Path) -> list[tuple[int, Path]]:
    """List the checkpoint files of a work folder with their numbers, in no particular order."""
    found = []
    for path in folder.glob(f"{PREFIX}*{SUFFIX}"):
        number = path.name[len(PREFIX) : -len(SUFFIX)]
        if number.isdecimal():
            found.append((int(number), path))
    return found


class Checkpoints:
    """Write and read the checkpoints of one job: the `CheckpointSink` of `sample_clip`.

    Args:
        folder: The job's work folder; created by the first write.
        key: Hash of everything that decides the latents. Checkpoints with another key are ignored.
        note: Called at each write; returns the note to store (JSON).
        interval: Seconds between the checkpoints that `step` writes.
        clock: Monotonic seconds.
        earlier: Second key whose checkpoints are also resumed: the job has begun with another way of computing.
    """

    def __init__(
        self,
        folder: Path,
        key: str,
        note: Callable[[], dict[str, Any]] = dict,
        interval: float = INTERVAL,
        clock: Callable[[], float] = time.monotonic,
        earlier: str = "",
    ) -> None:
        self.folder = folder
        self.key = key
        self.earlier = earlier
        self.note = note
        self.interval = interval
        self.clock = clock
        self.seconds = 0.0
        """Spent on writing, so far."""
        self._due = clock() + interval
        self._number = max((number for number, _ in numbered(self.folder)), default=0)
        self._failed = False

    def step(self, state: SamplingState) -> None:
        """Write the state if the last checkpoint is older than `interval`. Called after each sampling step."""
        if self.clock() >= self._due:
            self.now(state)

    def now(self, state: SamplingState) -> None:
        """Write the state now. A full disk is logged and sampling continues without the checkpoint."""
        began = self.clock()
        try:
            self._write(state)
            self._failed = False
        except OSError as e:
            if not self._failed:
                cause = "the disk is full" if e.errno == errno.ENOSPC else str(e)
                log.warning("No checkpoint could be written to %s: %s. The job goes on without.", self.folder, cause)
            self._failed = True
        self._due = self.clock() + self.interval
        self.seconds += self.clock() - began

    def load(self) -> Saved | None:
        """Read this job's newest checkpoint that is whole; None if there is none.

        Files that are damaged or of another job are logged and skipped; they never raise.
        """
        for _, path in sorted(numbered(self.folder), reverse=True):
            try:
                header, tensors = _read_whole(path)
                return self._saved(header, tensors) if tensors else None
            except UNUSABLE as e:
                log.warning("Checkpoint %s is not used: %s", path.name, e)
        return None

    def clear(self) -> None:
        """Delete all checkpoints of the folder. One that another program holds open stays."""
        for _, path in numbered(self.folder):
            _delete(path)

    def _write(self, state: SamplingState) -> None:
        tensors = {
            **{f"{CONDITIONING}{name}": tensor for name, tensor in state.conditioning.items()},
            **{f"{HISTORY}{name}": tensor for name, tensor in state.history.items()},
            "rng": state.rng,
            "x": state.x,
            "done": state.done,
        }
        header = {
            "version": VERSION,
            "key": self.key,
            "window": state.window,
            "step": state.step,
            "noise_dtype": str(state.noise_dtype).removeprefix("torch."),
            "note": self.note(),
        }
        present = {name: t.detach().to("cpu").contiguous() for name, t in tensors.items() if t is not None}
        _write_file(self.folder, self._number + 1, header, present)
        self._number += 1
        for number, old in numbered(self.folder):
            if number <= self._number - KEPT:
                _delete(old)

    def _saved(self, header: dict[str, Any], tensors: dict[str, torch.Tensor]) -> Saved:
        if header["key"] not in (self.key, self.earlier or self.key):
            raise ValueError("it belongs to other settings, another photo or another model")
        state = SamplingState(
            conditioning=_named(tensors, CONDITIONING),
            rng=tensors["rng"],
            noise_dtype=getattr(torch, header["noise_dtype"]),
            window=int(header["window"]),
            step=int(header["step"]),
            x=tensors.get("x"),
            done=tensors.get("done"),
            history=_named(tensors, HISTORY),
        )
        if (state.step > 0) != (state.x is not None) or (state.window > 0) != (state.done is not None):
            raise ValueError("its parts do not belong together")
        if not all(torch.isfinite(t).all() for t in tensors.values() if t.is_floating_point()):
            raise ValueError("it holds numbers that are not finite")
        return Saved(state, dict(header["note"]))


def _named(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """Return the tensors whose names begin with a prefix, by the rest of their names."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _write_file(folder: Path, number: int, header: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    make_folder(folder)
    path = folder / f"{PREFIX}{number:06d}{SUFFIX}"
    part = part_path(path)
    try:
        text = json.dumps(header)
        _save(tensors, part, {"fanslymotion": text, "sha256": _checksum(text, tensors)})
        commit(part, path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _read_whole(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Read the header and the tensors of a file. Raise one of UNUSABLE if it is damaged."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        text = metadata["fanslymotion"]
        version = json.loads(text)["version"]
        if version not in (2, VERSION):
            raise ValueError(f"it is of version {version}, this program writes {VERSION}")
        # Copies: what get_tensor gives lies in the mapped file, which Windows would not delete while the job runs.
        tensors: dict[str, torch.Tensor] = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (not a dict)
    if metadata["sha256"] != _checksum(text, tensors):
        raise ValueError("its checksum is wrong: the disk or the memory has changed it")
    if version == 2:
        tensors = {VERSION_2.get(name, name): tensor for name, tensor in tensors.items()}
    return json.loads(text), tensors


def _checksum(text: str, tensors: dict[str, torch.Tensor]) -> str:
    """Compute SHA-256 over the header's text and each tensor's name, type, shape and bytes."""
    digest = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _save(tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str]) -> None:
    try:
        save_file(tensors, path, metadata=metadata)
    except SafetensorError as e:
        # The library wraps the operating system's error in its text: "I/O error: … (os error 28)".
        code = errno.ENOSPC if "os error 28" in str(e) or "os error 112" in str(e) else errno.EIO
        raise OSError(code, str(e)) from e


def _delete(path: Path) -> None:
    with suppress(OSError):  # held open by a scanner on Windows: the next write tries again
        path.unlink(missing_ok=True)
