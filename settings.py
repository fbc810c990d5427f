"""Define folders and addresses. There is one settings object, which is passed as an argument."""

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from .errors import BadInput
from .messages import msg

ROOT = Path(__file__).resolve().parent
"""The checkout: the package's own files (presets, bundled model, sample photo)."""

COMPILE = ("auto", "always", "never")
"""Values of `Settings.compile`."""

SHOWN = 80
"""Characters of a path that an error quotes."""


@dataclass(frozen=True)
class Settings:
    """Folders and addresses. Only `from_env` reads the environment.

    Attributes:
        home: the data folder (`FANSLYMOTION_HOME`, default `data/` in the checkout): database, jobs, logs, own presets.
        models: downloaded models (`FANSLYMOTION_MODELS`, default `cache/models/` in the checkout).
        database: peewee URL of the jobs' database (`FANSLYMOTION_DATABASE`, default SQLite in `home`).
        idle_seconds: time without a job after which the model is unloaded (`FANSLYMOTION_IDLE`, default 600; 0: never).
        gpus: which GPUs get a worker (`FANSLYMOTION_GPUS`, default `all`): `all`, `none`, or numbers and UUIDs as
            `nvidia-smi -L` lists them, with commas between them.
        compile: whether models are compiled for their GPU (`FANSLYMOTION_COMPILE`, default `auto`): `auto` once that
            pays, `always` from the first video on, `never`.
    """

    home: Path
    models: Path
    database: str
    idle_seconds: float = 600.0
    gpus: str = "all"
    compile: str = "auto"

    @classmethod
    def local(cls, home: Path, models: Path) -> "Settings":
        """Make settings with the database in `home`; its path may hold any characters."""
        return cls(home, models, _database_in(home))

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings from the environment. Raise BadInput for a wrong value."""
        home = own_path(environ.get("FANSLYMOTION_HOME") or ROOT / "data", "FANSLYMOTION_HOME")
        models = own_path(environ.get("FANSLYMOTION_MODELS") or ROOT / "cache" / "models", "FANSLYMOTION_MODELS")
        database = environ.get("FANSLYMOTION_DATABASE") or _database_in(home)
        idle = _seconds("FANSLYMOTION_IDLE", environ.get("FANSLYMOTION_IDLE") or "600")
        gpus = _gpus("FANSLYMOTION_GPUS", environ.get("FANSLYMOTION_GPUS") or "all")
        compiled = _one_of(COMPILE, "FANSLYMOTION_COMPILE", environ.get("FANSLYMOTION_COMPILE") or "auto")
        return cls(home, models, database, idle, gpus, compiled)

    def environ(self, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Return the environment for a child process with the same settings."""
        return {
            **environ,
            "FANSLYMOTION_HOME": str(self.home),
            "FANSLYMOTION_MODELS": str(self.models),
            "FANSLYMOTION_DATABASE": self.database,
            "FANSLYMOTION_IDLE": f"{self.idle_seconds:g}",
            "FANSLYMOTION_GPUS": self.gpus,
            "FANSLYMOTION_COMPILE": self.compile,
        }

    @property
    def jobs_dir(self) -> Path:
        """Return the folder with a folder for each job: normalised photo, checkpoints while it runs, finished video."""
        return self.home / "jobs"

    @property
    def logs_dir(self) -> Path:
        """Return the folder of logs."""
        return self.home / "logs"

    @property
    def presets_dir(self) -> Path:
        """Return the folder of the user's own preset files, which add to or override the bundled ones."""
        return self.home / "presets"

    @property
    def prompts_dir(self) -> Path:
        """Return the folder of encoded prompts; what lies there can be made again."""
        return self.home / "words"

    @property
    def compiled_dir(self) -> Path:
        """Return the folder of what compilers made for this machine's GPUs; it can be made again."""
        return self.home / "compiled"

    def job_dir(self, job_id: str) -> Path:
        """Return a job's folder."""
        return self.jobs_dir / job_id


def own_path(words: str | Path, what: str) -> Path:
    """Convert a path from the user into an absolute one. `~` is a home folder. The path need not exist.

    Args:
        words: the path.
        what: the option or variable that named it.

    Raises:
        BadInput: it cannot be a path on this machine.
    """
    said = {"what": what, "path": str(words)[:SHOWN]}
    try:
        path = Path(words).expanduser()
    except RuntimeError as e:
        raise BadInput(msg("{what} is {path!r}: this machine has no such user; write the whole path", **said)) from e
    try:
        path = path.absolute()
    except OSError as e:
        raise BadInput(msg("the folder that this command runs in is gone; change to another one (cd)")) from e
    try:
        str(path).encode()  # it goes into databases, JSON and TOML
        path.lstat()
    except UnicodeEncodeError as e:
        raise BadInput(
            msg("{what} is {path!r}: this name is not written in UTF-8; rename it, or choose another place", **said)
        ) from e
    except (OSError, ValueError) as e:
        if isinstance(e, ValueError) or e.errno in (errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL):
            reason = getattr(e, "strerror", None) or e
            raise BadInput(
                msg("{what} is {path!r}: no file can be called so ({error}); choose another name", **said, error=reason)
            ) from e
    return path


def _database_in(home: Path) -> str:
    return f"sqlite:///{quote((home / 'jobs.db').as_posix(), safe='/:')}"


def _seconds(name: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise BadInput(msg("{name} is {text!r}; it must be a number of seconds, 0 or more", name=name, text=text))
    return seconds


def _one_of(values: tuple[str, ...], name: str, text: str) -> str:
    if text not in values:
        raise BadInput(
            msg("{name} is {text!r}; it must be one of {values}", name=name, text=text, values=", ".join(values))
        )
    return text


def _gpus(name: str, text: str) -> str:
    entries = [entry.strip() for entry in text.split(",")]
    if entries not in (["all"], ["none"]) and not all(x.isdecimal() or x.startswith("GPU-") for x in entries):
        raise BadInput(
            msg(
                "{name} is {text!r}; it must be all, none, or numbers or UUIDs of GPUs with commas between them "
                "(nvidia-smi -L lists both)",
                name=name,
                text=text,
            )
        )
    return ",".join(entries)
