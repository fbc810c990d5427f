"""Where things live on this machine. The one settings object; everything takes it as an argument."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from .errors import BadInput

ROOT = Path(__file__).resolve().parent
"""The checkout: the package's own files (presets, bundled model, sample photo)."""


@dataclass(frozen=True)
class Settings:
    """Folders and addresses. `from_env` is the only place that reads the environment.

    home: the data folder (`FANSLYMOTION_HOME`, default `data/` in the checkout): database, jobs, logs, own presets.
    models: downloaded models (`FANSLYMOTION_MODELS`, default `cache/models/` in the checkout).
    database: peewee URL of the jobs' database (`FANSLYMOTION_DATABASE`, default SQLite in `home`).
    idle_seconds: without a job, after which the model leaves the memory (`FANSLYMOTION_IDLE`, default 600; 0: never).
    """

    home: Path
    models: Path
    database: str
    idle_seconds: float = 600.0

    @classmethod
    def local(cls, home: Path, models: Path) -> "Settings":
        """With the database in `home`, whatever letters are in its path."""
        return cls(home, models, _database_in(home))

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        home = Path(environ.get("FANSLYMOTION_HOME") or ROOT / "data").expanduser().absolute()
        models = Path(environ.get("FANSLYMOTION_MODELS") or ROOT / "cache" / "models").expanduser().absolute()
        database = environ.get("FANSLYMOTION_DATABASE") or _database_in(home)
        return cls(home, models, database, _seconds("FANSLYMOTION_IDLE", environ.get("FANSLYMOTION_IDLE") or "600"))

    def environ(self, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
        """For a child process that is to have the same settings."""
        return {
            **environ,
            "FANSLYMOTION_HOME": str(self.home),
            "FANSLYMOTION_MODELS": str(self.models),
            "FANSLYMOTION_DATABASE": self.database,
            "FANSLYMOTION_IDLE": f"{self.idle_seconds:g}",
        }

    @property
    def jobs_dir(self) -> Path:
        """One folder per job: normalised photo, checkpoints while it runs, the finished video."""
        return self.home / "jobs"

    @property
    def logs_dir(self) -> Path:
        return self.home / "logs"

    @property
    def presets_dir(self) -> Path:
        """The user's own preset files; they add to or override the bundled ones."""
        return self.home / "presets"

    def job_dir(self, job_id: str) -> Path:
        return self.jobs_dir / job_id


def _database_in(home: Path) -> str:
    return f"sqlite:///{quote((home / 'jobs.db').as_posix(), safe='/:')}"


def _seconds(name: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise BadInput(f"{name} is {text!r}; it must be a number of seconds, 0 or more")
    return seconds
