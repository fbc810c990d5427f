"""One pass of `mini`'s UNet on the CPU: as diffusers computes it, with the shortcuts, and suited to a CPU.

    python bench/unet_cpu.py [--rounds 12] [--threads 1]

The passes of the three take turns in one process; CPU seconds of this process, best and median, and the largest
difference from diffusers' numbers. Writes bench/out/unet_cpu.json.
"""

import argparse
import json
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
from as_worker import as_worker
from fanslymotion.pipeline.families.svd.cpu_unet import suit_cpu
from fanslymotion.pipeline.families.svd.folder import ModelFolder, folder_preset
from fanslymotion.pipeline.families.svd.model import Placement, load
from fanslymotion.pipeline.families.svd.shortcuts import put_on
from fanslymotion.settings import ROOT

OUT = Path(__file__).parent / "out" / "unet_cpu.json"
FOLDER = ROOT / "assets" / "mini"


def networks() -> dict[str, Any]:
    """Return the same UNet computed in each of the ways."""
    placement = Placement(torch.device("cpu"), torch.float32)
    found: dict[str, Any] = {}
    for name, changes in {"diffusers": (), "shortcuts": (put_on,), "suited": (put_on, suit_cpu)}.items():
        found[name] = load(ModelFolder(folder_preset(FOLDER), FOLDER), placement, shortcuts=False).unet
        for change in changes:
            change(found[name])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    kinds, preset = networks(), folder_preset(FOLDER)
    config = kinds["diffusers"].config
    draw = torch.Generator().manual_seed(0)
    latents = torch.randn(1, preset.frames, config.in_channels, preset.height // 8, preset.width // 8, generator=draw)
    words = {
        "timestep": torch.tensor(0.5),
        "encoder_hidden_states": torch.randn(1, 1, config.cross_attention_dim, generator=draw),
        "added_time_ids": torch.tensor([[5.0, 127.0, 0.02]]),
        "return_dict": False,
    }
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    found: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        for _ in range(given.rounds):
            for kind, unet in kinds.items():
                began = time.process_time()
                found[kind] = unet(latents, **words)[0]
                seconds[kind].append(time.process_time() - began)
    stock = found["diffusers"]
    rows = {
        kind: {"best": min(taken), "median": median(taken), "error": float((found[kind] - stock).abs().max())}
        for kind, taken in seconds.items()
    }
    for kind, row in rows.items():
        print(f"{kind:>10}  best {row['best']:.3f} s  median {row['median']:.3f} s  error {row['error']:.1e}")
    print(f"numbers up to {float(stock.abs().max()):.1f}")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    as_worker()
    main()
