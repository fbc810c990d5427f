"""Checkpoints are whole or not there, and what is wrong with one never stops a job."""

import errno
import json
import logging
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from fanslymotion.pipeline import checkpoint as module
from fanslymotion.pipeline.checkpoint import Checkpoints, Saved, keep_note, newest_note
from fanslymotion.pipeline.families.noise import window_generator
from fanslymotion.pipeline.sampling.windowed import SamplingState
from safetensors.torch import save_file


def state(window: int = 1, step: int = 2, value: float = 1.0) -> SamplingState:
    return SamplingState(
        conditioning={"words": torch.full((1, 1, 8), value), "mask": torch.ones(1, 4, 2, 3, dtype=torch.int64)},
        rng=window_generator(3, window).get_state(),
        noise_dtype=torch.float32,
        window=window,
        step=step,
        x=torch.full((1, 5, 4, 2, 3), value, dtype=torch.bfloat16) if step else None,
        done=torch.full((1, 7, 4, 2, 3), value) if window else None,
        history={"denoised": torch.full((1, 5, 4, 2, 3), value)} if step else {},
    )


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_comes_back_as_it_was(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "work", "key", lambda: {"decode_chunk": 7})
    checkpoints.now(state())
    saved = Checkpoints(tmp_path / "work", "key").load()
    assert saved is not None
    assert saved.note == {"decode_chunk": 7}
    assert (saved.state.window, saved.state.step, saved.state.noise_dtype) == (1, 2, torch.float32)
    for name in ("rng", "x", "done"):
        found, expected = getattr(saved.state, name), getattr(state(), name)
        assert found.dtype == expected.dtype
        assert torch.equal(found, expected)
    assert set(saved.state.conditioning) == {"words", "mask"}
    assert set(saved.state.history) == {"denoised"}
    for kind in ("conditioning", "history"):
        for name, tensor in getattr(state(), kind).items():
            found = getattr(saved.state, kind)[name]
            assert found.dtype == tensor.dtype
            assert torch.equal(found, tensor)


@pytest.mark.skipif(sys.platform != "linux", reason="what a process has mapped is read from /proc")
def test_a_state_does_not_hold_its_file(tmp_path: Path) -> None:
    """Windows deletes no file that is mapped: the old checkpoint of a resumed job would stay until it ends."""
    Checkpoints(tmp_path, "key").now(state())
    saved = Checkpoints(tmp_path, "key").load()
    assert saved is not None
    assert str(tmp_path) not in Path("/proc/self/maps").read_text(encoding="utf-8")


def test_written_at_most_every_interval_and_at_once_when_asked(tmp_path: Path) -> None:
    now = 0.0
    checkpoints = Checkpoints(tmp_path, "key", interval=30, clock=lambda: now)
    checkpoints.step(state(step=1))
    assert not files(tmp_path)
    now = 29.0
    checkpoints.step(state(step=2))
    assert not files(tmp_path)
    now = 31.0
    checkpoints.step(state(step=3))
    assert len(files(tmp_path)) == 1
    now = 40.0
    checkpoints.now(state(step=4))
    now = 65.0
    checkpoints.step(state(step=5))
    saved = checkpoints.load()
    assert saved is not None
    assert saved.state.step == 4
    now = 71.0
    checkpoints.step(state(step=6))
    saved = checkpoints.load()
    assert saved is not None
    assert saved.state.step == 6


def test_only_the_newest_files_stay(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "key")
    for step in range(1, 6):
        checkpoints.now(state(step=step))
    assert [path.name for path in files(tmp_path)] == ["checkpoint-000004.safetensors", "checkpoint-000005.safetensors"]
    Checkpoints(tmp_path, "key").now(state(step=6))
    assert [path.name for path in files(tmp_path)] == ["checkpoint-000005.safetensors", "checkpoint-000006.safetensors"]
    checkpoints.clear()
    assert not files(tmp_path)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-50])


def scramble(path: Path) -> None:
    path.write_bytes(b"\xff" * 200)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def other_version(path: Path) -> None:
    header = {"version": 99, "key": "key", "window": 0, "step": 0, "noise_dtype": "float32", "note": {}}
    save_file({"rng": torch.zeros(1)}, path, metadata={"fanslymotion": json.dumps(header)})


