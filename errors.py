"""Define errors for the user. Each message tells what happened, the value, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .messages import Message, as_message, codes, msg

if TYPE_CHECKING:
    from pathlib import Path


class FanslymotionError(Exception):
    """Base of all errors whose text is for the user, without a traceback.

    Args:
        message: made by `messages.msg`, so that it can be translated; a plain string is shown unchanged.
        code: of the fault (`FM-DISK-001`) that explains the error; by default the message's own, or the class's.
    """

    code = ""

    def __init__(self, message: str = "", *, code: str = "") -> None:
        self.message: Message = as_message(message, code or self.code)
        self.code = code or self.message.code
        super().__init__(self.message)


class BadInput(FanslymotionError):
    """The request cannot be carried out. Nothing has been written. CLI exit code 2."""


class PhotoError(BadInput):
    """The photo is damaged, too large, or no photo."""

    code = codes.BAD_PHOTO


class PresetError(BadInput):
    """A preset file is wrong: the message names file, key and value."""

    code = codes.WRONG_SETTING


class ModelError(FanslymotionError):
    """A model folder is missing, incomplete or not of the Stable Video Diffusion architecture."""

    code = codes.MODEL_UNLOADABLE


class RenderError(FanslymotionError):
    """The job ran but its result must not be delivered (black, constant or NaN frames; encoder failed)."""


class StoreError(FanslymotionError):
    """The jobs' database cannot be used: locked for too long, corrupt, full disk, or from a newer version."""


class StartError(FanslymotionError):
    """The page, or a process that it needs, cannot be started on this machine."""


class NotFound(FanslymotionError):
    """The job does not exist, or belongs to another owner."""


class Cancelled(Exception):
    """Raised inside the pipeline at the next step after the job's cancel flag was set. Not an error."""


class HandBack(Exception):
    """Raised inside the pipeline at the next step when the worker must stop: the job returns to the queue."""


def words_of(error: Exception) -> str:
    """Return what an error says, for a sentence that quotes it: a Message stays one, a system's number is left out."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return error.args[0] if error.args and isinstance(error.args[0], Message) else str(error)


def no_access(path: Path | str, error: Exception) -> ModelError | None:
    """Return the error for a model's file or folder that the system refuses to read; None for any other cause."""
    if not isinstance(error, OSError) or isinstance(error, FileNotFoundError):
        return None
    return ModelError(
        msg(
            "{file} cannot be read: {error}; check its rights, and whether its disk or share is connected",
            file=path,
            error=words_of(error),
        )
    )
