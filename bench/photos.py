"""Photos that strangers send: what their decoding takes, and what others notice of it.

    python bench/photos.py

Writes bench/out/photos.json: the peak of memory for each format, then 24 hostile pictures of one login at once in front
of `app.py`, and how long another login waits meanwhile for a list, and for an ordinary photo of its own.
"""

import asyncio
import json
import platform
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from fanslymotion.settings import ROOT
from PIL import Image

PHOTO = ROOT / "assets" / "sample.jpg"
OUT = Path(__file__).resolve().parent / "out" / "photos.json"
SIDES = (5600, 3600)
"""Pixels of the pictures whose peak is measured."""
LOOK_SECONDS = 0.02
CHILDREN_SECONDS = 0.25
"""Between two looks for new processes, for which all of the machine are read. A hostile picture takes longer."""
PAUSE_SECONDS = 1.5
"""Between two rounds of the other login, which is to wait and not to be the load itself."""

ONE = """
import resource, sys
from pathlib import Path
from PIL import Image
from fanslymotion.pipeline.media.photo.load import load_photo
from fanslymotion.pipeline.media.photo.decode_memory import decoding_bytes
path = Path(sys.argv[1])
load_photo(Path(sys.argv[2]))
with Image.open(path) as image:
    planned = decoding_bytes(image)
load_photo(path)
print(planned, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def flat_webp(width: int, height: int) -> bytes:
    """A picture of one colour in 38 bytes, of any size up to 16384 a side: lossless, with codes of no bits for it."""
    size = struct.pack("<I", (width - 1) | (height - 1) << 14)
    data = b"\x2f" + size + bytes.fromhex("0750bc6ad5a3ff8188e87f00")
    chunk = b"VP8L" + struct.pack("<I", len(data)) + data + b"\0"
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def flat_png(width: int, height: int, bits: int = 8, colour: int = 2) -> bytes:
    """A black picture. bits: 8 or 16 a channel. colour: 0 grey, 2 RGB."""
    row = b"\0" * (1 + width * bits // 8 * (3 if colour == 2 else 1))
    pack = zlib.compressobj(1)
    pixels = b"".join([*(pack.compress(row) for _ in range(height)), pack.flush()])
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def hostile() -> list[bytes]:
    """24 pictures: most claim more than anybody gets, some take all that one may have."""
    beyond = [flat_webp(10_900, 10_900), flat_png(9_000, 9_000, 16, 0)]
    within = [flat_webp(6_200, 6_100), flat_png(6_200, 6_100, 16, 0), flat_png(12_000, 9_000)]
    return beyond * 9 + within * 2


def peaks(folder: Path) -> list[dict[str, Any]]:
    """Planned and measured bytes of a process that decodes one picture of each kind."""
    colour = Image.effect_noise(SIDES, 60).convert("RGB")
    clear = colour.copy()
    clear.putalpha(Image.new("L", SIDES, 200))
    wide = np.asarray(colour.convert("L"))
    kinds: dict[str, tuple[Image.Image, dict[str, Any]]] = {
        "baseline.jpg": (colour, {}),
        "progressive.jpg": (colour, {"progressive": True}),
        "cmyk-progressive.jpg": (colour.convert("CMYK"), {"progressive": True}),
        "rgb.png": (colour, {"compress_level": 1}),
        "rgba.png": (clear, {"compress_level": 1}),
        "palette.png": (colour.convert("P"), {"compress_level": 1}),
        "grey16.png": (Image.fromarray(wide.astype(np.uint16) << 8), {"compress_level": 1}),
        "rgb.tif": (colour, {}),
        "float.tif": (Image.fromarray(wide.astype(np.float32)), {}),
        "rgb.webp": (colour, {"method": 0}),
        "rgba.webp": (clear, {"method": 0}),
        "rgb.avif": (colour, {"speed": 10}),
        "rgba.avif": (clear, {"speed": 10}),
        "rgb.heic": (colour, {}),
    }
    from pillow_heif import register_heif_opener

    register_heif_opener()
    rows = []
    for name, (image, options) in kinds.items():
        path = folder / name
        image.save(path, **options)
        words = [sys.executable, "-c", ONE, str(path), str(PHOTO)]
        planned, measured = map(
            int,
            subprocess.run(words, capture_output=True, encoding="utf-8", errors="replace", check=True).stdout.split(),
        )
        rows.append({"kind": name, "planned_mb": round(planned / 1e6), "measured_mb": round(measured / 1e6)})
        print(rows[-1], flush=True)
        path.unlink()
    return rows


class Memory:
    """Looks at a process and its children all the time. Bytes."""

    def __init__(self, pid: int) -> None:
        self._page = psutil.Process(pid)
        self._family: list[psutil.Process] = []
        self._looked = float("-inf")
        self._stop = threading.Event()
        self.rest = self.peak = self._now()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            self.peak = max(self.peak, self._now())

    def _now(self) -> int:
        total, now = 0, time.monotonic()
        if now - self._looked > CHILDREN_SECONDS:
            self._family, self._looked = [self._page, *self._page.children(recursive=True)], now
        for process in self._family:
            try:
                total += process.memory_info().rss
            except psutil.Error:
                continue  # it has just ended
        return total


def send(url: str, login: tuple[str, str], picture: bytes) -> httpx.Response:
    headers = {"Origin": url, "X-Photo-Name": "photo"}
    return httpx.post(f"{url}/studio/photos", content=picture, headers=headers, auth=login, timeout=600)


def crowd(url: str, pid: int, attacker: tuple[str, str], other: tuple[str, str]) -> dict[str, Any]:
    """24 hostile pictures at once; what another login waits for meanwhile. Seconds, bytes."""
    ordinary = PHOTO.read_bytes()
    assert send(url, other, ordinary).status_code == 200
    memory = Memory(pid)
    waits: dict[str, list[float]] = {"list": [], "photo": []}
    with ThreadPoolExecutor(24) as pool:
        sent = [pool.submit(send, url, attacker, picture) for picture in hostile()]
        while not all(one.done() for one in sent):
            began = time.monotonic()
            assert httpx.get(f"{url}/studio/jobs", auth=other, timeout=600).status_code == 200
            waits["list"].append(time.monotonic() - began)
            began = time.monotonic()
            assert send(url, other, ordinary).status_code == 200
            waits["photo"].append(time.monotonic() - began)
            wait(sent, PAUSE_SECONDS)
        answers = [one.result().status_code for one in sent]
    memory.stop()
    return {
        "rest": memory.rest,
        "peak": memory.peak,
        "answers": {str(code): answers.count(code) for code in set(answers)},
        "longest_wait": {what: round(max(seconds), 2) for what, seconds in waits.items()},
        "asked": len(waits["list"]),
    }


def main() -> None:
    from studio import Page

    with tempfile.TemporaryDirectory() as folder:
        rows = peaks(Path(folder))
    logins = (("anna", "a"), ("ben", "b"))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        page = Page(Path(folder), *(word for login in logins for word in ("--auth", ":".join(login))))
        try:
            asyncio.run(page.ready())
            found = crowd(page.url, page.process.pid, *logins)
        finally:
            page.close()
    print(found)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(
        json.dumps({"machine": platform.machine(), "peaks": rows, "crowd": found}, indent=1), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
