"""One window of `mini` on the CPU with glibc's heap as it is, and kept between steps (pipeline/hardware/malloc.py).

    python bench/heap.py [--rounds 3]

Each round is a process of its own, in turns; the window is drawn in a thread, as the worker does, once to warm up and
once measured. Prints medians. Writes bench/out/heap.json.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

from fanslymotion.pipeline.hardware.malloc import GLIBC, keep_heap
from fanslymotion.settings import ROOT

OUT = Path(__file__).resolve().parent / "out" / "heap.json"


def child() -> dict[str, float]:
    from fanslymotion.pipeline.media.photo.load import load_photo
    from quality import Studio

    studio, photo = Studio("mini", None), load_photo(ROOT / "assets" / "sample.jpg")
    told: dict[str, float] = {}

    def job() -> None:
        studio.frames(photo, "ours", 6, one=True)
        before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        studio.frames(photo, "ours", 6, one=True)
        after = resource.getrusage(resource.RUSAGE_SELF)
        told["seconds"] = time.perf_counter() - began
        told["system seconds"] = after.ru_stime - before.ru_stime
        told["page faults"] = after.ru_minflt - before.ru_minflt
        told["peak MB"] = after.ru_maxrss / 1024

    thread = threading.Thread(target=job)
    thread.start()
    thread.join()
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", action="store_true")
    given = parser.parse_args()
    if given.child:
        print(json.dumps(child()))
        return
    plain = {name: value for name, value in os.environ.items() if name not in GLIBC}
    kinds = {"as it is": plain, "kept": plain | keep_heap(plain)}
    rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in kinds}
    for _ in range(given.rounds):
        for kind, environ in kinds.items():
            said = subprocess.run(
                [sys.executable, __file__, "--child"],
                env=environ,
                stdout=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
            )
            rows[kind].append(json.loads(said.stdout.splitlines()[-1]))
    table = {kind: {key: median(row[key] for row in found) for key in found[0]} for kind, found in rows.items()}
    for kind, row in table.items():
        print(f"{kind:>9}  " + "  ".join(f"{key} {value:.4g}" for key, value in row.items()))
    print(
        "as it is / kept: "
        + "  ".join(f"{k} {table['as it is'][k] / max(v, 1e-9):.2f}" for k, v in table["kept"].items())
    )
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"machine": platform.machine(), "rows": rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
