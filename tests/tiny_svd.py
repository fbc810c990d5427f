"""Build the random tiny SVD model once, for all tests of a session and of the sessions after it."""

import hashlib
import inspect
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from fanslymotion.pipeline.families.svd import random_model
from fanslymotion.settings import ROOT
from filelock import FileLock

BUILD = "import sys, pathlib; from {} import build; build(pathlib.Path(sys.argv[1]), width={}, height={}, frames={})"


def built(width: int, height: int, frames: int = random_model.FRAMES) -> Path:
    """Return the model's folder; built anew only when its source or a library that writes it has changed.

    By a process of its own, so that torch does not come into this one. xdist's processes ask for it at the same moment:
    one builds it, the others wait. `build` is whole or absent.

    Args:
        width: Of what it draws, in pixels.
        height: Likewise.
        frames: Of one window.
    """
    made_of = [inspect.getsource(random_model), *map(version, ("torch", "diffusers", "transformers"))]
    name = f"mini-random-{width}x{height}x{frames}-{hashlib.sha256(''.join(made_of).encode()).hexdigest()[:12]}"
    folder = ROOT / "build" / "tests" / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{name}.lock")):
        if not (folder / "model_index.json").is_file():
            code = BUILD.format(random_model.__name__, width, height, frames)
            subprocess.run([sys.executable, "-c", code, str(folder)], check=True)
    return folder
