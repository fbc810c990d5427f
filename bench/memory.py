"""The memory plan against the truth: full-size random weights of SVD-XT through the whole path, plan beside peak.

    python bench/memory.py FOLDER [--limits 6 8 12 16] [--steps 2]      FOLDER: from bench/full_size.py, made if missing

On a GPU each limit is a process that may take no more than so many GB of it, and is planned for as such a card; on a
CPU there is one row, with the peak of resident memory. One window of frames, decoded, written. Every row is a process
of its own. Writes bench/out/memory.json.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from as_worker import as_worker
from full_size import build
from overhead import Peak

OUT = Path(__file__).resolve().parent / "out" / "memory.json"
PHOTO = Path(__file__).resolve().parents[1] / "assets" / "sample.jpg"
GB = 2**30


def child(folder: Path, limit: float, frames: int, steps: int) -> dict[str, Any]:
    """One job. limit: GB of video memory, 0 = whatever is there."""
    import torch
    from fanslymotion.models.find import find_model
    from fanslymotion.pipeline.families.svd.cost import forecast
    from fanslymotion.pipeline.hardware import devices
    from fanslymotion.pipeline.memory.request_plan import plan_request
    from fanslymotion.pipeline.model_cache import ModelCache
    from fanslymotion.pipeline.produce import produce
    from fanslymotion.pipeline.progress import Progress, Stage
    from fanslymotion.pipeline.request import VideoRequest
    from fanslymotion.presets import load_presets
    from fanslymotion.settings import Settings

    machine = devices.machine()
    if limit and machine.device == "cuda":
        torch.cuda.set_per_process_memory_fraction(limit * GB / torch.cuda.get_device_properties(0).total_memory)
        machine = replace(machine, vram_total=int(limit * GB), vram_free=int(limit * GB))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary, Peak() as peak:
        home = Path(temporary)
        presets_dir = home / "presets"
        presets_dir.mkdir()
        (presets_dir / "durations.toml").write_text(f"[short]\nseconds = 1\nfps = {frames}\n", encoding="utf-8")
        settings = Settings.local(home, home / "models")
        presets = load_presets(settings)
        request = VideoRequest(resolution="720p", seconds=1, quality="sampled", model=str(folder), seed=1, steps=steps)
        model = find_model(request.model, presets, settings)
        plan = plan_request(request, (1600, 900), model, presets, settings, machine=machine)
        moments: list[tuple[float, Stage, int]] = []

        def progress(p: Progress) -> None:
            moments.append((time.perf_counter(), p.stage, p.step))

        measures: dict[str, Any] = {}
        result = produce(
            request,
            model=model,
            photo=PHOTO,
            out=home / "clip.mp4",
            work=home / "work",
            settings=settings,
            presets=presets,
            model_cache=ModelCache(),
            progress=progress,
            measures=measures,
            machine=machine,
        )
        done = measures["plan"]
        steps_at = [at for at, stage, _ in moments if stage is Stage.SAMPLING]
        taken = torch.cuda.max_memory_reserved() if machine.device == "cuda" else peak.most
    return {
        "limit": limit,
        "plan": f"{done.placement}, {done.dtype}, {done.width}x{done.height}, {done.window} frames",
        "first plan held": done.settings == plan.settings,
        "planned": forecast(plan).need,
        "peak": taken,
        "seconds a step": (steps_at[-1] - steps_at[0]) / max(1, len(steps_at) - 1),
        "stages": result.stage_seconds,
        "stages planned": {str(stage): round(seconds, 1) for stage, seconds in forecast(plan).stage_seconds.items()},
    }


def main() -> None:
    as_worker()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limits", type=float, nargs="+", default=[6.0, 8.0, 12.0, 16.0], help="GB, on a GPU")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--frames", type=int, help="default: a window's, 25 on a GPU and 14 on a CPU")
    parser.add_argument("--child", type=float)
    given = parser.parse_args()
    folder = build(given.folder.resolve())
    import torch

    frames = given.frames or (25 if torch.cuda.is_available() else 14)
    if given.child is not None:
        print(json.dumps(child(folder, given.child, frames, given.steps)))
        return
    rows = []
    for limit in given.limits if torch.cuda.is_available() else [0.0]:
        words = [str(folder), "--steps", str(given.steps), "--frames", str(frames), "--child", str(limit)]
        done = subprocess.run(
            [sys.executable, __file__, *words], stdout=subprocess.PIPE, encoding="utf-8", errors="replace"
        )
        if done.returncode:
            print(f"{limit:5.0f} GB  failed, exit code {done.returncode}")
            continue
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        row = rows[-1]
        print(
            f"{limit:5.0f} GB  planned {row['planned'] / GB:5.2f}  peak {row['peak'] / GB:5.2f} GB  "
            f"{row['seconds a step']:6.1f} s a step  {row['plan']}  stages {row['stages']}",
            flush=True,
        )
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"cores": os.cpu_count(), "frames": frames, "rows": rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
