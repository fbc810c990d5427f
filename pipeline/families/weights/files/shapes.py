"""List the shapes of a transformer's weights from its configuration. Without torch."""

from collections.abc import Iterator, Mapping

Shapes = Mapping[str, tuple[int, ...]]
"""By diffusers' names."""


def linear(name: str, outputs: int, inputs: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield a linear layer's."""
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)


def attention(name: str, width: int, context: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield an attention's with normalised queries and keys, over its own tokens or over others.

    Args:
        name: Of the module.
        width: Of its tokens.
        context: Of the tokens that it looks at.
    """
    yield from linear(f"{name}.to_q", width, width)
    for part in ("to_k", "to_v"):
        yield from linear(f"{name}.{part}", width, context)
    yield from linear(f"{name}.to_out.0", width, width)
    for part in ("norm_q", "norm_k"):
        yield f"{name}.{part}.weight", (width,)
