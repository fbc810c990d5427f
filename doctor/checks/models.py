"""Check the models' files, and load a model if that is asked for."""

import json
from collections.abc import Iterator

from ...messages import codes
from ...models.find import default_model
from ...models.registry import list_models
from .. import loading
from ..diagnosis import size
from ..examination import Examination
from ..finding import BROKEN, UNKNOWN, Finding, fault, ok
from ..subprocesses import last_error, run_python

LOAD = (
    "import sys, fanslymotion.doctor.loading as loading; from fanslymotion.settings import Settings; "
    "loading.main(Settings.from_env(), sys.argv[1])"
)
"""Code of the process that loads a model."""


def check_models(examination: Examination) -> Iterator[Finding]:
    """Check that a model is ready and that none is damaged."""
    entries = list_models(examination.presets, examination.settings)
    damaged = [entry for entry in entries if entry.state == "damaged"]
    for entry in damaged:
        values = {"error": entry.problem, "model": entry.name, "variant": entry.preset.source}
        yield fault("models", BROKEN, "FM-MODEL-002", **values)
    ready = [entry.name for entry in entries if entry.ready]
    if ready and not damaged:
        yield ok("models", names=", ".join(ready))
    elif not ready:
        yield fault("models", BROKEN, codes.MODEL_ABSENT, model="mini", variant="bundled")


def check_loading(examination: Examination) -> Iterator[Finding]:
    """Load the default model in its own process, if that is asked for."""
    if not examination.load:
        yield Finding("load", UNKNOWN, detail="load_skipped")
        return
    model = default_model(examination.presets, examination.settings)
    done = run_python(examination.settings, "-c", LOAD, model)
    if done.returncode:
        code = codes.MEMORY_WHILE_LOADING if done.returncode in (loading.OUT_OF_MEMORY, -9) else codes.MODEL_UNLOADABLE
        yield fault("load", BROKEN, code, error=last_error(done), model=model, variant="alone")
        return
    told = json.loads(done.stdout.splitlines()[-1])
    yield ok("load", model=model, seconds=told["seconds"], memory=size(told["bytes"]), device=told["device"])
