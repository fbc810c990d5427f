"""Cases of a parametrised test that run with the soak tests: rare ones, and second ones of a kind."""

from typing import Any

import pytest


def soak(*cases: Any) -> list[Any]:
    """Mark cases as soak tests.

    Args:
        cases: A value each, or a tuple of values, as `pytest.mark.parametrize` takes them.

    Returns:
        What goes into the list of the test's cases, beside those of the default run.
    """
    return [pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.soak) for case in cases]
