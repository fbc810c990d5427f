"""Every route of ours, fuzzed from its OpenAPI description: nothing makes the program fail."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
from fanslymotion.tests.studio import Studio
from fanslymotion.ui.app import ROUTES
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable

PATIENCE = 20.0
EXAMPLES = 60
"""Requests to each route."""


@pytest.fixture(scope="module")
def attacked(make_studio: Callable[..., Studio]) -> Studio:
    return make_studio("--no-worker")


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    """What FastAPI says of the routes; the page itself does not publish it."""
    app = FastAPI()
    for module in ROUTES:
        app.include_router(module.router)
    return app.openapi()


def can_be_wrong(parameter: dict[str, Any]) -> bool:
    """Tell whether a value exists that is not as described: a name in a path may be any text."""
    return parameter["in"] != "path" or bool(parameter["schema"].keys() - {"type", "title"})


@pytest.mark.soak
def test_no_request_makes_the_program_fail(attacked: Studio, described: dict[str, Any]) -> None:
    """EXAMPLES of each route, half of them not as described where something can be wrong."""
    import schemathesis  # a second, which the other tests' processes need not spend

    positive, negative = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
    schema = schemathesis.openapi.from_dict(described)
    routes = [result.ok() for result in schema.get_all_operations()]
    assert len(routes) > 30, "the description holds our routes"
    failed: list[str] = []

    def attack(case: Any) -> None:
        words = case.as_transport_kwargs(base_url=attacked.url)
        words["headers"] = {**(words.get("headers") or {}), "Origin": attacked.url}
        try:
            with requests.request(**words, stream=True, timeout=PATIENCE, allow_redirects=False) as answer:
                if answer.status_code >= 500:
                    failed.append(f"{answer.status_code}: {words}")
        except (requests.exceptions.InvalidHeader, UnicodeError, ValueError):
            pass  # requests itself cannot send it

    quiet = settings(
        max_examples=EXAMPLES // 2,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    for route in routes:
        parameters = described["paths"][route.path][route.method].get("parameters", [])
        for mode in (positive, negative) if any(map(can_be_wrong, parameters)) else (positive,):
            try:
                quiet(given(case=route.as_strategy(generation_mode=mode))(attack))()
            except (Unsatisfiable, schemathesis.errors.InvalidSchema) as e:
                failed.append(f"{route.label} ({mode.value}): {e}")
    assert failed == []
    assert "Traceback" not in attacked.said
    assert requests.get(attacked.url, timeout=PATIENCE).status_code == 200