def foreign(path: Path) -> None:
    save_file({"weight": torch.zeros(1)}, path)


def not_finite(path: Path) -> None:
    Checkpoints(path.parent / "other", "key").now(state(value=float("nan")))
    path.write_bytes((path.parent / "other" / "checkpoint-000001.safetensors").read_bytes())


@pytest.mark.parametrize("damage", [truncate, scramble, empty, other_version, foreign, not_finite])
def test_a_bad_one_gives_way_to_the_one_before(damage: Any, tmp_path: Path, caplog: Any) -> None:
    checkpoints = Checkpoints(tmp_path, "key")
    checkpoints.now(state(step=1))
    checkpoints.now(state(step=2))
    damage(tmp_path / "checkpoint-000002.safetensors")
    with caplog.at_level(logging.WARNING):
        saved = Checkpoints(tmp_path, "key").load()
    assert saved is not None
    assert saved.state.step == 1
    assert "checkpoint-000002.safetensors is not used" in caplog.text
    (tmp_path / "checkpoint-000001.safetensors").unlink()
    assert Checkpoints(tmp_path, "key").load() is None


def same(one: Saved, other: Saved) -> bool:
    mine, its = one.state, other.state
    tensors = ((mine.x, its.x), (mine.done, its.done), (mine.rng, its.rng))
    equal = all((a is None) == (b is None) and (a is None or torch.equal(a, b)) for a, b in tensors)
    equal &= torch.equal(mine.conditioning["words"], its.conditioning["words"])
    return equal and (mine.window, mine.step, one.note) == (its.window, its.step, other.note)


def test_no_flipped_bit_is_gone_on_with(tmp_path: Path) -> None:
    """Bits all over the file: it means what it did (a blank between two words), or the one before is taken."""
    checkpoints = Checkpoints(tmp_path, "key", note=lambda: {"width": 448})
    checkpoints.now(state(step=1))
    checkpoints.now(state(step=2))
    original, before = checkpoints.load(), None
    path = tmp_path / "checkpoint-000002.safetensors"
    whole = path.read_bytes()
    data = 8 + int.from_bytes(whole[:8], "little")
    places = [*range(0, data, 3), *range(data, len(whole), 61)]
    refused = 0
    for n in places:
        flipped = bytearray(whole)
        flipped[n] ^= 1 << n % 8
        path.write_bytes(flipped)
        found = checkpoints.load()
        assert found is not None
        assert original is not None
        if found.state.step == 1:
            before = before or found
            refused += 1
            assert same(found, before)
        else:
            assert same(found, original), f"byte {n}"
        assert newest_note(tmp_path).values == {"width": 448}
    assert refused > 0.9 * len(places)


def test_one_without_a_checksum_is_not_used_and_the_job_begins_anew(tmp_path: Path, caplog: Any) -> None:
    header = {"version": 1, "key": "key", "window": 0, "step": 0, "noise_dtype": "float32", "note": {"width": 8}}
    metadata = {"fanslymotion": json.dumps(header)}
    save_file({"rng": torch.zeros(1)}, tmp_path / "checkpoint-000001.safetensors", metadata=metadata)
    assert Checkpoints(tmp_path, "key").load() is None
    assert newest_note(tmp_path) == ({}, False)
    assert "is of version 1" in caplog.text


def test_one_of_version_2_is_gone_on_with(tmp_path: Path) -> None:
    """Written by the version before: Stable Video Diffusion's two tensors under names of their own."""
    old = Path(__file__).parent / "data" / "checkpoint-version-2.safetensors"
    shutil.copy(old, tmp_path / "checkpoint-000001.safetensors")
    saved = Checkpoints(tmp_path, "key").load()
    assert saved is not None
    assert saved.note == newest_note(tmp_path).values == {"decode_chunk": 7, "width": 448}
    found = saved.state
    assert (found.window, found.step, found.noise_dtype) == (1, 2, torch.float16)
    assert set(found.conditioning) == {"embedding", "image"}
    assert found.conditioning["embedding"].flatten().tolist() == [0, 1, 2, 3]
    assert torch.equal(found.conditioning["image"], torch.ones(1, 4, 2, 3))
    assert found.x is not None
    assert torch.equal(found.x, torch.full((1, 5, 4, 2, 3), 0.5, dtype=torch.bfloat16))
    assert torch.equal(found.rng, window_generator(3, 1).get_state())


