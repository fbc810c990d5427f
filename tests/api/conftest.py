"""One studio with logins for all tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fanslymotion.tests.api.logins import ANNA, BEN, CARL
from fanslymotion.tests.studio import Studio


@pytest.fixture(scope="package")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Gradio would keep files of its own."""
    return tmp_path_factory.mktemp("cache") / "gradio"


@pytest.fixture(scope="package")
def guarded(tmp_path_factory: pytest.TempPathFactory, models_dir: Path, cache: Path) -> Iterator[Studio]:
    """Without a worker. Tests do not stop it, and guess no password but Carl's."""
    words = [word for login in (ANNA, BEN, CARL) for word in ("--auth", ":".join(login))]
    home = tmp_path_factory.mktemp("guarded") / "data папка"
    studio = Studio(home, models_dir, (*words, "--no-worker"), more={"GRADIO_TEMP_DIR": str(cache)})
    studio.start()
    yield studio
    studio.kill()
