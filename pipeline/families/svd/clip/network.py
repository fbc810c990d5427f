"""Compute CLIP's image embedding, which tells Stable Video Diffusion what the photo shows.

The numbers of transformers' `CLIPVisionModelWithProjection`, from its files. That class costs 2 CPU seconds to import,
in every worker, for a network of 90 lines.

Source: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision" (arXiv 2103.00020).
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional
from torch.nn.functional import scaled_dot_product_attention

from ...weights.folders import read_json
from ...weights.reading import Read


def quick_gelu(x: torch.Tensor) -> torch.Tensor:
    """Return OpenAI's approximation of GELU, which its own CLIP models were trained with."""
    return x * torch.sigmoid(1.702 * x)


ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {"quick_gelu": quick_gelu, "gelu": functional.gelu}


@dataclass(frozen=True)
class ClipConfig:
    """What `image_encoder/config.json` says; the defaults are transformers' own, for keys that are absent.

    Attributes:
        hidden_size, intermediate_size: Width of the tokens, and inside a layer.
        projection_dim: Width of the embedding.
        num_hidden_layers, num_attention_heads: Counts.
        num_channels, image_size, patch_size: Of the picture: channels, and sides in pixels.
        hidden_act: A key of ACTIVATIONS.
        layer_norm_eps: Added to the variance.
    """

    hidden_size: int = 768
    intermediate_size: int = 3072
    projection_dim: int = 512
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    num_channels: int = 3
    image_size: int = 224
    patch_size: int = 32
    hidden_act: str = "quick_gelu"
    layer_norm_eps: float = 1e-5


class Embeddings(nn.Module):
    """Pictures (n, channels, side, side) to tokens (n, 1 + patches, width), the class token first."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        side, width = config.patch_size, config.hidden_size
        self.class_embedding = nn.Parameter(torch.empty(width))
        self.patch_embedding = nn.Conv2d(config.num_channels, width, side, stride=side, bias=False)
        positions = (config.image_size // side) ** 2 + 1
        # Given weights, because drawing them on the device "meta" imports torch's compiler.
        self.position_embedding = nn.Embedding(positions, width, _weight=torch.empty(positions, width))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """See the class."""
        patches = self.patch_embedding(pixels).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(len(pixels), 1, -1)
        return torch.cat([first, patches], dim=1) + self.position_embedding.weight


class Attention(nn.Module):
    """Self-attention over all tokens."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.heads = config.num_attention_heads
        self.k_proj, self.v_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.q_proj, self.out_proj = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, tokens, width) of the same."""
        query, key, value = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.q_proj, self.k_proj, self.v_proj)
        )
        return self.out_proj(scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """Two linear layers with the activation between them."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[config.hidden_act]
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, tokens, width) of the same."""
        return self.fc2(self.activation(self.fc1(x)))


class Layer(nn.Module):
    """Attention and feed-forward, each on normed tokens and added to what came in."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        self.self_attn, self.mlp = Attention(config), FeedForward(config)
        self.layer_norm1 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.layer_norm2 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, tokens, width) of the same."""
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))


class Tower(nn.Module):
    """Pictures to the normed class token (n, width). The names are those of the files, the misspelt one too."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        self.embeddings = Embeddings(config)
        self.pre_layrnorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.encoder = nn.ModuleDict({"layers": nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))})
        self.post_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """See the class."""
        x = self.pre_layrnorm(self.embeddings(pixels))
        for layer in self.encoder["layers"]:  # pyright: ignore[reportGeneralTypeIssues] - a list of modules
            x = layer(x)
        return self.post_layernorm(x[:, 0, :])


class ClipImageEncoder(nn.Module):
    """Pictures (n, channels, side, side), normalised as CLIP wants them, to their embeddings (n, projection_dim)."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        self.vision_model = Tower(config)
        self.visual_projection = nn.Linear(config.hidden_size, config.projection_dim, bias=False)

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights."""
        return self.visual_projection.weight.dtype

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.visual_projection.weight.device

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """See the class."""
        return self.visual_projection(self.vision_model(pixels))


def read_clip(folder: Path, variant: str, dtype: torch.dtype) -> Read:
    """Read the encoder.

    Args:
        folder: `image_encoder` of the model.
        variant: Of the weights' files, as `fp16`, or "".
        dtype: The numbers to compute in.

    Returns:
        The encoder, and the names of the weights that the files lack.

    Raises:
        ModelError: The configuration cannot be read.
        ValueError, KeyError, TypeError, OSError, RuntimeError, SafetensorError: A file is damaged.
    """
    known = read_json(folder / "config.json")
    config = ClipConfig(**{field.name: known[field.name] for field in fields(ClipConfig) if field.name in known})
    with torch.device("meta"):  # its own first weights would be thrown away
        encoder = ClipImageEncoder(config)
    weights = {name: tensor.to(dtype) for path in _files(folder, variant) for name, tensor in load_file(path).items()}
    missing, _ = encoder.load_state_dict(weights, strict=False, assign=True)
    return encoder, sorted(missing)


def _files(folder: Path, variant: str) -> Iterator[Path]:
    """Yield the weights' files: one, or those that an index names."""
    dot = f".{variant}" if variant else ""
    index = folder / f"model.safetensors.index{dot}.json"
    if index.is_file():
        named = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        yield from (folder / name for name in sorted(set(named.values())))
    else:
        yield folder / f"model{dot}.safetensors"