def test_another_jobs_is_not_taken(tmp_path: Path, caplog: Any) -> None:
    Checkpoints(tmp_path, "theirs").now(state())
    assert Checkpoints(tmp_path, "ours").load() is None
    assert "other settings" in caplog.text


def test_no_folder_is_no_checkpoint(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path / "none", "key").load() is None


def test_a_full_disk_costs_the_checkpoint_not_the_job(
    tmp_path: Path, caplog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = Checkpoints(tmp_path, "key")
    checkpoints.now(state(step=1))

    def full(part: Path, path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "commit", full)
    with caplog.at_level(logging.WARNING):
        checkpoints.now(state(step=2))
        checkpoints.now(state(step=3))
    assert caplog.text.count("the disk is full") == 1, "said once, not at every attempt"
    assert [path.name for path in files(tmp_path)] == ["checkpoint-000001.safetensors"]
    monkeypatch.undo()
    checkpoints.now(state(step=4))
    saved = checkpoints.load()
    assert saved is not None
    assert saved.state.step == 4


SHAPE = ("width",)


def test_a_plan_is_recorded_before_anything_is_sampled(tmp_path: Path, caplog: Any) -> None:
    keep_note(tmp_path / "work", {"width": 448, "chunked": True}, SHAPE)
    assert newest_note(tmp_path / "work") == ({"width": 448, "chunked": True}, False)
    with caplog.at_level(logging.WARNING):
        assert Checkpoints(tmp_path / "work", "key").load() is None
    assert not caplog.text
    keep_note(tmp_path / "work", {"width": 448, "chunked": False}, SHAPE)
    assert [path.name for path in files(tmp_path / "work")] == ["checkpoint-000002.safetensors"]
    assert newest_note(tmp_path / "work").values["chunked"] is False


def test_another_plan_of_the_same_size_keeps_the_latents(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "key", lambda: {"width": 448, "chunked": False})
    checkpoints.now(state(step=1))
    checkpoints.now(state(step=2))
    before = checkpoints.load()
    assert before is not None
    keep_note(tmp_path, {"width": 448, "chunked": False}, SHAPE)
    assert len(files(tmp_path)) == 2, "there is nothing new to write"
    keep_note(tmp_path, {"width": 448, "chunked": True}, SHAPE)
    after = Checkpoints(tmp_path, "key").load()
    assert after is not None
    assert after.note == {"width": 448, "chunked": True}
    assert same(Saved(after.state, before.note), before)
    assert [path.name for path in files(tmp_path)] == ["checkpoint-000002.safetensors", "checkpoint-000003.safetensors"]


def test_a_plan_of_another_size_begins_anew(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "key", lambda: {"width": 448})
    checkpoints.now(state(step=1))
    checkpoints.now(state(step=2))
    keep_note(tmp_path, {"width": 256}, SHAPE)
    assert newest_note(tmp_path) == ({"width": 256}, False)
    assert [path.name for path in files(tmp_path)] == ["checkpoint-000003.safetensors"]
    later = Checkpoints(tmp_path, "other", lambda: {"width": 256})
    assert later.load() is None
    later.now(state(step=3))
    assert newest_note(tmp_path) == ({"width": 256}, True)


def test_a_damaged_checkpoint_does_not_hide_the_one_before_from_a_new_plan(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "key", lambda: {"width": 448})
    checkpoints.now(state(step=1))
    checkpoints.now(state(step=2))
    truncate(tmp_path / "checkpoint-000002.safetensors")
    keep_note(tmp_path, {"width": 448, "chunked": True}, SHAPE)
    saved = Checkpoints(tmp_path, "key").load()
    assert saved is not None
    assert saved.state.step == 1


def test_the_latents_of_version_2_are_kept_under_a_new_plan(tmp_path: Path) -> None:
    old = Path(__file__).parent / "data" / "checkpoint-version-2.safetensors"
    shutil.copy(old, tmp_path / "checkpoint-000001.safetensors")
    keep_note(tmp_path, {"decode_chunk": 3, "width": 448}, SHAPE)
    saved = Checkpoints(tmp_path, "key").load()
    assert saved is not None
    assert set(saved.state.conditioning) == {"embedding", "image"}
    assert saved.note["decode_chunk"] == 3
