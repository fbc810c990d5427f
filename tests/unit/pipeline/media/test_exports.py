"""A video in other forms, made by the real ffmpeg and read back by Pillow or ffmpeg: frames, times, colours, marks."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from fanslymotion.bench.faults import disk
from fanslymotion.errors import BadInput, Cancelled, NotFound, RenderError
from fanslymotion.pipeline.media.encode import VideoEncoder
from fanslymotion.pipeline.media.exports.formats import FILE_NAME, FORMATS, Clip, Export
from fanslymotion.pipeline.media.exports.make import LOCK, MOST_KEPT, make_export, usable_formats
from fanslymotion.pipeline.media.ffmpeg import ffmpeg_path
from fanslymotion.pipeline.media.mp4 import TRAINED_MEDIA, probe, read_metadata
from fanslymotion.tests.mp4_boxes import read_xmp
from filelock import FileLock
from PIL import Image

WIDTH, HEIGHT, FRAMES, FPS = 96, 64, 20, 12
COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (200, 200, 40), (128, 128, 128), (230, 140, 60)]
MOTION = [name for name, kind in FORMATS.items() if not kind.still]


def grey(number: int) -> int:
    """The level of a frame's upper half, by which it is known again."""
    return 20 + 10 * number


def film(path: Path, frames: int = FRAMES, fps: float = FPS, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Clip:
    """Above a grey that tells the frame's number, below patches of colours."""
    width, height = size
    below = np.concatenate([np.full((height // 2, width // 6, 3), colour, np.uint8) for colour in COLOURS], axis=1)
    with VideoEncoder(path, width, height, fps, metadata={"request": {"seed": 7}}) as encoder:
        for number in range(frames):
            above = np.full((height - height // 2, width, 3), grey(number) % 256, np.uint8)
            encoder.write(np.concatenate([above, below]))
    return Clip(path, width, height, frames, fps)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return film(tmp_path_factory.mktemp("clip") / "видео.mp4")


@pytest.fixture
def clip(made: Clip, tmp_path: Path) -> Clip:
    """The video in a folder of the test's own."""
    path = tmp_path / "job папка" / "video.mp4"
    path.parent.mkdir()
    path.write_bytes(made.path.read_bytes())
    return Clip(path, WIDTH, HEIGHT, FRAMES, FPS)


def pictures(path: Path) -> tuple[list[np.ndarray], float]:
    """What the file shows, and for how many seconds in all."""
    if path.suffix in (".gif", ".webp"):
        with Image.open(path) as image:
            found, milliseconds = [], 0
            for number in range(getattr(image, "n_frames", 1)):
                image.seek(number)
                found.append(np.asarray(image.convert("RGB")))
                milliseconds += image.info["duration"]
            return found, milliseconds / 1000
    raw = subprocess.run(
        [ffmpeg_path(), "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
        capture_output=True,
        check=True,
    ).stdout
    told = probe(path)
    return list(np.frombuffer(raw, np.uint8).reshape(-1, told.height, told.width, 3)), told.duration


def numbers(frames: list[np.ndarray]) -> list[int]:
    """Which frame of the film each picture is."""
    return [round((float(frame[: frame.shape[0] // 2 - 4].mean()) - 20) / 10) for frame in frames]


def colours(frame: np.ndarray) -> np.ndarray:
    """The middle of each patch."""
    below = frame[frame.shape[0] // 2 + 4 : -4]
    wide = frame.shape[1] // 6
    return np.array([below[:, at * wide + 4 : (at + 1) * wide - 4].mean((0, 1)) for at in range(6)])


@pytest.mark.parametrize("name", MOTION)
def test_the_frames_their_time_and_their_colours(clip: Clip, name: str) -> None:
    shares: list[float] = []
    path = make_export(clip, Export(name, start=3, end=9), shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1 > shares[-2]
    frames, seconds = pictures(path)
    assert numbers(frames) == list(range(3, 9))
    assert seconds == pytest.approx(6 / FPS, abs=0.011)  # ffmpeg tells hundredths
    assert np.abs(colours(frames[0]) - COLOURS).max() <= 6
    assert path.name == f"video{'-web' if name == 'web' else ''}-frames-3-9{FORMATS[name].suffix}"
    assert FILE_NAME.fullmatch(path.name)


@pytest.mark.parametrize("name", MOTION)
def test_a_loop_shows_no_frame_twice_where_it_turns(clip: Clip, name: str) -> None:
    frames, seconds = pictures(make_export(clip, Export(name, start=4, end=9, ping_pong=True)))
    assert numbers(frames) == [4, 5, 6, 7, 8, 7, 6, 5]
    assert seconds == pytest.approx(8 / FPS, abs=0.011)


def test_the_whole_video_loops_backwards_in_pieces(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    """Little memory: so few frames are held that it is read backwards in several goes."""
    monkeypatch.setattr("fanslymotion.pipeline.media.exports.frames.BACKWARD_BYTES", 3 * WIDTH * HEIGHT * 3 // 2)
    frames, _ = pictures(make_export(clip, Export("mp4", ping_pong=True)))
    assert numbers(frames) == [*range(FRAMES), *range(FRAMES - 2, 0, -1)]


def test_the_whole_video_is_the_video_itself(clip: Clip) -> None:
    assert make_export(clip, Export("mp4", start=0, end=FRAMES)) == clip.path
    assert [path.name for path in clip.path.parent.iterdir()] == ["video.mp4"]


@pytest.mark.parametrize("name", ["png", "jpg"])
@pytest.mark.parametrize("frame", [0, 1, 13, FRAMES - 1, None])
def test_a_still_is_that_very_frame(clip: Clip, name: str, frame: int | None) -> None:
    path = make_export(clip, Export(name, frame=frame))
    wanted = FRAMES // 2 if frame is None else frame
    assert path.name == f"frame-{wanted}.{name}"
    with Image.open(path) as image:
        assert image.size == (WIDTH, HEIGHT)
        shown = np.asarray(image.convert("RGB"))
    assert numbers([shown]) == [wanted]
    assert np.abs(colours(shown) - COLOURS).max() <= 4


@pytest.mark.parametrize("fps", [60, 120])
def test_a_gif_keeps_a_rate_that_browsers_keep(tmp_path: Path, fps: int) -> None:
    """They slow down what shows a picture for less than two hundredths of a second."""
    clip = film(tmp_path / "video.mp4", 21, fps)
    path = make_export(clip, Export("gif"))
    with Image.open(path) as image:
        delays = []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            delays.append(image.info["duration"])
        assert image.info["loop"] == 0
    assert min(delays) >= 20
    assert sum(delays) == pytest.approx(1000 * 21 / fps, abs=10)
    assert numbers(pictures(path)[0]) == list(range(0, 21, 2 if fps == 60 else 3))


def test_copies_to_share_are_no_larger_than_they_need_be(tmp_path: Path) -> None:
    clip = film(tmp_path / "video.mp4", 2, 12, (1440, 816))
    sizes = {name: pictures(make_export(clip, Export(name)))[0][0].shape[:2] for name in ("gif", "webp", "web", "webm")}
    assert sizes == {"gif": (362, 640), "webp": (726, 1280), "web": (726, 1280), "webm": (726, 1280)}


def test_the_web_copy_begins_with_its_index_and_tells_no_settings(clip: Clip) -> None:
    data = make_export(clip, Export("web")).read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with pytest.raises(BadInput, match="holds no settings"):
        read_metadata(make_export(clip, Export("web")))
    assert read_metadata(make_export(clip, Export("mp4", ping_pong=True))) == {"request": {"seed": 7}}
    assert probe(make_export(clip, Export("webm"))).codec == "vp9"


@pytest.mark.parametrize("name", ["gif", "webp", "png", "jpg", "mp4", "web", "webm"])
def test_every_form_says_that_a_model_made_it(clip: Clip, name: str) -> None:
    kind = FORMATS[name]
    path = make_export(clip, Export(name, frame=2) if kind.still else Export(name, start=1))
    if kind.suffix == ".mp4":
        assert TRAINED_MEDIA in read_xmp(path)
    elif name in ("webm", "gif"):  # Pillow reads neither; that it finds its way past it in a GIF is seen above
        assert TRAINED_MEDIA.encode() in path.read_bytes()
    else:
        with Image.open(path) as image:
            image.load()
            packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
        assert TRAINED_MEDIA in (packet.decode() if isinstance(packet, bytes) else str(packet))


def test_it_is_made_once(clip: Clip) -> None:
    shares: list[float] = []
    first = make_export(clip, Export("gif"), shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert len(shares) > FRAMES
    before = first.stat()
    assert make_export(clip, Export("gif", end=FRAMES), lambda _: pytest.fail("it is made again")) == first
    assert first.stat().st_mtime_ns == before.st_mtime_ns


def test_only_the_newest_are_kept(clip: Clip) -> None:
    kept = [make_export(clip, Export("png", frame=frame)) for frame in range(MOST_KEPT + 3)]
    for at, path in enumerate(kept[3:]):
        os.utime(path, (at, at))  # whole seconds: Windows keeps no nanoseconds
    last = make_export(clip, Export("jpg", frame=0))
    assert {path for path in kept if path.exists()} == set(kept[4:])
    assert last.exists()
    assert clip.path.exists()


@pytest.mark.parametrize("name", ["gif", "web", "webp"])
@pytest.mark.parametrize("after", [0, 5, FRAMES])
def test_what_is_ended_leaves_nothing(clip: Clip, name: str, after: int) -> None:
    calls = 0

    def stop() -> bool:
        nonlocal calls
        calls += 1
        return calls > after

    with pytest.raises(Cancelled):
        make_export(clip, Export(name), stop=stop)
    assert sorted(path.name for path in clip.path.parent.iterdir() if path.suffix != ".lock") == ["video.mp4"]


KILLED = """
import json, sys
from pathlib import Path
from fanslymotion.pipeline.media.exports.formats import Clip, Export
from fanslymotion.pipeline.media.exports.make import make_export
make_export(Clip(Path(sys.argv[1]), *json.loads(sys.argv[2])), Export("webp"), lambda share: print(share, flush=True))
"""


def test_a_kill_leaves_no_half_made_file(tmp_path: Path) -> None:
    clip = film(tmp_path / "video.mp4", 20, 12, (720, 408))
    facts = json.dumps([clip.width, clip.height, clip.frames, clip.fps])
    words = [sys.executable, "-c", KILLED, str(clip.path), facts]
    process = subprocess.Popen(words, stdout=subprocess.PIPE)
    assert process.stdout
    for _ in range(3):
        assert process.stdout.readline()
    encoders = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    process.stdout.close()
    psutil.wait_procs(encoders)  # without the other end of its pipe; Windows deletes no file that it has open
    names = {path.name for path in tmp_path.iterdir()}
    assert "video.webp" not in names
    assert any(name.endswith(".part") for name in names)
    assert len(pictures(make_export(clip, Export("webp")))[0]) == 20
    assert not list(tmp_path.glob(".*.part")), "what the other left is gone"


def test_two_at_once_make_it_once(clip: Clip) -> None:
    entered, go = threading.Event(), threading.Event()

    def wait(_: float) -> None:
        entered.set()
        assert go.wait(60)

    first = threading.Thread(target=make_export, args=(clip, Export("gif"), wait))
    first.start()
    assert entered.wait(60)
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        go.set()
        return False

    found = make_export(clip, Export("gif"), lambda _: pytest.fail("it is made again"), stop)
    first.join()
    assert asked
    assert len(pictures(found)[0]) == FRAMES


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Export("avi"), "cannot be saved as 'avi'"),
        (Export("gif", start=5, end=5), "from frame 5 to 5"),
        (Export("gif", end=FRAMES + 1), f"from frame 0 to {FRAMES + 1}"),
        (Export("gif", start=-1), "from frame -1"),
        (Export("gif", frame=3), "no still picture"),
        (Export("png", ping_pong=True), "is a still picture"),
        (Export("png", end=4), "is a still picture"),
        (Export("jpg", frame=FRAMES), f"frame {FRAMES} is not there"),
        (Export("jpg", frame=-1), "frame -1 is not there"),
    ],
)
def test_what_the_video_does_not_have_is_refused(clip: Clip, wanted: Export, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        make_export(clip, wanted)


def test_a_video_that_is_gone_or_broken_is_told(clip: Clip, tmp_path: Path) -> None:
    clip.path.write_bytes(b"\0\0\0\x18ftypisom" + bytes(500))
    with pytest.raises(RenderError, match="has no frame 0"):
        make_export(clip, Export("gif"))
    clip.path.unlink()
    with pytest.raises(NotFound, match="is gone from the data folder"):
        make_export(clip, Export("gif"))
    other = film(tmp_path / "elsewhere.mp4", 2)
    clip.path.symlink_to(other.path)
    with pytest.raises(NotFound):
        make_export(clip, Export("gif"))


def test_a_missing_ffmpeg_is_told(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(clip.path.with_name("no-ffmpeg")))
    with pytest.raises(RenderError, match=r"ffmpeg cannot be started \(.*no-ffmpeg\).*reinstall it") as told:
        make_export(clip, Export("gif"))
    assert "ffmpeg не запускается" in told.value.message.say("ru")
    assert usable_formats() == list(FORMATS), "what is not known is offered, and told when it is used"
    assert not list(clip.path.parent.glob(".*.part"))


def test_an_ffmpeg_that_lacks_an_encoder_is_told(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    assert usable_formats() == list(FORMATS)
    monkeypatch.setitem(FORMATS, "webm", FORMATS["webm"].__class__("webm", ".webm", "video/webm", encoder="libno"))
    assert usable_formats() == [name for name in FORMATS if name != "webm"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    if not disk.mount(folder):
        pytest.skip("only root on Linux may mount a small disk")
    yield folder
    disk.unmount(folder)


@pytest.mark.parametrize("wanted", [Export("gif"), Export("mp4", start=1), Export("png")])
def test_a_full_disk_is_told_and_leaves_nothing(small_disk: Path, wanted: Export, made: Clip) -> None:
    video = small_disk / "video.mp4"
    video.write_bytes(made.path.read_bytes())
    (small_disk / ".export.lock").touch()
    disk.fill(small_disk)
    clip = Clip(video, WIDTH, HEIGHT, FRAMES, FPS)
    with pytest.raises(RenderError, match="is full; free some space and retry"):
        make_export(clip, wanted)
    assert {path.name for path in small_disk.iterdir()} == {"video.mp4", "ballast", ".export.lock"}
    disk.make_room(small_disk)
    assert make_export(clip, wanted).is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="a folder with an open file cannot be deleted there")
def test_a_folder_that_is_deleted_while_an_export_waits_stays_away(clip: Clip) -> None:
    """A lock makes the folder that it is to lie in."""
    folder = clip.path.parent

    def stop() -> bool:
        shutil.rmtree(folder)
        lock.release(force=True)
        return False

    lock = FileLock(folder / LOCK)
    lock.acquire()
    with pytest.raises(NotFound, match="gone"):
        make_export(clip, Export("gif"), stop=stop)
    assert not folder.exists()
