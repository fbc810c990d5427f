"""A photo is decoded once: the job's copy is the same file, its hash known, and older ones are still read."""

import errno
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from fanslymotion import fs
from fanslymotion.errors import PhotoError
from fanslymotion.pipeline.media.normalised_photo import NormalisedPhoto
from fanslymotion.pipeline.media.photo import load
from fanslymotion.pipeline.media.photo.load import load_photo


@pytest.fixture
def kept(photo: Path, tmp_path: Path) -> NormalisedPhoto:
    return NormalisedPhoto.write(load_photo(photo), tmp_path / "photo.png")


def test_the_hash_is_that_of_the_file(kept: NormalisedPhoto) -> None:
    assert kept.sha256 == hashlib.sha256(kept.path.read_bytes()).hexdigest() == NormalisedPhoto(kept.path).digest()
    assert NormalisedPhoto.from_json(kept.path, kept.to_json()) == kept
    assert NormalisedPhoto.from_json(kept.path, {}) == NormalisedPhoto(kept.path)


@pytest.mark.parametrize("refusal", [0, errno.EXDEV, errno.EPERM, errno.EINVAL])
def test_a_second_name_outlives_the_first(
    kept: NormalisedPhoto, tmp_path: Path, refusal: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """refusal: what the file system answers to a hard link."""

    def refuse(*_: object) -> None:
        raise OSError(refusal, os.strerror(refusal))

    if refusal:
        monkeypatch.setattr(fs.os, "link", refuse)
    (tmp_path / "job").mkdir()
    placed = kept.place(tmp_path / "job" / "photo.png", "mine")
    assert placed.path.samefile(kept.path) is (not refusal)
    kept.path.unlink()
    assert [path.name for path in placed.path.parent.iterdir()] == ["photo.png"]
    assert NormalisedPhoto(placed.path).digest() == placed.sha256


def test_one_that_is_gone_is_said(kept: NormalisedPhoto, tmp_path: Path) -> None:
    kept.path.unlink()
    with pytest.raises(PhotoError, match=r"there is no file .*photo\.png"):
        kept.place(tmp_path / "second.png", "mine")
    assert not list(tmp_path.glob("*second*"))
    with pytest.raises(PhotoError, match=r"there is no file"):
        kept.open()


def test_opened_it_has_the_pixels_that_were_normalised(
    kept: NormalisedPhoto, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = np.asarray(load_photo(photo))
    assert np.array_equal(np.asarray(NormalisedPhoto(photo).open()), expected), "any photo, as from an earlier version"
    monkeypatch.delattr(load, "load_photo")
    opened = kept.open()
    assert (opened.mode, opened.info) == ("RGB", {})
    assert np.array_equal(np.asarray(opened), expected)


def test_a_damaged_one_is_told_as_any_photo(kept: NormalisedPhoto, tmp_path: Path) -> None:
    kept.path.write_bytes(kept.path.read_bytes()[:-2000])
    with pytest.raises(PhotoError, match="mine is damaged or incomplete"):
        kept.place(tmp_path / "second.png", "mine")
    assert not list(tmp_path.glob("*second*"))
    with pytest.raises(PhotoError, match="damaged or incomplete"):
        kept.open()
