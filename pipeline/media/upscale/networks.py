"""Define the two networks of Real-ESRGAN, with the published files' names for their weights.

Source: Wang et al., Real-ESRGAN (2021), sections 3 and 4; Wang et al., ESRGAN (2018), figure 4; the layout of
https://github.com/xinntao/Real-ESRGAN (BSD 3-Clause). RGB in 0..1 goes in and comes out.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from ....errors import ModelError
from ....messages import msg
from ...hardware.oom import is_oom
from .network import Network

RESIDUAL = 0.2
"""By which ESRGAN scales what a block adds."""


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def _leaky(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, 0.2, inplace=True)


class CompactNet(nn.Module):
    """SRVGGNetCompact: plain convolutions at the small size; the last one's channels become the large pixels."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.scale, features = network.scale, network.features
        layers: list[nn.Module] = [_conv(3, features), nn.PReLU(features)]
        for _ in range(network.depth):
            layers += [_conv(features, features), nn.PReLU(features)]
        self.body = nn.ModuleList([*layers, _conv(features, 3 * self.scale**2)])

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge float32 (n, 3, height, width) to float32 (n, 3, scale · height, scale · width).

        The picture itself stays in 32-bit numbers: bf16 has no more steps than it has grey levels.
        """
        y = x.to(next(self.parameters()).dtype)
        for layer in self.body:
            y = layer(y)
        return functional.pixel_shuffle(y.float(), self.scale) + functional.interpolate(x, scale_factor=self.scale)


class DenseBlock(nn.Module):
    """Five convolutions; each sees the input and what all before it have made."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.conv1 = _conv(features, growth)
        self.conv2 = _conv(features + growth, growth)
        self.conv3 = _conv(features + 2 * growth, growth)
        self.conv4 = _conv(features + 3 * growth, growth)
        self.conv5 = _conv(features + 4 * growth, features)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the block. x: (batch, features, height, width), as the result."""
        seen = x
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            seen = torch.cat((seen, _leaky(conv(seen))), 1)
        return x + RESIDUAL * self.conv5(seen)


class RRDB(nn.Module):
    """Residual in residual dense block."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (DenseBlock(features, growth) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """Compute the block. x: (batch, features, height, width), as the result."""
        return x + RESIDUAL * self.rdb3(self.rdb2(self.rdb1(x)))


class RRDBNet(nn.Module):
    """ESRGAN's generator: a deep trunk at the small size, then doubled with a convolution each time."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        features = network.features
        self.conv_first = _conv(3, features)
        self.body = nn.Sequential(*(RRDB(features, network.growth) for _ in range(network.depth)))
        self.conv_body = _conv(features, features)
        self.doublings = network.scale.bit_length() - 1
        for n in range(1, self.doublings + 1):
            self.add_module(f"conv_up{n}", _conv(features, features))
        self.conv_hr = _conv(features, features)
        self.conv_last = _conv(features, 3)

    def forward(self, x: Tensor) -> Tensor:
        """See `CompactNet.forward`."""
        y = self.conv_first(x.to(self.conv_first.weight.dtype))
        y = y + self.conv_body(self.body(y))
        for n in range(1, self.doublings + 1):
            y = _leaky(self.get_submodule(f"conv_up{n}")(functional.interpolate(y, scale_factor=2.0)))
        return self.conv_last(_leaky(self.conv_hr(y))).float()


def build(network: Network) -> nn.Module:
    """Build the network without weights."""
    return (CompactNet if network.kind == "compact" else RRDBNet)(network)


def load_network(path: Path, network: Network, device: str, dtype: torch.dtype) -> nn.Module:
    """Read the weights. Raise ModelError when the file is damaged or holds others than `network` needs."""
    with torch.device("meta"):
        net = build(network)
    try:
        net.load_state_dict(load_file(path), assign=True)
    except (SafetensorError, OSError, RuntimeError) as e:
        if is_oom(e):
            raise
        said = str(e).splitlines()[0]
        raise ModelError(msg("{file} could not be loaded: {error}; get it again", file=path, error=said)) from e
    return net.to(device, dtype, memory_format=torch.channels_last).requires_grad_(False).eval()  # pyright: ignore
