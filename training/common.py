"""What both training stages share: averaged weights, checkpoints, and loss curves drawn without a library."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from fanslymotion.pipeline.hardware.cpu import cpu_bf16
from torch import nn


def autocast() -> torch.autocast:
    """bf16 where the CPU multiplies it itself; elsewhere it is emulated, many times slower than 32 bits."""
    return torch.autocast("cpu", torch.bfloat16, enabled=cpu_bf16())


class Average:
    """Exponential moving average of parameters; the decay warms up so that early weights are soon forgotten."""

    def __init__(self, modules: nn.Module, decay: float) -> None:
        self.decay = decay
        self.begin(modules)

    def begin(self, modules: nn.Module) -> None:
        """Forget the past: the average is what the parameters are now."""
        self.step = 0
        self.shadow = {name: value.detach().clone().float() for name, value in modules.named_parameters()}

    @torch.no_grad()
    def update(self, modules: nn.Module) -> None:
        """Take the parameters of one more step into the average. The first steps weigh more than `decay` says."""
        self.step += 1
        decay = min(self.decay, (1 + self.step) / (10 + self.step))
        names, values = zip(*modules.named_parameters(), strict=True)
        shadows = [self.shadow[name] for name in names]
        torch._foreach_lerp_(shadows, [value.detach().float() for value in values], 1 - decay)

    @torch.no_grad()
    def copy_to(self, modules: nn.Module) -> None:
        """Replace the parameters by their average."""
        for name, value in modules.named_parameters():
            value.copy_(self.shadow[name])


@dataclass
class Log:
    """Loss history of a run, kept as JSON lines beside the checkpoint and drawn as a PNG."""

    folder: Path
    stage: str
    every: int = 50
    sums: dict[str, float] = field(default_factory=dict)
    count: int = 0
    started: float = field(default_factory=time.perf_counter)

    def add(self, step: int, **losses: float) -> None:
        """Count the losses of a step; every `every` steps their means are written and printed."""
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.count += 1
        if step % self.every:
            return
        row = {"step": step, **{name: round(value / self.count, 5) for name, value in self.sums.items()}}
        row["seconds_per_step"] = round((time.perf_counter() - self.started) / self.count, 3)
        with (self.folder / f"{self.stage}.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(self.stage, row, flush=True)
        self.sums, self.count, self.started = {}, 0, time.perf_counter()

    def draw(self) -> None:
        """One panel a loss, logarithmic, over the steps: `<stage>-loss.png`."""
        path = self.folder / f"{self.stage}.jsonl"
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
        if len(rows) < 2:
            return
        panels = []
        for name in [key for key in rows[-1] if key not in ("step", "seconds_per_step")]:
            pairs = [(row["step"], row[name]) for row in rows if row.get(name, 0) > 0]
            if len(pairs) < 2:
                continue
            steps, values = np.array([p[0] for p in pairs], float), np.log10([p[1] for p in pairs])
            panel = np.full((220, 640, 3), 255, np.uint8)
            x = 60 + 560 * (steps - steps.min()) / max(float(np.ptp(steps)), 1)
            y = 190 - 160 * (values - values.min()) / max(float(np.ptp(values)), 1e-6)
            cv2.polylines(panel, [np.stack([x, y], 1).astype(np.int32)], False, (180, 80, 20), 1, cv2.LINE_AA)
            label = (
                f"{self.stage} {name}: {10 ** values.max():.4f} .. {10 ** values.min():.4f}, step {int(steps.max())}"
            )
            cv2.putText(panel, label, (60, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
            panels.append(panel)
        if panels:
            cv2.imwrite(str(self.folder / f"{self.stage}-loss.png"), np.vstack(panels))


@dataclass
class Checkpoint:
    """A run's state in a file: weights, their average, optimisers, steps done and seconds spent."""

    path: Path
    module: nn.Module
    average: Average
    optimisers: list[torch.optim.Optimizer]

    def save(self, step: int, spent: float) -> None:
        """Atomic: a run killed while saving resumes from the checkpoint before."""
        state = {
            "weights": self.module.state_dict(),
            "average": self.average.shadow,
            "step": step,
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "spent": spent,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, self.path.with_suffix(".tmp"))
        os.replace(self.path.with_suffix(".tmp"), self.path)

    def load(self) -> tuple[int, float]:
        """Steps done and seconds spent; (0, 0.0), and nothing changed, where there is no checkpoint yet."""
        if not self.path.exists():
            return 0, 0.0
        state = torch.load(self.path, weights_only=True, map_location="cpu")
        self.module.load_state_dict(state["weights"])
        for optimiser, kept in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)
        self.average.shadow, self.average.step = state["average"], state["step"]
        return state["step"], state["spent"]


def take_step(optimisers: list[torch.optim.Optimizer], norm: torch.Tensor) -> None:
    """norm: of the gradients; where it is not finite, the step is left out: one bad bf16 step must not cost the run."""
    for optimiser in optimisers:
        if torch.isfinite(norm):
            optimiser.step()
        optimiser.zero_grad(set_to_none=True)


def learning_rate(step: int, done: float, peak: float, warm_up: int = 150) -> float:
    """Linear warm-up, constant, then a cosine to a fiftieth from 60 % `done` on (0..1, by steps or by time)."""
    rest = min(max(0.0, (done - 0.6) / 0.4), 1.0)
    return peak * min(1.0, (step + 1) / warm_up) * (0.02 + 0.98 * 0.5 * (1 + float(np.cos(np.pi * rest))))
