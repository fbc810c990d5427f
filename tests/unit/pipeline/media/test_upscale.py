"""Learned upscalers: the two architectures, tiles, memory that runs out, and a result that does not shimmer."""

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from fanslymotion.errors import ModelError
from fanslymotion.pipeline.media.detail.detail import plain, with_detail
from fanslymotion.pipeline.media.upscale.files import UpscalerFile, check_upscaler
from fanslymotion.pipeline.media.upscale.learned_detail import GaveUp, LearnedDetail
from fanslymotion.pipeline.media.upscale.network import HALO, Network, read_network
from fanslymotion.pipeline.media.upscale.networks import build
from fanslymotion.pipeline.media.upscale.tile_sizes import TileSizes, take_smaller_tiles
from fanslymotion.pipeline.media.upscale.tiles import SIDES, cut
from fanslymotion.pipeline.media.upscale.upscaler import Upscaler
from fanslymotion.presets import UpscalerPreset
from fanslymotion.settings import ROOT
from fanslymotion.tests.tiny_upscaler import COMPACT, RRDB, write
from PIL import Image
from safetensors.torch import save_file

GENERAL, X4PLUS = Network("compact", 64, 32, 4), Network("rrdb", 64, 23, 4, 32)
PRESET = UpscalerPreset(name="own", label="Own", source="folder", folder=".")
SHOT = np.asarray(Image.open(ROOT / "assets" / "sample.jpg").convert("RGB"))
SIZE, DRAWN = (384, 216), (128, 72)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Pictures this small are computed sooner by one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=[COMPACT, RRDB], ids=["compact", "rrdb"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> UpscalerFile:
    write(tmp_path / "own" / "model.safetensors", request.param)
    return check_upscaler(PRESET, tmp_path / "own")


def pan(count: int, noise: float = 0.0) -> list[np.ndarray]:
    """What a camera that moves on draws. noise: grey levels, new in each frame."""
    random = np.random.default_rng(3)
    frames = []
    for t in range(count):
        seen = np.ascontiguousarray(SHOT[200 + t :, 300 + 3 * t :][: 3 * DRAWN[1], : 3 * DRAWN[0]])
        small = cv2.resize(seen, DRAWN, interpolation=cv2.INTER_AREA).astype(np.float32)
        frames.append(np.clip(small + noise * random.standard_normal(small.shape) + 0.5, 0, 255).astype(np.uint8))
    return frames


def test_the_published_networks_have_the_parameters_that_they_are_said_to_have() -> None:
    """1.21 million, and a file of 66 857 836 bytes: 4 for each number, and the header."""
    for network, numbers in ((GENERAL, 1_213_296), (X4PLUS, 16_697_987)):
        with torch.device("meta"):
            assert sum(p.numel() for p in build(network).parameters()) == network.parameters == numbers
    assert 0 < 66_857_836 - 4 * X4PLUS.parameters < 100_000


def test_the_layers_have_the_published_names() -> None:
    with torch.device("meta"):
        compact, rrdb = (set(build(network).state_dict()) for network in (GENERAL, X4PLUS))
    assert {"body.0.weight", "body.1.weight", "body.65.weight", "body.66.bias"} < compact
    trunk = {"conv_first.weight", "body.22.rdb3.conv5.bias", "conv_body.weight"}
    assert trunk | {"conv_up1.weight", "conv_up2.bias", "conv_hr.weight", "conv_last.bias"} < rrdb
    assert (len(compact), len(rrdb)) == (2 * 34 + 33, 2 * (23 * 15 + 6))


def test_operations_are_those_that_run() -> None:
    def count(conv: torch.nn.Module, _: object, made: torch.Tensor) -> None:
        found.append(2 * made.numel() * conv.weight[0].numel())

    for network in (GENERAL, X4PLUS, COMPACT, RRDB):
        found: list[int] = []
        net = build(network)
        for part in net.modules():
            if isinstance(part, torch.nn.Conv2d):
                part.register_forward_hook(count)
        net(torch.zeros(1, 3, 4, 4))
        assert network.operations * 16 == sum(found)


def test_a_file_is_recognised_and_gives_four_times_the_pixels(file: UpscalerFile) -> None:
    assert file.network in (COMPACT, RRDB)
    large = Upscaler(file, "cpu").enlarge(pan(1)[0], 512)
    assert (large.shape, large.dtype) == ((4 * DRAWN[1], 4 * DRAWN[0], 3), np.uint8)


def test_tiles_give_the_whole_pictures_result(file: UpscalerFile) -> None:
    upscaler, frame = Upscaler(file, "cpu"), pan(1)[0]
    whole = next(cut(DRAWN[1], DRAWN[0], 512, HALO))
    tiles = list(cut(DRAWN[1], DRAWN[0], 40, HALO))
    assert len(tiles) == 8
    x = torch.from_numpy(frame).permute(2, 0, 1)[None] / 255
    with torch.inference_mode():
        expected = upscaler._net(x)[0]
        for tile in tiles:
            rows, columns = tile.kept(4)
            made = upscaler._net(x[:, :, tile.outer_rows, tile.outer_columns])[0, :, rows, columns]
            assert (made - expected[:, *tile.target(4)]).abs().max() < 1e-5
    assert whole.kept(4) == whole.target(4)
    large = upscaler.enlarge(frame, 64)
    assert cv2.absdiff(large, upscaler.enlarge(frame, 512)).max() <= 1
    assert np.array_equal(large, upscaler.enlarge(frame, 64))


def test_half_numbers_give_the_same_picture(tmp_path: Path) -> None:
    path = write(tmp_path / "own" / "model.safetensors", COMPACT)
    file = UpscalerFile(PRESET, path, COMPACT, "")
    exact, half = (Upscaler(file, "cpu", number).enlarge(pan(1)[0], 512) for number in (4, 2))
    assert cv2.absdiff(exact, half).max() <= 1


def test_only_what_is_wanted_is_computed(file: UpscalerFile) -> None:
    wanted = np.zeros(DRAWN[::-1], bool)
    wanted[20:30, 70:100] = True
    tiles = list(cut(DRAWN[1], DRAWN[0], 64, 4, wanted))
    assert sum((t.rows.stop - t.rows.start) * (t.columns.stop - t.columns.start) for t in tiles) == 300
    upscaler, frame = Upscaler(file, "cpu"), pan(1)[0]
    part, whole = upscaler.enlarge(frame, 64, wanted), upscaler.enlarge(frame, 512)
    place = np.kron(wanted, np.ones((4, 4), bool))
    assert cv2.absdiff(part[place], whole[place]).max() <= 1
    assert np.array_equal(part[~place], plain(frame, (512, 288))[~place])


def test_where_the_photo_gives_detail_nothing_is_drawn(file: UpscalerFile, tmp_path: Path) -> None:
    """The photo's share stays the photo's; something in front of it, which no reference shows, gets the upscaler's."""
    photo, frames = np.ascontiguousarray(SHOT[200:][: SIZE[1], 300:][:, : SIZE[0]]), pan(3)
    for frame in frames[1:]:
        frame[20:52, 40:88] = np.random.default_rng(5).integers(0, 255, (32, 48, 3), np.uint8)
    learned = LearnedDetail(Upscaler(file, "cpu"), SIZE, TileSizes(tmp_path, "k", 512))
    shares: list[np.ndarray] = []

    def base(frame: np.ndarray, share: np.ndarray) -> np.ndarray:
        shares.append(share)
        return learned.add(frame, share)

    with_it, without = (list(with_detail(iter(frames), photo, b)) for b in (base, None))
    share = cv2.resize(shares[-1], SIZE)
    differs = cv2.absdiff(with_it[-1], without[-1]).max(-1)
    assert share[90:126, 150:230].min() > 0.9
    assert differs[share > 0.9].mean() > 5
    assert differs[share < 0.01].size > 1000
    assert differs[share < 0.01].max() <= 3, "a hundredth of 255"


def flicker(made: list[np.ndarray]) -> float:
    """Of what is added, along the camera's motion: 9 and 3 pixels of the output a frame and none of the subject's."""
    steps = []
    for before, after in pairwise(made):
        same = after[20:-20, 20:-20].astype(np.float32) - before[21:-19, 23:-17]
        steps.append(float(np.sqrt((same**2).mean())))
    return float(np.mean(steps))


def test_it_does_not_shimmer(file: UpscalerFile, tmp_path: Path) -> None:
    """Noise in the drawn frames makes the network add other things each time; held to the video they fall by half."""
    frames, found = pan(6, noise=4.0), []
    for kept in (0.0, 0.75):
        learned = LearnedDetail(Upscaler(file, "cpu"), SIZE, TileSizes(tmp_path / str(kept), "k", 512), kept=kept)
        found.append(flicker([learned.add(frame) for frame in frames][2:]))
    assert found[1] < 0.6 * found[0], found


def test_across_a_cut_nothing_is_carried_along(file: UpscalerFile, tmp_path: Path) -> None:
    other = cv2.resize(np.ascontiguousarray(SHOT[::-1, ::-1]), DRAWN, interpolation=cv2.INTER_AREA)
    upscaler = Upscaler(file, "cpu")
    learned, fresh = (LearnedDetail(upscaler, SIZE, TileSizes(tmp_path / n, "k", 512)) for n in "ab")
    learned.add(pan(1)[0])
    assert np.abs(learned.add(other) - fresh.add(other)).mean() < 1


class Scarce(Upscaler):
    """A device whose memory runs out at the numbered run, and at every tile larger than `room`."""

    def __init__(self, file: UpscalerFile, room: int, full_from: int = 0) -> None:
        super().__init__(file, "cpu", halo=4)
        self.room, self.full_from, self.runs = room, full_from, 0

    def _run(self, frame, tile):
        self.runs += 1
        if self.runs > self.full_from and tile.rows.stop - tile.rows.start > self.room:
            raise RuntimeError("CUDA error: out of memory")
        return super()._run(frame, tile)


def test_out_of_memory_takes_smaller_tiles_and_says_so(file: UpscalerFile, tmp_path: Path) -> None:
    said: list[str] = []
    sides = TileSizes(tmp_path, "k", 256)
    learned = LearnedDetail(Scarce(file, 64, full_from=1), SIZE, sides, said.append)
    frames = pan(3)
    made = [learned.add(frame) for frame in frames]
    assert [sides.side(n) for n in range(3)] == [256, 64, 64]
    assert len(said) == 2
    assert "tiles of 64 pixels instead of 128" in said[1]
    again = LearnedDetail(Upscaler(file, "cpu", halo=4), SIZE, TileSizes(tmp_path, "k", 512))
    for frame, expected in zip(frames, made, strict=True):
        assert np.array_equal(again.add(frame), expected), "taken up again, also where memory is plenty"


def test_without_room_for_the_smallest_tile_the_whole_video_is_plain(file: UpscalerFile, tmp_path: Path) -> None:
    learned = LearnedDetail(Scarce(file, 0), SIZE, TileSizes(tmp_path, "k", 128))
    with pytest.raises(GaveUp):
        learned.add(pan(1)[0])
    assert TileSizes(tmp_path, "k", 512).given_up
    assert not TileSizes(tmp_path, "another job's", 512).given_up


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"key": "k"}', '{"key": "k", "sides": [[0, 333]]}', '{"sides": [[1, 64]]}']
)
def test_a_damaged_note_of_the_tiles_is_no_obstacle(text: str, tmp_path: Path) -> None:
    (tmp_path / "upscale.json").write_text(text, encoding="utf-8")
    assert TileSizes(tmp_path, "k", 256).side(9) == 256
    assert json.loads((tmp_path / "upscale.json").read_text(encoding="utf-8")) == {"key": "k", "sides": [[0, 256]]}


