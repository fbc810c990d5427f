"""Run an upscaler's network over a frame, tile by tile."""

from collections.abc import Callable

import cv2
import numpy as np
import torch

from .files import UpscalerFile
from .network import HALO
from .networks import load_network
from .tiles import Tile, cut


class Upscaler:
    """A loaded network. Not for use from several threads at once."""

    def __init__(self, file: UpscalerFile, device: str, number: int = 4, halo: int = HALO) -> None:
        """Load the network. device: `cuda` or `cpu`. number: bytes of each (`Network.number_bytes`)."""
        self.scale = file.network.scale
        self.device, self.halo = device, halo
        half = torch.bfloat16 if device == "cpu" else torch.float16
        self._net = load_network(file.path, file.network, device, torch.float32 if number == 4 else half)

    def enlarge(
        self,
        frame: np.ndarray,
        side: int,
        wanted: np.ndarray | None = None,
        between: Callable[[], None] = lambda: None,
    ) -> np.ndarray:
        """Return the frame `scale` times as large, uint8 RGB.

        frame: uint8 RGB (height, width, 3). side: of a tile, in its pixels. wanted: see `tiles.cut`; elsewhere the
        result is plainly enlarged. between: called after each tile; what it raises ends the work.
        """
        height, width = frame.shape[:2]
        size = width * self.scale, height * self.scale
        if wanted is None:
            large = np.empty((size[1], size[0], 3), np.uint8)
        else:
            large = cv2.resize(frame, size, interpolation=cv2.INTER_LANCZOS4)
        for tile in cut(height, width, side, self.halo, wanted):
            large[tile.target(self.scale)] = self._run(frame, tile)
            between()
        return large

    @torch.inference_mode()
    def _run(self, frame: np.ndarray, tile: Tile) -> np.ndarray:
        outer = np.ascontiguousarray(frame[tile.outer_rows, tile.outer_columns])
        x = torch.from_numpy(outer).to(self.device).permute(2, 0, 1)[None].float() / 255
        rows, columns = tile.kept(self.scale)
        y = self._net(x.contiguous(memory_format=torch.channels_last))[0, :, rows, columns]
        return y.mul(255).round_().clamp_(0, 255).to(torch.uint8).permute(1, 2, 0).cpu().numpy()
