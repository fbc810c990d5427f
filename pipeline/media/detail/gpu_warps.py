"""Implement `warps.Warps` in torch, for a GPU; equal to `CpuWarps` within one grey level."""

from functools import lru_cache

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from ..interpolate import grid, half_pixels


class GpuWarps:
    """`Warps` on a GPU. A warped photo is float32 (3, height, width) of whole numbers, at the output size."""

    def __init__(self, photo: np.ndarray, device: torch.device) -> None:
        """Copy the photo to the device, with its half-pixels.

        Args:
            photo: uint8 RGB (height, width, 3) at the output size.
            device: The computing device.

        Raises:
            OutOfMemoryError: The device has too little memory.
        """
        self.size = photo.shape[1], photo.shape[0]
        self._device = device
        fine = cv2.cvtColor(half_pixels(photo), cv2.COLOR_RGBA2RGB)
        self._fine = torch.from_numpy(fine).to(self._device).permute(2, 0, 1)[None].float()
        self._ends = torch.tensor([fine.shape[1] - 1.0, fine.shape[0] - 1.0], device=self._device)
        self._grid = torch.from_numpy(grid(*self.size, 2).copy()).to(self._device)

    @torch.inference_mode()
    def moved(self, flow: np.ndarray) -> torch.Tensor:
        """See `Warps`."""
        height, width = flow.shape[:2]
        scaled = flow * np.array([2 * self.size[0] / width, 2 * self.size[1] / height], np.float32)
        places = self._resized(scaled, self.size, cv2.INTER_CUBIC).permute(1, 2, 0) + self._grid
        shares = (2 * places / self._ends - 1)[None]
        found = F.grid_sample(self._fine, shares, mode="bilinear", padding_mode="border", align_corners=True)
        return found[0].round_()

    @torch.inference_mode()
    def drawn(self, moved: torch.Tensor, size: tuple[int, int]) -> np.ndarray:
        """See `Warps`."""
        small = self._resized(moved, size, cv2.INTER_AREA)
        # OpenCV rounds a half up where it averages two by two, and to the even number everywhere else.
        halved = (2 * size[0], 2 * size[1]) == self.size
        small = torch.floor(small + 0.5) if halved else small.round_()
        return np.ascontiguousarray(small.permute(1, 2, 0).cpu().numpy())

    @torch.inference_mode()
    def added(self, rest: np.ndarray, moved: torch.Tensor, share: np.ndarray) -> np.ndarray:
        """See `Warps`."""
        large = self._resized(share[..., None], self.size, cv2.INTER_LINEAR)
        made = torch.addcmul(self._resized(rest, self.size, cv2.INTER_LANCZOS4), moved, large)
        return made.round_().clamp_(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().cpu().numpy()

    def _resized(self, image: np.ndarray | torch.Tensor, size: tuple[int, int], how: int) -> torch.Tensor:
        """Resize with OpenCV's own weights, by one product per axis. Returns (channels, height, width)."""
        if isinstance(image, np.ndarray):
            image = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).to(self._device)
        rows = _weights(image.shape[1], size[1], how, self._device)
        columns = _weights(image.shape[2], size[0], how, self._device)
        return rows @ (image @ columns.T)


@lru_cache(maxsize=16)
def _weights(length: int, wanted: int, how: int, device: torch.device) -> torch.Tensor:
    """Return the matrix that resizes a row of `length` pixels to `wanted` ones, float32 (wanted, length)."""
    weights = cv2.resize(np.eye(length, dtype=np.float32), (length, wanted), interpolation=how)
    return torch.from_numpy(weights).to(device)
