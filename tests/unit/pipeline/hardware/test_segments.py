"""What the worker's process is told about the memory of a graphics card."""

import pytest
from fanslymotion.pipeline.hardware import malloc
from fanslymotion.pipeline.hardware.malloc import grow_segments
from fanslymotion.pipeline.hardware.torch_build import TorchBuild


@pytest.mark.parametrize(
    ("system", "cuda", "environ", "grows"),
    [
        ("linux", (13, 0), {}, True),
        ("linux", None, {}, False),
        ("win32", (13, 0), {}, False),
        ("linux", (13, 0), {"PYTORCH_ALLOC_CONF": "expandable_segments:False"}, False),
        ("linux", (13, 0), {"PYTORCH_CUDA_ALLOC_CONF": "max_split_size_mb:512"}, False),
    ],
)
def test_a_cards_memory_grows_in_segments_where_torch_can_and_nobody_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, system: str, cuda: tuple[int, int] | None, environ: dict[str, str], grows: bool
) -> None:
    monkeypatch.setattr(malloc.sys, "platform", system)
    monkeypatch.setattr(malloc, "torch_build", lambda: TorchBuild("2.13.0", cuda))
    assert grow_segments(environ) == ({"PYTORCH_ALLOC_CONF": "expandable_segments:True"} if grows else {})
