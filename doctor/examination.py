"""Hold what the checks share: settings, options, and the store and presets, opened on first use."""

from functools import cached_property

from ..presets import Presets, load_presets
from ..queue.jobs import Jobs
from ..settings import Settings


class Examination:
    """One run of the checks.

    Args:
        settings: of the data folder to check.
        load: also load a model, in its own process.
        page: also build the page, in its own process.
    """

    def __init__(self, settings: Settings, load: bool = False, page: bool = False) -> None:
        self.settings, self.load, self.page = settings, load, page

    @cached_property
    def jobs(self) -> Jobs:
        """Open the queue. Raise StoreError."""
        return Jobs(self.settings)

    @cached_property
    def presets(self) -> Presets:
        """Read the presets. Raise PresetError."""
        return load_presets(self.settings)
