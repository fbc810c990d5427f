"""A stranger's photo is decoded within the memory that it may take, whatever its header claims or its process does."""

import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from fanslymotion.errors import BadInput, StartError
from fanslymotion.pipeline.media.photo.decode_memory import NeedsMemory, decoding_bytes
from fanslymotion.pipeline.media.photo.decode_process import Decoder, _said_pid, _Watch
from fanslymotion.pipeline.media.photo.load import load_photo
from PIL import Image


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    made = Decoder(200_000_000)
    yield made
    made.close()


def run(decoder: Decoder, source: Path, folder: Path) -> tuple[int, int]:
    return decoder.run(source, source.name, folder / "photo.png", folder / "view.jpg", 100)[:2]


def test_the_photo_is_the_one_that_this_process_would_have_made(decoder: Decoder, photo: Path, tmp_path: Path) -> None:
    assert run(decoder, photo, tmp_path) == (320, 180)
    with Image.open(tmp_path / "photo.png") as written, Image.open(tmp_path / "view.jpg") as view:
        assert written.tobytes() == load_photo(photo).tobytes()
        assert view.size == (100, 56)


def test_errors_come_as_sentences(decoder: Decoder, photo: Path, tmp_path: Path) -> None:
    text = tmp_path / "text фото.jpg"
    text.write_text("Dear diary", encoding="utf-8")
    with pytest.raises(BadInput, match=r"text фото\.jpg is not a photo"):
        run(decoder, text, tmp_path)
    assert run(decoder, photo, tmp_path) == (320, 180)


HOSTILE = [
    ("claims.avif", "RGB", (10_900, 10_900), {"quality": 1, "speed": 10}),
    ("claims.webp", "RGB", (10_900, 10_900), {"lossless": True, "method": 0}),
    ("claims.tif", "F", (10_900, 10_900), {"compression": "tiff_adobe_deflate"}),
]


@pytest.mark.parametrize(("name", "mode", "size", "options"), HOSTILE, ids=[name for name, *_ in HOSTILE])
def test_a_small_file_that_would_take_gigabytes_is_refused_by_its_header(
    decoder: Decoder, name, mode, size, options, tmp_path: Path
) -> None:
    path = tmp_path / name
    small = Image.new(mode, (size[0] // 4, size[1] // 4))
    small.save(path, **options)
    with Image.open(path) as image:
        image._size = size  # the header of a large one; making that takes the gigabytes that this is about
        assert decoding_bytes(image) > 900_000_000
    tight = Decoder(160_000_000)  # less than the small file is said to take
    try:
        with pytest.raises(NeedsMemory, match=r"takes about \d+ MB of memory to open.*save it smaller"):
            run(tight, path, tmp_path)
    finally:
        tight.close()
    assert not (tmp_path / "photo.png").exists()


def test_a_process_that_takes_more_than_it_said_is_ended() -> None:
    greedy = """
import os
print(os.getpid(), flush=True)
kept = []
while True:
    kept.append(bytearray(b'x') * 1_000_000)
"""
    with subprocess.Popen([sys.executable, "-c", greedy], stdout=subprocess.PIPE, encoding="ascii") as process:
        watch = _Watch(process.pid, 150_000_000)
        try:
            watch.pid = _said_pid(process)
            assert process.wait(60) != 0
        finally:
            process.kill()
            watch.stop()
    assert watch.why == "memory"
    assert watch.bytes < 600_000_000


def test_a_photo_that_crashes_the_decoder_is_refused_and_the_next_one_is_not(
    decoder: Decoder, photo: Path, tmp_path: Path
) -> None:
    run(decoder, photo, tmp_path)
    child = psutil.Process(decoder.pid)
    child.suspend()  # so that the photo is in its hands when it dies

    def crash() -> None:
        time.sleep(0.3)
        child.kill()

    threading.Thread(target=crash).start()
    with pytest.raises(BadInput, match="is damaged or incomplete"):
        run(decoder, photo, tmp_path)
    assert run(decoder, photo, tmp_path) == (320, 180)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("no-such-program", os.strerror(errno.ENOENT)),
        pytest.param(None, "it ended with code 1", id="ends at once"),
    ],
)
def test_a_process_that_does_not_start_is_no_fault_of_the_photo(
    decoder: Decoder, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str | None, reason: str
) -> None:
    """The memory is full, or a package is damaged: every photo would be called damaged."""
    with monkeypatch.context() as patch:
        if program is None:
            patch.setenv("PYTHONPATH", str(tmp_path))
            (tmp_path / "json.py").write_text("raise SystemExit(1)", encoding="ascii")
        else:
            patch.setattr(sys, "executable", str(tmp_path / program))
        with pytest.raises(StartError, match="photos cannot be opened") as caught:
            run(decoder, photo, tmp_path)
    assert reason in str(caught.value)
    assert run(decoder, photo, tmp_path) == (320, 180)


def test_the_process_ends_with_the_page(photo: Path, tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from fanslymotion.pipeline.media.photo.decode_process import Decoder
decoder = Decoder(200_000_000)
folder = Path({str(tmp_path)!r})
decoder.run(Path({str(photo)!r}), "photo", folder / "photo.png", folder / "view.jpg", 100)
print(decoder.pid, flush=True)
import os; os._exit(0)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", errors="replace", timeout=60, check=True
    )
    pid, end = int(done.stdout), time.monotonic() + 30
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, "it outlives the page"
        time.sleep(0.05)


def test_an_ordinary_photo_is_decoded_without_numpy(tmp_path: Path) -> None:
    """Half of the time in which a process starts. A JPEG is what nearly all photos are; deep pixels need numpy."""
    jpeg, deep = tmp_path / "photo.jpg", tmp_path / "deep.png"
    Image.effect_noise((320, 180), 60).convert("RGB").save(jpeg)
    Image.new("I;16", (320, 180), 40_000).save(deep)
    code = (
        "import sys; from pathlib import Path\n"
        "from fanslymotion.pipeline.media.photo.decode_process import decode\n"
        "def run(source):\n"
        "    order = {'source': source, 'name': 'a', 'limit': 10**9, 'photo': 'a.png', 'view': 'a.jpg', 'side': 90}\n"
        "    assert decode(order)['size'] == (320, 180)\n"
        "    return [name for name in ('numpy', 'cv2', 'psutil') if name in sys.modules]\n"
        "print(run(sys.argv[1]), run(sys.argv[2]))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, jpeg, deep], cwd=tmp_path, capture_output=True, encoding="utf-8"
    )
    assert (done.stdout.strip(), done.stderr) == ("[] ['numpy']", "")
