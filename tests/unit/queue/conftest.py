"""A store without a worker, and the state changes that a worker would make."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fanslymotion.pipeline.request import VideoRequest, VideoResult
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store.store import Store
from fanslymotion.settings import Settings

REQUEST = VideoRequest(resolution="480p", seconds=6, quality="standard", seed=1)


@pytest.fixture
def jobs(settings: Settings) -> Iterator[Jobs]:
    made = Jobs(settings)
    yield made
    made.close()


@pytest.fixture
def store(jobs: Jobs) -> Store:
    return jobs.store


@pytest.fixture
def result(tmp_path: Path) -> VideoResult:
    return VideoResult(
        path=tmp_path / "v.mp4", width=848, height=480, frames=72, fps=12, stage_seconds={}, warnings=("note",)
    )
