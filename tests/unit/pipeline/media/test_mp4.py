"""The settings inside an mp4: what was written is read back, and no bytes make the reader fail in another way."""

import json
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from fanslymotion.errors import BadInput
from fanslymotion.pipeline.media import mp4 as metadata
from fanslymotion.pipeline.media.mp4 import MAX_COMMENT, mark_ai_generated, read_metadata, settings_comment
from fanslymotion.tests.mp4_boxes import read_xmp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

own_file = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
"""Each example writes the whole file anew."""

words = st.text(st.characters(codec="utf-8"), max_size=40)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def mp4(comment: bytes) -> bytes:
    """As ffmpeg writes it: ftyp, the frames, the index with iTunes' tags."""
    data = box(b"data", struct.pack(">II", 1, 0) + comment)
    meta = box(b"meta", bytes(4) + box(b"hdlr", bytes(25)) + box(b"ilst", box(b"\xa9cmt", data)))
    return box(b"ftyp", b"isom") + box(b"mdat", b"frames") + box(b"moov", box(b"mvhd", bytes(9)) + box(b"udta", meta))


@own_file
@given(made=st.dictionaries(words, values, max_size=8))
def test_what_is_written_is_read_back(tmp_path: Path, made: dict[str, Any]) -> None:
    path = tmp_path / "clip.mp4"
    text = settings_comment(made)
    assert text.isascii()
    path.write_bytes(mp4(text.encode()))
    mark_ai_generated(path)
    assert read_metadata(path) == made
    assert "trainedAlgorithmicMedia" in read_xmp(path)


@given(more=st.integers(0, 100))
def test_settings_beyond_the_limit_are_refused_before_they_are_written(more: int) -> None:
    room = MAX_COMMENT - len(settings_comment({"x": ""}))
    assert len(settings_comment({"x": "y" * room})) == MAX_COMMENT
    with pytest.raises(ValueError, match=str(MAX_COMMENT)):
        settings_comment({"x": "y" * (room + 1 + more)})


def only_says_so(read: Callable[[Path], object], path: Path) -> None:
    """A whole answer, or a sentence for the person whose file it is; nothing else is ever raised."""
    with suppress(BadInput):
        read(path)


sizes = st.sampled_from([0, 1, 7, 8, 9, 15, 16, 2**31, 2**32 - 1]) | st.integers(0, 200)
kinds = st.sampled_from(
    [b"moov", b"udta", b"meta", b"ilst", b"\xa9cmt", b"data", b"uuid", b"ftyp", metadata.XMP_UUID[:4]]
)
boxes = st.builds(lambda size, kind, rest: struct.pack(">I4s", size, kind) + rest, sizes, kinds, st.binary(max_size=24))
long_boxes = st.builds(
    lambda size, kind, rest: struct.pack(">I4sQ", 1, kind, size) + rest,
    st.integers(0, 2**64 - 1),
    kinds,
    st.binary(max_size=8),
)


@own_file
@given(content=st.binary(max_size=200) | st.lists(boxes | long_boxes, max_size=12).map(b"".join))
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    only_says_so(read_metadata, path)


@own_file
@given(data=st.data())
def test_a_video_changed_anywhere_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(mp4(settings_comment({"seed": 1}).encode()))
    mark_ai_generated(path)
    whole = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    only_says_so(read_metadata, path)


@pytest.mark.parametrize(
    "comment",
    [b"", b"{}", b"[]", b"holiday", b"[" * 10_000, json.dumps({"software": "other", "settings": {}}).encode()],
)
def test_another_programs_comment_is_no_settings(tmp_path: Path, comment: bytes) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(mp4(comment))
    with pytest.raises(BadInput, match="holds no settings"):
        read_metadata(path)
