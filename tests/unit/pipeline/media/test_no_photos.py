"""Files that are no photos are refused in a sentence that has its Russian words."""

import pytest
from fanslymotion.errors import BadInput
from fanslymotion.pipeline.media.photo.load import SIGNATURES, load_photo


@pytest.mark.parametrize("begin", [*SIGNATURES, b"<svg ", b"<html>", b"\xff\xd8\xff\xe0broken", b"what?"])
def test_files_that_are_no_photos(begin: bytes) -> None:
    with pytest.raises(BadInput) as refused:
        load_photo(begin + b"\0" * 64, "my file")
    russian = refused.value.message.say("ru")
    assert russian.startswith("my file: ")
    assert russian != str(refused.value)
    assert refused.value.code == "FM-PHOTO-001"
