"""The states of a clip that a keeper has, as another program finds them."""

from pathlib import Path

from fanslymotion.bench.keepers import Everything
from fanslymotion.pipeline.checkpoint import Checkpoints
from fanslymotion.pipeline.sampling.windowed import SamplingState


def read_back(keeper: Everything, step: int, steps: int, folder: Path) -> SamplingState:
    """Write a state into the file that a checkpoint is, and read it.

    Args:
        keeper: Has every state of a clip of two windows.
        step: Steps done in both windows together, from 1.
        steps: Of each window.
        folder: Where the file goes.
    """
    state = keeper.states[step - 1 + (step > steps)]  # one more was kept at the first window's end
    Checkpoints(folder, "key").now(state)
    saved = Checkpoints(folder, "key").load()
    assert saved is not None
    assert (saved.state.window, saved.state.step) == (state.window, state.step)
    return saved.state
