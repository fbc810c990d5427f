"""A machine with tiny video models, on which files of weights are used in the place of their transformers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fanslymotion.errors import FanslymotionError
from fanslymotion.models.use import use_model
from fanslymotion.presets import ModelPreset, Presets, load_presets
from fanslymotion.settings import Settings
from fanslymotion.tests import tiny_gguf, tiny_safetensors
from gguf import GGMLQuantizationType as Kind

USUAL = {".gguf": tiny_gguf.in_blocks(Kind.Q4_0), ".safetensors": tiny_safetensors.blocks_as(tiny_safetensors.E4M3)}
"""How the types of tensors are chosen, by the suffix."""


@dataclass(frozen=True)
class Place:
    """The tiny models `small-ltx`, `small-wan` and `pair`, and a folder for files.

    Attributes:
        settings: Tell where the models are.
        files: The folder.
        tensors: Returns those of a family's transformer.
    """

    settings: Settings
    files: Path
    tensors: Callable[[str], dict[str, torch.Tensor]]

    def write(self, name: str, family: str = "wan", choose: Any = None, *given: Any, **how: Any) -> Path:
        """Write a file in the format of its suffix, and return its path."""
        path = self.files / name
        write = tiny_gguf.write if path.suffix == ".gguf" else tiny_safetensors.write
        write(path, self.tensors(family), family, choose or USUAL[path.suffix], *given, **how)
        return path

    def use(self, *paths: Path, base: str = "", name: str = "", distilled: bool | None = None) -> ModelPreset:
        """See `use_model`."""
        return use_model(paths, self.presets, self.settings, name, base, distilled)

    @property
    def presets(self) -> Presets:
        """Return all presets."""
        return load_presets(self.settings)

    def said_of_scrambled(self, file: Path, seed: int, first: int = 0) -> str:
        """Change some bytes of a file's header, try to use it, and return the error's words; "" if there is none.

        Args:
            file: That was written here.
            seed: Which bytes, how many and to what.
            first: The bytes before this one stay.
        """
        random, data = np.random.default_rng(seed), bytearray(file.read_bytes())
        for at in random.integers(first, 3000, 1 + seed % 4):
            data[at] = random.integers(0, 256)
        file.write_bytes(data)
        try:
            self.use(file)
        except FanslymotionError as e:
            return str(e)
        return ""
