"""What the stages share: steps until the time is over, by two optimisers, with average, log and checkpoints."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from common import Average, Checkpoint, Log, learning_rate, take_step
from muon import Muon
from torch import nn


@dataclass(frozen=True)
class Limits:
    """What each stage's configuration says of its steps.

    steps: at most. minutes: the run ends after them at the latest, its schedule scaled to them. peak_rate: of AdamW.
    """

    steps: int
    minutes: float
    peak_rate: float


class Steps:
    """The steps of one stage, from its last checkpoint on.

    hidden, rest: weights for Muon, and for AdamW. muon: its rate as a multiple of AdamW's. first: steps done already.
    """

    def __init__(
        self,
        stage: str,
        run: Path,
        module: nn.Module,
        weights: tuple[list[nn.Parameter], list[nn.Parameter]],
        limits: Limits,
        *,
        muon: float = 1.0,
        log_every: int,
        save_every: int = 200,
    ) -> None:
        run.mkdir(parents=True, exist_ok=True)
        hidden, rest = weights
        rate = limits.peak_rate
        self.average = Average(module, 0.998)
        self._module, self._limits, self._save_every = module, limits, save_every
        self._optimisers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.98), weight_decay=1e-3),
            Muon(hidden, lr=muon * rate),
        ]
        self._peaks = [group["lr"] for group in self._groups]
        self._log = Log(run, stage, every=log_every)
        self._checkpoint = Checkpoint(run / f"{stage}.pt", module, self.average, self._optimisers)
        self.first, self._spent = self._checkpoint.load()

    @property
    def _groups(self) -> list[dict]:
        return [group for optimiser in self._optimisers for group in optimiser.param_groups]

    def __iter__(self) -> Iterator[tuple[int, float]]:
        """(step, share done) of each; at the end the module has its averaged weights."""
        for step in range(self.first, self._limits.steps):
            self._begun = time.perf_counter()
            done = max(step / self._limits.steps, self._spent / (60 * self._limits.minutes))
            if done >= 1:
                break
            rate = learning_rate(step, done, 1.0)
            for group, peak in zip(self._groups, self._peaks, strict=True):
                group["lr"] = rate * peak
            yield step, done
        self.average.copy_to(self._module)

    def learn(self, loss: torch.Tensor) -> float:
        """Change the weights by a loss's gradients. Return the gradients' norm."""
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self._module.parameters(), 1.0)
        take_step(self._optimisers, norm)
        self.average.update(self._module)
        self._spent += time.perf_counter() - self._begun
        return norm.item()

    def note(self, step: int, **figures: float) -> bool:
        """Log a step's figures, and save from time to time. Return whether this one was saved."""
        self._log.add(step + 1, **figures)
        saved = (step + 1) % self._save_every == 0
        if saved:
            self._checkpoint.save(step + 1, self._spent)
            self._log.draw()
        return saved
