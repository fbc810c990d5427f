"""The states of a clip that a checkpoints has, as another program finds them."""

from pathlib import Path

from fanslymotion.bench.checkpoint_sinks import Everything
from fanslymotion.pipeline.checkpoint import Checkpoints
from fanslymotion.pipeline.sampling.windowed import SamplingState


def read_back(checkpoints: Everything, step: int, steps: int, folder: Path) -> SamplingState:
    """Return a state of a clip all of whose states are kept, as `through_file` does.

    Args:
        checkpoints: Has every state of a clip of two windows.
        step: Steps done in both windows together, from 1.
        steps: Of each window.
        folder: Where the file goes.
    """
    return through_file(checkpoints.states[step - 1 + (step > steps)], folder)  # and one at the first window's end


def through_file(state: SamplingState, folder: Path) -> SamplingState:
    """Write a state into the file that a checkpoint is, in `folder`, and read it."""
    Checkpoints(folder, "key").now(state)
    saved = Checkpoints(folder, "key").load()
    assert saved is not None
    assert (saved.state.window, saved.state.step) == (state.window, state.step)
    return saved.state
