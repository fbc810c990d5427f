"""Every kind of bad photo gets one sentence and no traceback; every kind of good one comes out upright, RGB, bare."""

import io
import struct
import zlib

import numpy as np
import pytest
from fanslymotion.errors import BadInput
from fanslymotion.pipeline.media.photo import load as photo_module
from fanslymotion.pipeline.media.photo import normalise as pixels_module
from fanslymotion.pipeline.media.photo.load import MAX_BYTES, load_photo, save_photo
from fanslymotion.settings import ROOT
from PIL import Image, ImageCms, ImageDraw


def scene(size=(320, 200), mode="RGB") -> Image.Image:
    """A gradient whose top left corner is red: orientation and colour can both be seen."""
    image = Image.new("RGB", size, (40, 90, 160))
    image.paste((220, 30, 30), (0, 0, size[0] // 2, size[1] // 2))
    return image.convert(mode)


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size; its pixels never come."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 10) + b"IDAT" + b"\0" * 20


def truncated(kind: str) -> bytes:
    data = encoded(Image.effect_noise((400, 300), 60).convert("RGB"), kind)
    return data[: len(data) // 2]


BAD = {
    "text": (b"this is not a photo at all", "is not a photo"),
    "random bytes": (bytes(range(256)) * 8, "is not a photo"),
    "empty": (b"", "is empty (0 bytes)"),
    "too many bytes": (b"\xff\xd8\xff" + b"\0" * MAX_BYTES, "is larger than 50 MB"),
    "bomb": (png_header(60_000, 60_000), "save it smaller"),
    "just too many pixels": (png_header(12_000, 12_000), "12000 × 12000 pixels, more than 120 million"),
    "truncated JPEG": (truncated("JPEG"), "damaged or incomplete"),
    "truncated PNG": (truncated("PNG"), "damaged or incomplete"),
    "truncated WebP": (truncated("WEBP"), "damaged or incomplete"),
    "truncated HEIC": (encoded(scene(), "PNG")[:20], "damaged or incomplete"),
    "only a JPEG's start": (b"\xff\xd8\xff\xe0\x00\x10JFIF", "damaged or incomplete"),
    "narrow": (encoded(scene((1, 5000)), "PNG"), "1 × 5000 pixels, too narrow"),
    "flat": (encoded(scene((5000, 80)), "PNG"), "5000 × 80 pixels, too flat"),
    "small": (encoded(scene((63, 90)), "PNG"), "at least 64 pixels on each side"),
    "one pixel": (encoded(scene((1, 1)), "PNG"), "at least 64 pixels"),
    "SVG": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"></svg>', "a drawing (SVG)"),
    "PDF": (b"%PDF-1.7\n1 0 obj", "a PDF document"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "a PostScript file"),
    "HTML": (b"<!DOCTYPE html><html><body>404</body></html>", "a web page"),
    "zip": (b"PK\x03\x04" + b"\0" * 64, "an archive"),
    "mp4": (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + b"\0" * 64, "is a video"),
    "icon": (encoded(scene((128, 128)), "ICO"), "is an icon"),
    "transparent all over": (encoded(Image.new("RGBA", (90, 90)), "PNG"), "completely transparent"),
    "a format that is not on the list": (encoded(scene(), "TGA"), "is not a photo"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_photo_gets_one_sentence(kind):
    data, told = BAD[kind]
    with pytest.raises(BadInput) as caught:
        load_photo(data, "holiday.jpg")
    message = str(caught.value)
    assert told in message
    assert "holiday.jpg" in message
    assert "\n" not in message
    assert len(message) < 200


def test_bomb_is_refused_before_anything_is_decoded(monkeypatch):
    monkeypatch.setattr(photo_module, "normalise", lambda *_: pytest.fail("was decoded"))
    with pytest.raises(BadInput, match="more than 120 million"):
        load_photo(png_header(11_000, 11_000))


def test_camera_raw_is_named_by_its_suffix():
    with pytest.raises(BadInput, match="camera's raw file"):
        load_photo(b"II\x1a\0\0\0HEAPCCDR", "IMG_0001.CRW.cr2")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda folder: folder / "nowhere.jpg", "there is no file"),
        (lambda folder: folder, "is a folder"),
        (lambda folder: folder / "a\0b.jpg", "cannot be read"),
    ],
    ids=["missing", "folder", "NUL in the name"],
)
def test_bad_path(tmp_path, make, told):
    with pytest.raises(BadInput, match=told):
        load_photo(make(tmp_path))


@pytest.mark.parametrize("name", ["my photo (1).jpg", "Отпуск у моря.jpg", "🌅 закат.jpg", "-rf.jpg", "a%20b#c.jpg"])
def test_any_name_will_do(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(encoded(scene(), "JPEG"))
    assert load_photo(path).size == (320, 200)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF", "AVIF", "TIFF", "BMP", "GIF"])
def test_each_format_opens(kind):
    photo_module._register_heif()
    image = load_photo(encoded(scene(), kind))
    assert (image.mode, image.size) == ("RGB", (320, 200))
    red, _, blue = image.getpixel((20, 20))
    assert red > 180
    assert blue < 90


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "CMYK", "I;16", "I", "F", "YCbCr", "LAB"])
def test_each_mode_becomes_rgb_of_the_same_look(mode):
    grey = mode in ("1", "L", "LA", "I;16", "I", "F")
    if mode == "LAB":
        to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
        source = ImageCms.applyTransform(scene(), to_lab)
    elif mode in ("I;16", "I"):
        values = np.asarray(scene(mode="L"), np.uint16) * 257
        source = Image.fromarray(values if mode == "I;16" else values.astype(np.int32))
    elif mode == "F":
        source = Image.fromarray(np.asarray(scene(mode="L"), np.float32) / 255)
    elif mode == "P":
        source = scene().quantize(64)
    else:
        source = scene(mode=mode)
    kind = {"YCbCr": "JPEG", **dict.fromkeys(("CMYK", "F", "LAB", "I", "LA"), "TIFF")}.get(mode, "PNG")
    image = load_photo(encoded(source, kind))
    assert image.mode == "RGB"
    expected = scene(mode="1" if mode == "1" else "L" if grey else "RGB").convert("RGB")
    difference = np.abs(np.asarray(image, int) - np.asarray(expected, int)).mean()
    assert difference < 6, f"{mode} came out {difference:.1f} grey levels off"


def test_16_bit_is_scaled_and_not_clipped():
    ramp = np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (100, 1))
    grey = np.asarray(load_photo(encoded(Image.fromarray(ramp), "PNG")))[50, :, 0]
    assert np.abs(grey.astype(int) - np.arange(256)).max() <= 1


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_lies_over_white(mode):
    image = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    ImageDraw.Draw(image).rectangle((0, 0, 49, 99), fill=(0, 0, 0, 255))
    data = encoded(image, "GIF") if mode == "P" else encoded(image.convert(mode), "PNG")
    result = load_photo(data)
    assert result.getpixel((10, 50)) == (0, 0, 0)
    assert result.getpixel((90, 50)) == (255, 255, 255)


