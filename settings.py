"""Where things live on this machine. The one settings object; everything takes it as an argument."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent
"""The checkout: the package's own files (presets, bundled model, sample photo)."""


@dataclass(frozen=True)
class Settings:
    """Folders and addresses. `from_env` is the only place that reads the environment.

    home: the data folder (`FANSLYMOTION_HOME`, default `data/` in the checkout): database, jobs, logs, own presets.
    models: downloaded models (`FANSLYMOTION_MODELS`, default `cache/models/` in the checkout).
    database: peewee URL of the jobs' database (`FANSLYMOTION_DATABASE`, default SQLite in `home`).
    """

    home: Path
    models: Path
    database: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        home = Path(environ.get("FANSLYMOTION_HOME") or ROOT / "data").expanduser().absolute()
        models = Path(environ.get("FANSLYMOTION_MODELS") or ROOT / "cache" / "models").expanduser().absolute()
        return cls(home, models, environ.get("FANSLYMOTION_DATABASE") or f"sqlite:///{(home / 'jobs.db').as_posix()}")

    def environ(self, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
        """For a child process that is to have the same settings."""
        return {
            **environ,
            "FANSLYMOTION_HOME": str(self.home),
            "FANSLYMOTION_MODELS": str(self.models),
            "FANSLYMOTION_DATABASE": self.database,
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
