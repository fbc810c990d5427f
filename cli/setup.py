"""The command `fanslymotion setup`: have the launcher look at every package."""

import subprocess
import sys
from typing import Annotated

import typer

from ..errors import BadInput
from ..messages import msg
from ..settings import ROOT


def setup(
    dev: Annotated[bool, typer.Option("--dev", help="Also what the tests need.")] = False,
) -> None:
    """Check all packages, install what is missing. `launch.sh setup --repair` makes .venv anew."""
    launcher = ROOT / "launch.py"
    if not launcher.is_file():
        raise BadInput(
            msg(
                "fanslymotion was installed as a package; mend it with: {command}",
                command="pip install -U fanslymotion",
            )
        )
    # The Python that .venv was made with: the one in .venv is what may need mending.
    python = getattr(sys, "_base_executable", "") or sys.executable
    raise typer.Exit(subprocess.call([python, str(launcher), "setup", *(["--dev"] if dev else [])]))
