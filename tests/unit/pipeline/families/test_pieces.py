"""Blocks in pieces of their tokens: the very numbers on a processor, with less memory, whatever hooks they have."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from fanslymotion.pipeline.families import family
from fanslymotion.pipeline.families.base import ModelFolder, Offload
from fanslymotion.pipeline.families.placement import Placement
from fanslymotion.pipeline.families.weights import pieces
from fanslymotion.pipeline.families.weights.pieces import set_pieces

CPU = torch.device("cpu")
TOKENS = (3, 4, 6)
"""Latent frames, height, width."""


def load(folder: ModelFolder, offload: Offload = Offload.NONE, dtype: torch.dtype = torch.float32) -> Any:
    return family(folder.preset.family).load(folder, Placement(CPU, dtype, offload), lambda part: None, True)


@pytest.fixture(scope="module")
def kept() -> dict[tuple[str, torch.dtype], Any]:
    """The models, by name and kind of numbers, loaded once: a test takes off what it has set."""
    return {}


def given(name: str, transformer: Any, dtype: torch.dtype) -> dict[str, Any]:
    """Return random inputs of a pass."""
    draw = torch.Generator().manual_seed(1)
    config, (frames, height, width) = transformer.config, TOKENS

    def numbers(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=draw).to(dtype)

    if name == "ltx":
        count = frames * height * width
        return {
            "hidden_states": numbers(1, count, config.in_channels),
            "encoder_hidden_states": numbers(1, 7, config.caption_channels),
            "timestep": torch.linspace(0, 900, count).unsqueeze(0),
            "encoder_attention_mask": torch.tensor([[1.0] * 5 + [0.0] * 2]),
            "num_frames": frames,
            "height": height,
            "width": width,
            "rope_interpolation_scale": (1.0, 32.0, 32.0),
        }
    each = torch.linspace(0, 900, frames * (height // 2) * (width // 2)).unsqueeze(0)
    return {
        "hidden_states": numbers(1, config.in_channels, frames, height, width),
        "encoder_hidden_states": numbers(1, 7, config.text_dim),
        "timestep": each if name == "wan" else torch.tensor([500.0]),
    }


def result(transformer: Any, inputs: dict[str, Any]) -> torch.Tensor:
    with torch.no_grad():
        return transformer(**inputs, return_dict=False)[0]


@pytest.fixture(params=["ltx", "wan", "wan_a14b"])
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [1, 100, 300, 600, 2**25])
def test_pieces_give_the_very_numbers(
    model: Any, name: str, dtype: torch.dtype, size: int, kept: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """size: numbers of a piece. Three tokens at a time (100) are multiplied by another kernel: it rounds otherwise."""
    monkeypatch.setattr(pieces, "PIECE", size)
    loaded = kept.get((name, dtype)) or kept.setdefault((name, dtype), load(model.model, dtype=dtype))
    transformer = loaded.bring("transformer")
    inputs = given(name, transformer, dtype)
    meant = result(transformer, inputs)
    set_pieces(transformer, loaded.compute_block, True)
    found = result(transformer, inputs)
    if size <= 100:
        torch.testing.assert_close(found, meant, rtol=1e-5, atol=1e-5 if dtype is torch.float32 else 0.05)
    else:
        assert torch.equal(found, meant)
    set_pieces(transformer, loaded.compute_block, False)
    assert torch.equal(result(transformer, inputs), meant)
    assert not any("forward" in one.__dict__ for one in transformer.modules())


@pytest.mark.parametrize("offload", [Offload.NONE, Offload.MODEL, Offload.GROUP])
def test_a_plan_turns_them_on_and_off(model: Any, name: str, offload: Offload, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hooks are put on while a model is loaded, the plan may change later."""
    monkeypatch.setattr(pieces, "PIECE", 300)
    calls: list[int] = []
    loaded = load(model.model, offload)
    compute = type(loaded).compute_block

    def counted(*parts: Any, **named: Any) -> torch.Tensor:
        calls.append(1)
        return compute(*parts, **named)

    plan = SimpleNamespace(chunked=True, decode_chunk=4, device="cpu", in_turn=False, offload=offload)
    loaded.prepare(plan)
    transformer = loaded.bring("transformer")
    found = [one.__dict__["in_pieces"] for one in transformer.modules() if "in_pieces" in one.__dict__]
    assert found
    assert all(one.on for one in found)
    for one in found:
        monkeypatch.setattr(one, "_compute", counted)
    inputs = given(name, transformer, torch.float32)
    in_pieces = result(transformer, inputs)
    assert len(calls) == len(found)
    plan.chunked = False
    loaded.prepare(plan)
    transformer = loaded.bring("transformer")
    assert torch.equal(result(transformer, inputs), in_pieces)
    assert len(calls) == len(found), "as a whole again"


@pytest.mark.parametrize(("tokens", "width"), [(1, 8), (7, 3), (1000, 64)])
def test_pieces_are_few_and_equal(tokens: int, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE", 4096)
    found = pieces.pieces(tokens, width)
    sizes = [part.stop - part.start for part in found]
    assert [found[0].start, found[-1].stop] == [0, tokens]
    assert sum(sizes) == tokens
    assert max(sizes) - min(sizes) <= 1
    assert len(found) == max(1, -(-tokens * width // 4096))
