"""Loading and running a model imports neither transformers nor torch's compiler, and both can be imported later."""

import json
import subprocess
import sys
from pathlib import Path

from fanslymotion.pipeline.families.ltx import random_model as ltx
from fanslymotion.pipeline.families.wan import random_model as wan

HEAVY = ("transformers", "torch._dynamo", "sympy")

LOAD = """
import json, sys
from pathlib import Path
import torch
from fanslymotion.pipeline.families import family_of_folder
from fanslymotion.pipeline.families.base import ModelFolder
from fanslymotion.pipeline.families.placement import Placement
heavy = json.loads(sys.argv[1])
here = Placement(torch.device("cpu"), torch.float32)
for place in map(Path, sys.argv[2:]):
    kind = family_of_folder(place)
    model = kind.load(ModelFolder(kind.folder_preset(place), place), here, print, True)
    assert not [name for name in heavy if name in sys.modules], kind.name
import torch._dynamo, transformers
from diffusers.models.attention import FeedForward
assert torch._dynamo.allow_in_graph.__module__ == "torch._dynamo.decorators"
assert torch.compile(FeedForward(8), backend="eager", fullgraph=True)(torch.ones(1, 2, 8)).shape == (1, 2, 8)
assert transformers.CLIPVisionModelWithProjection
"""

ASK_MORE = """
import sys, torch
from fanslymotion.pipeline.families.weights.light_import import light_diffusers
with light_diffusers():
    import torch._dynamo
    stand_in = sys.modules["torch._dynamo"]
    assert stand_in.disable(len) is len and stand_in.disable(recursive=False)(len) is len
    assert stand_in.allow_in_graph(len) is len
    assert stand_in.assume_constant_result.__module__ == "torch._dynamo.decorators"
    assert sys.modules["torch._dynamo"] is not stand_in
assert sys.modules["torch._dynamo"].allow_in_graph.__module__ == "torch._dynamo.decorators"
"""


def python(code: str, *words: str) -> None:
    subprocess.run([sys.executable, "-c", code, *words], check=True)


def test_no_family_needs_transformers_or_a_compiler_to_load(tiny_model: Path, tmp_path: Path) -> None:
    others = [made.build(tmp_path / name) for name, made in (("ltx", ltx), ("wan", wan))]
    python(LOAD, json.dumps(HEAVY), str(tiny_model), *map(str, others))


def test_what_else_is_asked_of_the_compiler_comes_from_it() -> None:
    python(ASK_MORE)
