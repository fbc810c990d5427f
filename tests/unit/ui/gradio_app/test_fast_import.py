"""The page imports of Gradio what it uses. What was left out comes when it is asked for, as Gradio has it."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fanslymotion.ui.gradio_app.stand_ins import Later, without_modules, without_names

HEAVY = ("torch", "diffusers", "pandas", "rich", "typer", "huggingface_hub.hf_api", "huggingface_hub.inference")

PAGE = f"""
import inspect, sys
import jinja2
template, getfile = jinja2.Template, inspect.getfile
import fanslymotion.ui.app
from fanslymotion.ui.gradio_app.fast_import import UNUSED_MODULES, gradio
assert [name for name in ({HEAVY} + UNUSED_MODULES) if name in sys.modules] == []
assert (jinja2.Template, inspect.getfile) == (template, getfile)
"""

ASKED = """
from gradio import caching, processing_utils, routes
table = caching.pd.DataFrame({"a": [1]})
import pandas
assert isinstance(table, pandas.DataFrame) and pandas is sys.modules["pandas"]

import huggingface_hub, httpx
assert isinstance(routes.HfApi(), huggingface_hub.HfApi) and isinstance(huggingface_hub.HfApi, type)
assert httpx.create_ssl_context().get_ca_certs(), "the control: there are some"
context = processing_utils.sync_client._transport._pool._ssl_context
assert context.check_hostname and context.get_ca_certs() == httpx.create_ssl_context().get_ca_certs()

import gradio.workflow
from gradio.external import load
assert isinstance(gradio.workflow.Workflow, type) and load.__module__ == "gradio.external"
"""


def test_the_page_is_light_and_what_was_left_out_comes_when_it_is_asked_for(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PAGE + ASKED], cwd=tmp_path, capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")


FILES = {
    "__init__.py": """
def __getattr__(name):
    if name != "late":
        raise AttributeError(name)
    return "it is late"
""",
    "costly.py": """
class Thing:
    kind = "costly"
    def __init__(self, size=1):
        self.size = size
""",
    "user.py": """
import with_parts.costly as whole
from . import late
from .costly import Thing
""",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Its name. It has a part that costs much, and one that imports something of it."""
    folder = tmp_path / "with_parts"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield folder.name
    for name in [one for one in sys.modules if one.partition(".")[0] == folder.name]:
        del sys.modules[name]


def test_a_module_is_imported_when_something_of_it_is_used(package: str) -> None:
    costly = f"{package}.costly"
    with without_modules(costly), without_names(importlib.import_module(package), "late"):
        user = importlib.import_module(f"{package}.user")
    assert costly not in sys.modules
    assert user.Thing(size=3).size == 3
    assert costly in sys.modules
    assert isinstance(user.Thing(), sys.modules[costly].Thing)
    assert user.Thing.kind == "costly"
    assert user.whole.Thing is sys.modules[costly].Thing
    assert user.late.upper() == "IT IS LATE"
    assert "late" not in vars(sys.modules[package])


def test_what_is_there_already_stays(package: str) -> None:
    costly = importlib.import_module(f"{package}.costly")
    whole = sys.modules[package]
    whole.late = "its own"  # type: ignore[attr-defined]
    with without_modules(costly.__name__), without_names(whole, "late"):
        user = importlib.import_module(f"{package}.user")
    assert user.Thing is costly.Thing
    assert (user.late, whole.late) == ("its own", "its own")


def test_it_is_made_once_and_not_before_it_is_used() -> None:
    made: list[int] = []
    later = Later(lambda: made.append(1) or str)
    assert made == []
    assert later(7) == "7"
    assert later.upper("a") == "A"
    assert made == [1]
    with pytest.raises(AttributeError):
        later.__enter__()
