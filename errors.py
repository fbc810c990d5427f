"""The errors that reach a person: each message says what happened, the value, and what to do."""


class FanslymotionError(Exception):
    """Base of all errors whose text is meant to be read by the user, without a traceback."""


class BadInput(FanslymotionError):
    """The request cannot be carried out as it was made; nothing has been written. CLI exit code 2."""


class PresetError(BadInput):
    """A preset file is wrong: the message names file, key and value."""


class ModelError(FanslymotionError):
    """A model folder is missing, incomplete or not of the Stable Video Diffusion architecture."""


class RenderError(FanslymotionError):
    """The job ran but its result must not be delivered (black, constant or NaN frames; encoder failed)."""


class StoreError(FanslymotionError):
    """The jobs' database cannot be used: locked for too long, corrupt, full disk, or from a newer version."""


class StartError(FanslymotionError):
    """The page cannot be built on this machine."""


class NotFound(FanslymotionError):
    """There is no such job, or it belongs to somebody else."""


class Cancelled(Exception):
    """Raised inside the pipeline at the next step after the job's cancel flag was set. Not an error."""


class HandBack(Exception):
    """Raised inside the pipeline at the next step when the worker must stop: the job goes back to the queue."""
