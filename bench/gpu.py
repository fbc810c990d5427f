"""Measure everything that concerns a graphics card in one run, without internet and without an encoder.

    python bench/gpu.py [--out FOLDER] [--budget 540] [--rows env,weights,stock,…] [--model FOLDER] [--keep] [--tiny]

Needs torch, diffusers, transformers, accelerate, pydantic, pillow-heif, opencv, psutil and, for row wan, ftfy; not the
installed package.
Each row is a process of its own with its own time limit; what a row has measured is kept when it is killed.
Writes gpu.json (after each part of a row), gpu.log, profile.txt and table.txt to the folder; the table is also printed
last. `--tiny` runs every row with the random tiny model on whatever device there is, to test this program itself.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
OUT = HERE / "out" / "gpu"
WEIGHTS = 24 * 2**30
"""Bytes that the full-size models take, with room to spare."""

ROWS: dict[str, tuple[float, float]] = {
    "env": (60, 10),
    "weights": (90, 20),
    "stock": (90, 25),
    "exact": (120, 40),
    "variants": (120, 40),
    "fast": (120, 45),
    "mini": (60, 20),
    "detail": (40, 15),
    "limits": (220, 45),
    "ltx": (150, 60),
    "wan": (200, 70),
    "compile": (230, 70),
    "compile_job": (90, 30),
    "compile_warm": (90, 30),
    "limits_fixed": (80, 30),
    "compile_nchw": (150, 80),
}
"""In order of value: seconds after which a row is killed, and seconds without which it is not begun."""

FIXED = {"PYTORCH_ALLOC_CONF": "expandable_segments:False"}


def child(names: list[str], given: argparse.Namespace) -> None:
    """Measure rows in this process."""
    from gpu_rows import basics, compiling, detail, jobs, ltx, ours, wan, weights
    from gpu_rows.harness import Bench, Figures

    rows = {
        "env": basics.env,
        "weights": weights.weights,
        "stock": basics.stock,
        "exact": ours.exact,
        "variants": ours.variants,
        "limits": jobs.limits,
        "ltx": ltx.ltx,
        "wan": wan.wan,
        "compile_job": jobs.compile_job,
        "compile": compiling.compile_cold,
        "fast": ours.fast,
        "mini": jobs.mini,
        "detail": detail.detail,
        "compile_warm": compiling.compile_warm,
        "limits_fixed": jobs.limits_fixed,
        "compile_nchw": compiling.compile_nchw,
    }
    deadline = time.monotonic() + given.seconds
    bench = Bench(given.model, given.work, given.out, given.tiny, given.overhead, deadline)
    for name in names:
        figures = Figures(given.work / f"{name}.json")
        figures.put()
        rows[name](bench, figures)
        figures.put(ended=True)


class Run:
    """The rows of one run, one after the other, and what they gave."""

    def __init__(self, given: argparse.Namespace, work: Path, model: Path) -> None:
        self.given, self.work, self.model = given, work, model
        self.ends = time.monotonic() + given.budget
        self.rows: dict[str, dict[str, Any]] = {}
        self.environ = self._environ()

    def _environ(self) -> dict[str, str]:
        """The checkout as the package `fanslymotion`, whatever its folder is called, and no network."""
        packages = self.work / "packages"
        packages.mkdir()
        paths = [str(packages), *filter(None, [os.environ.get("PYTHONPATH", "")])]
        try:
            (packages / "fanslymotion").symlink_to(HERE.parent, target_is_directory=True)
        except OSError:  # Windows without the right to make links: an installed package must do
            paths = paths[1:]
        sys.path[:0] = paths
        from fanslymotion.pipeline.hardware.compiler import compiler_folders
        from fanslymotion.pipeline.hardware.malloc import grow_segments, keep_heap

        return {
            **os.environ,
            **keep_heap(),
            **grow_segments(),
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONUNBUFFERED": "1",
            "HF_HUB_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "false",
            **compiler_folders(self.work, {}),
        }

    @property
    def left(self) -> float:
        return self.ends - time.monotonic()

    def do(self, name: str) -> None:
        limit, least = ROWS[name]
        least = 0 if self.given.tiny else least
        missing = self._missing(name)
        if missing:
            self.rows[name] = {"status": f"skipped: row {missing} did not end well"}
        elif self.left < least:
            self.rows[name] = {"status": f"skipped: {self.left:.0f} s left, it needs {least:.0f}"}
        else:
            seconds = min(limit, self.given.limit or limit, self.left - 2)
            self._measure([name], seconds)
        self.save()
        self.tell(name)

    def do_together(self, names: list[str]) -> None:
        """All in one process, which spares their imports; a row that fails ends the others, too."""
        self._measure(names, self.left)
        self.save()
        for name in names:
            self.tell(name)

    def tell(self, name: str) -> None:
        print(f"{name}: {self.rows[name]['status']}, {self.rows[name].get('row_s', 0)} s", flush=True)

    def _missing(self, name: str) -> str:
        """The row without which this one cannot be measured."""
        needed = "weights" if name not in ("env", "weights", "mini", "detail", "ltx", "wan") else ""
        return needed if needed and not (self.model / "model_index.json").is_file() else ""

    def _measure(self, names: list[str], seconds: float) -> None:
        began = time.monotonic()
        overhead = self.rows.get("env", {}).get("context", {}).get("overhead_bytes", self.given.overhead)
        words = ["--child", ",".join(names), "--seconds", str(seconds), "--model", str(self.model)]
        words += ["--work", str(self.work), "--out", str(self.given.out), "--overhead", str(overhead)]
        words += ["--tiny"] * self.given.tiny
        with open(self.given.out / "gpu.log", "a", encoding="utf-8") as log:
            log.write(f"\n==== {', '.join(names)}\n")
            log.flush()
            process = subprocess.Popen(
                [sys.executable, __file__, *words],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=self.environ | (FIXED if names == ["limits_fixed"] else {}),
                start_new_session=True,
            )
            status = self._wait(process, names, began + seconds)
        took = round(time.monotonic() - began, 1)
        for name in names:
            figures = self._figures(name)
            ended = "ok" if figures.pop("ended", False) else status
            self.rows[name] = figures | {"status": ended, "row_s": took}

    def _wait(self, process: subprocess.Popen[bytes], names: list[str], deadline: float) -> str:
        try:
            while process.poll() is None:
                if time.monotonic() > deadline:
                    return "killed: its time was over"
                time.sleep(0.2)
                found = {name: self._figures(name) | {"status": "running"} for name in names}
                if found != {name: self.rows.get(name) for name in names}:
                    self.rows |= found
                    self.save()
            return f"failed: exit code {process.returncode}"
        finally:
            end(process)

    def _figures(self, name: str) -> dict[str, Any]:
        try:
            return json.loads((self.work / f"{name}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def save(self) -> None:
        write(self.given.out / "gpu.json", json.dumps({"tiny": self.given.tiny, "rows": self.rows}, indent=1))


def end(process: subprocess.Popen[bytes]) -> None:
    """With the processes that it has started (inductor's compilers)."""
    if hasattr(os, "killpg"):
        with suppress(OSError):  # all of them have ended
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def write(path: Path, text: str) -> None:
    half = path.with_suffix(".part")
    half.write_text(text, encoding="utf-8")
    os.replace(half, path)


def default_model(tiny: bool) -> Path:
    """In memory where there is room for it, else on the disk."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > WEIGHTS
    where = memory if roomy and not tiny else Path(tempfile.gettempdir())
    return where / f"fanslymotion-bench-{'tiny' if tiny else 'full'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT") or OUT))
    parser.add_argument("--budget", type=float, default=540, help="seconds for all rows together")
    parser.add_argument("--rows", default=",".join(ROWS), help=f"of {', '.join(ROWS)}")
    parser.add_argument("--model", type=Path, help="folder of the full-size weights; made where it is missing")
    parser.add_argument("--keep", action="store_true", help="leave the weights for the next run")
    parser.add_argument("--tiny", action="store_true", help="the random tiny model, to test this program")
    parser.add_argument("--overhead", type=int, default=0, help="bytes of video memory outside of torch's allocator")
    parser.add_argument("--limit", type=float, help="seconds for each row at most, whatever its own limit")
    parser.add_argument("--together", action="store_true", help="all rows in one process")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    given = parser.parse_args()
    given.out = given.out.resolve()
    if given.child:
        child(given.child.split(","), given)
        return
    chosen = [name.strip() for name in given.rows.split(",") if name.strip()]
    unknown = [name for name in chosen if name not in ROWS]
    if unknown:
        parser.error(f"there is no row {unknown[0]}; choose of {', '.join(ROWS)}")
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "gpu.log").write_text("", encoding="utf-8")
    model = (given.model or default_model(given.tiny)).resolve()
    work = Path(tempfile.mkdtemp(prefix="fanslymotion-gpu-work-"))
    try:
        run = Run(given, work, model)
        if given.together:
            run.do_together(chosen)
        else:
            for name in chosen:
                run.do(name)
        from gpu_rows.table import table

        text = table(run.rows)
        write(given.out / "table.txt", text)
        print(text, flush=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if not given.keep and not given.model:
            for folder in (model, *(model.with_name(f"{model.name}-{one}") for one in ("ltx", "wan"))):
                shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
