"""Loading and running a model imports no transformers, no compiler and no other model; all can be imported later."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fanslymotion.pipeline.families.ltx import random_model as ltx
from fanslymotion.pipeline.families.wan import random_model as wan

OTHERS = ("transformers.transformer_flux", "autoencoders.autoencoder_kl", "unets.unet_kandinsky3")
HEAVY = ("transformers", "torch._dynamo", "sympy", *(f"diffusers.models.{name}" for name in OTHERS))

LOAD = """
import gc, importlib.metadata, json, sys
from pathlib import Path
import torch
list_packages = importlib.metadata.packages_distributions
from fanslymotion.pipeline.families import family_of_folder
from fanslymotion.pipeline.families.base import ModelFolder
from fanslymotion.pipeline.families.placement import Placement
from fanslymotion.pipeline.families.weights.light_import import light_diffusers, transformers_class
heavy = json.loads(sys.argv[1])
here = Placement(torch.device("cpu"), torch.float32)
for place in map(Path, sys.argv[2:]):
    kind = family_of_folder(place)
    model = kind.load(ModelFolder(kind.folder_preset(place), place), here, print, True)
    assert not [name for name in heavy if name in sys.modules], kind.name
assert importlib.metadata.packages_distributions is list_packages
"""

ASK_MORE = """
whole = sys.modules.pop("diffusers")  # it is to be imported again: nothing is kept out once it is there
torch.cuda.is_available = lambda: True
with light_diffusers():
    assert sys.modules["transformers"] is None
    assert "torch._dynamo" not in sys.modules, "with a GPU models may be compiled"
assert "transformers" not in sys.modules
torch.cuda.is_available = lambda: False
with light_diffusers():
    import torch._dynamo
    stand_in = sys.modules["torch._dynamo"]
    assert stand_in.disable(len) is len and stand_in.disable(recursive=False)(len) is len
    assert stand_in.allow_in_graph(len) is len
    assert stand_in.assume_constant_result.__module__ == "torch._dynamo.decorators"
    assert sys.modules["torch._dynamo"] is not stand_in
assert sys.modules["torch._dynamo"].allow_in_graph.__module__ == "torch._dynamo.decorators"
frozen = gc.get_freeze_count()
assert transformers_class("T5Config")().d_model
collected = len(gc.get_objects())
assert gc.get_freeze_count() > frozen + 10 * collected, "what comes with it is left out of later collections"
assert transformers_class("T5Config") is sys.modules["transformers"].T5Config
assert len(gc.get_objects()) >= collected, "only at the first time: a model may be there by now"
sys.modules["diffusers"] = whole
import diffusers.models
assert diffusers.models.AutoencoderKL.__module__ == "diffusers.models.autoencoders.autoencoder_kl"
used = sys.modules["diffusers.models.autoencoders.autoencoder_kl_wan"]
assert diffusers.models.AutoencoderKLWan is used.AutoencoderKLWan
"""


@pytest.mark.soak
def test_no_family_needs_transformers_or_a_compiler_to_load(tiny_model: Path, tmp_path: Path) -> None:
    """With a GPU the compiler stays, and without one it answers what else is asked of it: in the same process."""
    others = [made.build(tmp_path / name) for name, made in (("ltx", ltx), ("wan", wan))]
    words = json.dumps(HEAVY), str(tiny_model), *map(str, others)
    without_gpu = os.environ | {"CUDA_VISIBLE_DEVICES": "-1"}
    subprocess.run([sys.executable, "-c", LOAD + ASK_MORE, *words], env=without_gpu, check=True)
