"""The page imports no heavy library with Gradio. What was left out comes when it is asked for, as Gradio has it."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "diffusers", "pandas")

PAGE = f"""
import inspect, sys
import jinja2
template, getfile = jinja2.Template, inspect.getfile
import fanslymotion.ui.app
assert [name for name in {HEAVY} if name in sys.modules] == []
assert (jinja2.Template, inspect.getfile) == (template, getfile)
"""

ASKED = """
from gradio import caching
table = caching.pd.DataFrame({"a": [1]})
import pandas
assert isinstance(table, pandas.DataFrame) and pandas is sys.modules["pandas"]
"""


@pytest.mark.soak
def test_the_page_is_light_and_what_was_left_out_comes_when_it_is_asked_for(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PAGE + ASKED], cwd=tmp_path, capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
