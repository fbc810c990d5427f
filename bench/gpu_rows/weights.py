"""Row `weights`: the model that the other rows compute with."""

import os

from .harness import Bench, Figures, timed


def weights(bench: Bench, figures: Figures) -> None:
    """Random ones of SVD-XT's full size, or the tiny model. What lies there already is taken as it is."""
    figures.put(there=(bench.model / "model_index.json").is_file(), folder=str(bench.model), cores=os.cpu_count())
    if bench.tiny:
        from fanslymotion.pipeline.families.svd.random_model import build

        seconds, _ = timed(lambda: build(bench.model, width=64, height=40, frames=6))
    else:
        from fanslymotion.bench.full_size import build as build_full

        seconds, _ = timed(lambda: build_full(bench.model))
    size = sum(path.stat().st_size for path in bench.model.rglob("*") if path.is_file())
    figures.put(seconds=seconds, gib=round(size / 2**30, 3))
