"""What torch leaves out at first is there, and once only, for whatever asks for it first."""

import subprocess
import sys

import pytest

CASES = {
    "an attribute": "assert torch.broadcast_shapes((2, 1), (1, 3)) == (2, 3)",
    "one of its parts": """
from torch._subclasses.fake_tensor import FakeTensorMode
with FakeTensorMode():
    query = torch.empty(1, 2, 4, 8)
    assert torch.nn.functional.scaled_dot_product_attention(query, query, query).shape == query.shape
import torch._dynamo
assert torch.func.vmap(lambda x: x @ x)(torch.ones(2, 3, 3)).sum() == 54
""",
    "a module that it imports": "import torch.utils._content_store",
}
"""What is used first: how."""
TRY = """
import os, sys, traceback
from fanslymotion.pipeline.families.weights.light_torch import DEFERRED, light_torch
with light_torch():
    import torch
with torch.device("meta"):
    torch.nn.MultiheadAttention(4, 2), torch.nn.Conv3d(2, 2, 1), torch.nn.GroupNorm(2, 4), torch.nn.Embedding(3, 4)
drawn = torch.randn(3, generator=torch.Generator("cpu").manual_seed(1)).tolist()
assert DEFERRED not in sys.modules
with light_torch():  # nothing, the second time
    pass
assert DEFERRED not in sys.modules
for case in sys.argv[1:]:
    if not os.fork():
        try:
            exec(case)
            assert DEFERRED in sys.modules
            module, decompositions = torch._refs, torch._decomp.decomposition_table
            import torch._decomp, torch._prims, torch._refs
            assert (torch._refs, torch._decomp.decomposition_table) == (module, decompositions)
            assert sys.modules["torch._refs"] is torch._refs
            assert torch.randn(3, generator=torch.Generator("cpu").manual_seed(1)).tolist() == drawn
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.wait()[1] == 0, case
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no fork there")
def test_it_is_imported_once_whatever_asks_first() -> None:
    """Each in a process of its own, which has imported torch as a worker does."""
    subprocess.run([sys.executable, "-c", TRY, *CASES.values()], check=True)