def test_after_a_kill_for_want_of_memory_tiles_are_smaller(tmp_path: Path) -> None:
    take_smaller_tiles(tmp_path)
    assert not list(tmp_path.iterdir())
    TileSizes(tmp_path, "k", 128).smaller(5)
    take_smaller_tiles(tmp_path)
    sides = TileSizes(tmp_path, "k", 512)
    assert (sides.side(0), sides.side(5), sides.given_up) == (64, 64, False), "the smallest is tried again"


def test_what_ends_the_work_passes_through(file: UpscalerFile, tmp_path: Path) -> None:
    learned = LearnedDetail(Upscaler(file, "cpu"), SIZE, TileSizes(tmp_path, "k", SIDES[-1]))

    def stop() -> None:
        raise KeyboardInterrupt

    learned.between = stop
    with pytest.raises(KeyboardInterrupt):
        learned.add(pan(1)[0])


def test_other_files_are_refused_with_what_to_do(tmp_path: Path) -> None:
    hub = PRESET.model_copy(update={"source": "hub", "name": "quick"})
    with pytest.raises(ModelError, match="fanslymotion models download quick"):
        check_upscaler(hub, tmp_path)
    (tmp_path / "model.pth").touch()
    with pytest.raises(ModelError, match="never loaded"):
        check_upscaler(hub, tmp_path)
    save_file({"unet.weight": torch.zeros(2, 2)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match="no upscaler that is known"):
        check_upscaler(PRESET, tmp_path)
    (tmp_path / "other.safetensors").write_bytes(b"no header")
    with pytest.raises(ModelError, match="cannot be read"):
        read_network(tmp_path / "other.safetensors")
    write(tmp_path / "more.safetensors", COMPACT)
    with pytest.raises(ModelError, match="holds 2 upscalers"):
        check_upscaler(PRESET, tmp_path)


def test_a_file_with_other_weights_than_its_names_say_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "model.safetensors", COMPACT)
    wrong = UpscalerFile(PRESET, path, replace(COMPACT, depth=9), "")
    with pytest.raises(ModelError, match="could not be loaded"):
        Upscaler(wrong, "cpu")
