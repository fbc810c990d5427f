"""bench/gpu.py runs on a lent graphics card for a few minutes: it must not fail there for a typo."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fanslymotion.settings import ROOT
from fanslymotion.tests.wine import UNDER_WINE

pytestmark = pytest.mark.skipif(UNDER_WINE, reason="wine: its process has every row, and does not end")

PROGRAM = ROOT / "bench" / "gpu.py"
FIGURES = {
    "env": ["matmul.tflops", "copies.h2d_pageable_gb_s", "copies.on_device_gb_s", "context.overhead_bytes"],
    "weights": ["seconds", "gib"],
    "stock": ["load_s", "sampling.step_s", "sampling.encode_s", "decode chunk 5.seconds", "decode chunk 6.seconds"],
    "exact": [
        "conditioning.first_s",
        "sampling.step_s",
        "parity with stock.max_abs",
        "parity with stock.with shortcuts.max_abs",
        "resume.at_step",
        "profile.host_calls",
        "profile.top_ops_ms",
        "decode chunk 8.seconds",
    ],
    "variants": [
        f"{name}.step_s"
        for name in (
            "as it is",
            "two passes",
            "chunked",
            "two passes, chunked",
            "channels last",
            "fp16 sums",
            "cuDNN attention first",
            "without shortcuts",
        )
    ],
    "fast": [
        "without guidance.step_s",
        "deep features every second step.cached_step_s",
        "balanced.total_s",
        "share_of_best.fast",
        "deep features, group offload.step_s",
    ],
    "mini": ["again.stage_seconds", "resume.same_frames", "interpolation x2 of 36 frames 64x36.seconds"],
    "detail": ["96p.cpu_frame_s", "96p.device_frame_s", "96p.max_grey_levels"],
    "limits": [
        "6 GB.plan",
        "6 GB.stages",
        "6 GB.planned_gib",
        "6 GB.stages.sampling.steps_s",
        "6 GB.stages.decoding.seconds",
        "4 GB.against the first.max_abs",
    ],
    "compile": ["denoiser.rehearsal_s", "denoiser.step_s", "decoder.seconds", "put on again.graphs_more"],
    "compile_warm": ["denoiser.rehearsal_s", "denoiser.against the first process"],
    "limits_fixed": ["8 GB.plan"],
    "compile_job": ["80 GB.plan"],
    "ltx": [
        "sampling.step_s",
        "resume.at_step",
        "stock.step_s",
        "stock.max_abs",
        "decode chunk 33.seconds",
        "8 GB.plan",
    ],
    "wan": [
        "sampling.step_s",
        "resume.at_step",
        "residuals used again.cached_step_s",
        "stock.step_s",
        "stock.max_abs",
        "decode chunk 4.seconds",
        "8 GB.plan",
    ],
}


def run(out: Path, tmp: Path, *words: str) -> dict:
    """Without an encoder, as on such a machine: importing imageio-ffmpeg fails."""
    (tmp / "imageio_ffmpeg.py").write_text("raise ImportError('there is none here')\n", encoding="utf-8")
    environ = os.environ | {"PYTHONPATH": str(tmp), "TMPDIR": str(tmp)}
    command = [sys.executable, str(PROGRAM), "--tiny", "--out", str(out), *words]
    done = subprocess.run(
        command, cwd=tmp, env=environ, capture_output=True, encoding="utf-8", errors="replace", timeout=800
    )
    assert done.returncode == 0, done.stderr
    return json.loads((out / "gpu.json").read_text(encoding="utf-8"))["rows"] | {"printed": done.stdout}


def look_up(found: Any, path: str) -> Any:
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["env", "weights", "stock", "exact", "mini", "detail"], id="what other rows stand on"),
        pytest.param(list(FIGURES), id="all"),
    ],
)
def test_every_row_gives_its_figures(tmp_path: Path, names: list[str]) -> None:
    rows = run(tmp_path / "out", tmp_path, "--together", "--rows", ",".join(names))
    log = (tmp_path / "out" / "gpu.log").read_text(encoding="utf-8")
    for name in names:
        assert rows[name]["status"] == "ok", log
        broken = {part: one["error"] for part, one in rows[name].items() if isinstance(one, dict) and "error" in one}
        assert not broken, log
        assert not [path for path in FIGURES[name] if look_up(rows[name], path) is None]
    assert rows["exact"]["parity with stock"]["equal"]
    assert rows["exact"]["resume"]["equal"]
    if "fast" in rows:
        assert rows["fast"]["resume"]["equal"]
        assert rows["fast"]["deep features, sequential offload"]["equal"]
    for flow in {"ltx", "wan"} & set(rows):
        assert rows[flow]["resume"]["equal"]
        assert rows[flow]["stock"]["equal"]
    assert rows["mini"]["resume"]["same_frames"]
    printed = rows["printed"]
    assert len(printed) < 11_000
    assert "(table: " not in printed
    assert (tmp_path / "out" / "profile.txt").stat().st_size > 1000


def test_a_row_past_its_time_is_killed_and_the_next_one_runs(tmp_path: Path) -> None:
    rows = run(tmp_path / "out", tmp_path, "--rows", "weights,stock,env", "--limit", "0.2")
    assert rows["weights"]["status"].startswith("killed")
    assert rows["stock"]["status"] == "skipped: row weights did not end well"
    assert rows["env"]["status"].startswith("killed")
    assert "## env" in rows["printed"]


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    rows = run(tmp_path / "out", tmp_path, "--rows", "env", "--budget", "0")
    assert rows["env"]["status"].startswith("skipped")
