"""Keepers of a clip's states (`sampling.windowed.CheckpointSink`) that write no files: for benches and tests."""

from fanslymotion.pipeline.sampling.windowed import SamplingState


class Nowhere:
    """Keeps nothing."""

    def step(self, state: SamplingState) -> None: ...

    def now(self, state: SamplingState) -> None: ...


class Everything:
    """Keeps each state that may be resumed."""

    def __init__(self) -> None:
        self.states: list[SamplingState] = []

    def step(self, state: SamplingState) -> None:
        self.states.append(state)

    def now(self, state: SamplingState) -> None:
        self.states.append(state)