def test_animated_gif_gives_its_first_frame():
    frames = [Image.new("RGB", (100, 100), colour) for colour in ("red", "lime", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)
    assert load_photo(data).getpixel((50, 50)) == (255, 0, 0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_once(orientation):
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    turned = scene() if orientation == 1 else scene().transpose(Image.Transpose(back[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = load_photo(encoded(turned, "JPEG", exif=exif, quality=95))
    assert image.size == (320, 200)
    corners = [image.getpixel(at)[0] > 150 for at in ((40, 25), (280, 25), (40, 175), (280, 175))]
    assert corners == [True, False, False, False]


def test_broken_exif_is_no_reason_to_refuse():
    data = encoded(scene(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff broken")
    assert load_photo(data).size == (320, 200)


def test_profile_is_converted_and_a_broken_one_ignored(monkeypatch):
    """A profile that swaps red and green stands for any wide gamut: without the conversion red would stay red."""
    plain = load_photo(encoded(scene(), "PNG", icc_profile=b"no profile at all"))
    assert plain.getpixel((20, 20)) == (220, 30, 30)
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    same = load_photo(encoded(scene(), "PNG", icc_profile=lab.tobytes()))
    assert np.abs(np.subtract(same.getpixel((20, 20)), (220, 30, 30))).max() <= 2
    seen = []
    real = pixels_module._converted
    monkeypatch.setattr(pixels_module, "_converted", lambda *a: seen.append(a) or real(*a))
    load_photo(encoded(scene(mode="L"), "PNG", icc_profile=lab.tobytes()))
    assert len(seen) == 1


@pytest.mark.soak
def test_large_photos_are_reduced_and_small_ones_kept():
    assert load_photo(encoded(scene((6000, 4000)), "JPEG")).size == (2304, 1536)
    assert load_photo(encoded(scene((4000, 6000)), "PNG", compress_level=1)).size == (1536, 2304)
    assert load_photo(encoded(scene((8000, 1000)), "JPEG")).size == (4096, 512)
    assert load_photo(encoded(scene((64, 64)), "PNG")).size == (64, 64)


def test_nothing_but_pixels_goes_along(tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    image = load_photo(encoded(scene(), "JPEG", exif=exif, comment=b"SecretComment"))
    assert image.info == {}
    path = tmp_path / "Фото 1.png"
    save_photo(image, path)
    data = path.read_bytes()
    assert b"Secret" not in data
    assert {data[i : i + 4] for i in chunk_starts(data)} == {b"IHDR", b"IDAT", b"IEND"}
    assert np.array_equal(np.asarray(Image.open(path)), np.asarray(image))
    assert [p.name for p in tmp_path.iterdir()] == ["Фото 1.png"]


def chunk_starts(data: bytes) -> list[int]:
    starts, at = [], 8
    while at < len(data):
        starts.append(at + 4)
        at += 12 + struct.unpack(">I", data[at : at + 4])[0]
    return starts


def test_unwritable_place_is_told_and_leaves_nothing(tmp_path):
    from fanslymotion.errors import StoreError

    with pytest.raises(StoreError, match="cannot be written"):
        save_photo(scene(), tmp_path / "gone" / "photo.png")
    assert list(tmp_path.iterdir()) == []


def test_sample_photo_opens():
    sample = ROOT / "assets" / "sample.jpg"
    assert load_photo(sample).size == (1600, 900)
