"""A file that is no safetensors file is a ValueError with a sentence, whatever it holds, and never another error."""

import json
from pathlib import Path
from typing import Any

import pytest
from fanslymotion.messages import Message
from fanslymotion.safetensors_header import is_whole, read_header, tensor_shapes
from hypothesis import given
from hypothesis import strategies as st


def packed(header: bytes | dict[str, Any], data: int = 0) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(data)


def one(**changes: Any) -> dict[str, Any]:
    return {"w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]} | changes}


BROKEN = {
    "empty": b"",
    "brackets": packed(b"[" * 200_000),
    "brackets in an object": packed(b'{"a":' + b"[" * 200_000),
    "objects": packed(b'{"a":' * 100_000),
    "list": packed(b"[]"),
    "number": packed(b"17"),
    "pickle": b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x8c\x05torch\x94." * 9,
    "zip": b"PK\x03\x04" * 99,
    "not utf-8": packed(b'{"\xff":1}'),
    "half a character": packed({"\ud800": one()["w"]}, 24),
    "header longer than the format's limit": (2**63).to_bytes(8, "little") + b"{}",
    "header longer than the file": (500).to_bytes(8, "little") + b'{"w":',
    "tensor is a number": packed({"w": 7}),
    "tensor is a list": packed({"w": []}),
    "no shape": packed({"w": {"data_offsets": [0, 24]}}, 24),
    "shape is a word": packed(one(shape="23"), 24),
    "shape of words": packed(one(shape=["2", 3]), 24),
    "shape of fractions": packed(one(shape=[2.0, 3]), 24),
    "negative shape": packed(one(shape=[-2, -3]), 24),
    "more numbers than bytes": packed(one(shape=[10**200, 10**200]), 24),
    "no offsets": packed({"w": {"shape": [2, 3]}}, 24),
    "one offset": packed(one(data_offsets=[24]), 24),
    "offsets are words": packed(one(data_offsets=["0", "24"]), 24),
    "offsets turned round": packed(one(data_offsets=[24, 0]), 24),
    "metadata is a list": packed(one() | {"__metadata__": [1]}, 24),
    "digits": packed(b'{"w":{"shape":[' + b"9" * 5000 + b"]}}"),
}
DAMAGED = {
    "negative offset": packed(one(data_offsets=[-24, 0])),
    "huge offset": packed(one(data_offsets=[0, 2**70]), 24),
    "cut short": packed(one(), 23),
    "longer than it says": packed(one(), 25),
    "hole": packed(one() | {"v": one(data_offsets=[30, 54])["w"]}, 54),
    "twice the same bytes": packed(one() | {"v": one()["w"]}, 24),
}


def write(folder: Path, content: bytes) -> Path:
    path = folder / "file.safetensors"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_such_file_is_told(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, BROKEN[name])
    with pytest.raises(ValueError, match=r"it is (not a safetensors file|cut short)") as told:
        tensor_shapes(path)
    assert isinstance(told.value.args[0], Message), "so that it can be translated"
    assert not is_whole(path)


@pytest.mark.parametrize("name", DAMAGED)
def test_one_whose_tensors_are_not_all_there_is_not_whole(name: str, tmp_path: Path) -> None:
    assert not is_whole(write(tmp_path, DAMAGED[name]))


def test_a_good_one_is_read(tmp_path: Path) -> None:
    header = one() | {"v": {"dtype": "BF16", "shape": [], "data_offsets": [24, 26]}, "__metadata__": {"by": "мы"}}
    found = read_header(write(tmp_path, packed(header, 26)))
    assert (found.shapes, found.metadata, found.problem) == ({"w": [2, 3], "v": []}, {"by": "мы"}, "")
    assert is_whole(write(tmp_path, packed({}))), "an empty one is a file of the format, too"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.floats(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["w", "shape", "data_offsets", "__metadata__"]), inner, max_size=4)
        ),
        max_leaves=9,
    )
)
def test_any_json_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, header: Any) -> None:
    path = write(tmp_path_factory.getbasetemp(), packed(json.dumps(header).encode(), 24))
    try:
        found = read_header(path)
    except ValueError:
        return
    assert isinstance(header, dict)
    assert all(isinstance(side, int) and side >= 0 for shape in found.shapes.values() for side in shape)
