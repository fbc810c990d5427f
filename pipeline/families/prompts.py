"""Cache prompt embeddings on the disk: a resumed or repeated job loads no text encoder.

No torch at import: processes that compute nothing also ask whether a prompt is cached.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open

from ...fs import commit, make_folder, part_path

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

KEPT = 200
"""Largest number of prompts on the disk; the least recently used are deleted. One takes 2 MB with T5-XXL."""


@dataclass(frozen=True)
class PromptEmbeds:
    """An encoded prompt.

    Attributes:
        tensors: By the family's own names, on the CPU; they become a part of the conditioning.
        cut: End of the prompt that exceeds the model's limit; "" = nothing was cut.
    """

    tensors: Mapping[str, torch.Tensor] = field(default_factory=dict)
    cut: str = ""


def prompt_key(encoder: str, prompt: str) -> str:
    """Return the cache key of a prompt.

    Args:
        encoder: Fingerprint of the text encoder and its tokenizer.
        prompt: The text.
    """
    return hashlib.sha256(f"{encoder}\n{prompt}".encode()).hexdigest()


class PromptCache:
    """The prompt embeddings in a folder. Safe for several processes: files are whole or absent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __contains__(self, key: str) -> bool:
        """Tell whether there is a file for a key, whole or damaged."""
        return os.path.isfile(self._path(key))  # False for a folder without rights, too

    def read(self, key: str) -> PromptEmbeds | None:
        """Read an encoded prompt; None if it is missing or damaged."""
        path = self._path(key)
        try:
            with safe_open(path, framework="pt") as file:
                # Copies: Windows would not delete a file that is mapped.
                found = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (not a dict)
                cut = (file.metadata() or {}).get("cut", "")
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, ValueError, RuntimeError) as e:
            log.warning("The encoded prompt %s is not used: %s", path.name, e)
            return None
        with suppress(OSError):
            path.touch()
        return PromptEmbeds(found, cut)

    def write(self, key: str, prompt: PromptEmbeds) -> None:
        """Store an encoded prompt. A failure is logged only."""
        from safetensors.torch import save_file

        path, part = self._path(key), part_path(self._path(key))
        try:
            make_folder(self._folder)
            save_file({name: tensor.contiguous() for name, tensor in prompt.tensors.items()}, part, {"cut": prompt.cut})
            commit(part, path)
        except (OSError, SafetensorError) as e:
            log.warning("The encoded prompt is not kept: %s", e)
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
        self._trim()

    def _trim(self) -> None:
        with suppress(OSError):
            files = sorted(self._folder.glob("*.safetensors"), key=lambda path: path.stat().st_mtime, reverse=True)
            for path in files[KEPT:]:
                path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.safetensors"
