"""A known scene comes in as it is, within 2 of 255, from every listed kind of file, or is refused in a sentence."""

import io
import struct
import sys
import zlib
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from fanslymotion.errors import BadInput
from fanslymotion.pipeline.media.photo.load import load_photo, read_photo
from fanslymotion.pipeline.media.photo.values.deep_pixels import deep_pixels
from fanslymotion.tests.unit.pipeline.media import formats
from fanslymotion.tests.unit.pipeline.media.formats import (
    P3_CHRM,
    P3_D65,
    P3_ICC,
    P3_XYZ,
    TO_ADOBE,
    TO_BT2020,
    TO_P3,
    avif,
    avif_deep,
    avif_points,
    bits,
    bmp,
    chrm,
    chunk,
    cicp,
    gama,
    grey,
    heic,
    hlg,
    icc,
    in_space,
    jpeg,
    linear,
    png,
    power,
    pq,
    saved,
    srgb,
    tiff,
)
from PIL import Image

SCENE = formats.scene()
GREY = grey(SCENE)
GREY3 = np.repeat(GREY[..., None], 3, axis=2)
SIXTEEN = SCENE.astype(np.uint16) * 257
GREY16 = GREY.astype(np.uint16) * 257
P3 = bits(in_space(SCENE, TO_P3, srgb), 8)
P3_POWER = bits(in_space(SCENE, TO_P3, power(2.2)), 8)
LIGHT = bits(linear(SCENE), 16)
ALPHA = np.full(GREY.shape, 255, np.uint8)


def exif(orientation: int) -> bytes:
    made = Image.Exif()
    made[0x0112] = orientation
    return made.tobytes().removeprefix(b"Exif\0\0")


def adobe_rgb() -> bytes:
    """IFD0 at 8, the Exif IFD at 26, the interoperability IFD at 56: index R03, as cameras name Adobe RGB."""

    def ifd(*entries: tuple[int, int, int, bytes]) -> bytes:
        parts = [struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0") for tag, kind, count, value in entries]
        return struct.pack("<H", len(parts)) + b"".join(parts) + bytes(4)

    where = [struct.pack("<I", at) for at in (26, 56)]
    body = ifd((0x8769, 4, 1, where[0])) + ifd((0xA001, 3, 1, b"\xff\xff"), (0xA005, 4, 1, where[1]))
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + body + ifd((1, 2, 4, b"R03\0"))


def packed_icc(profile: bytes) -> bytes:
    return chunk(b"iCCP", b"a profile\0\0" + zlib.compress(profile))


def palette(depth: int) -> tuple[bytes, np.ndarray]:
    image = Image.fromarray(SCENE).quantize(2**depth, dither=Image.Dither.NONE)
    colours = bytes(image.getpalette() or [])[: 3 * 2**depth]
    return png(np.asarray(image), chunk(b"PLTE", colours), depth=depth, colour=3), np.asarray(image.convert("RGB"))


def low_grey(depth: int) -> tuple[bytes, np.ndarray]:
    values = GREY >> (8 - depth)
    shown = (values * (255 / (2**depth - 1)) + 0.5).astype(np.uint8)
    return png(values, depth=depth), np.repeat(shown[..., None], 3, axis=2)


def over_white(alpha: np.ndarray) -> np.ndarray:
    a = alpha[..., None] / 255
    return (SCENE * a + 255 * (1 - a) + 0.5).astype(np.uint8)


HALF = np.linspace(0, 255, GREY.size).reshape(GREY.shape).astype(np.uint8)
HALF16 = HALF.astype(np.uint16) * 257
WITH_HALF = np.dstack([SCENE, HALF])
PREMULTIPLIED = np.dstack([(SCENE * (HALF[..., None] / 255) + 0.5).astype(np.uint8), HALF])
STRAIGHT = {338: ("H", (2,))}

TAKEN: dict[str, Callable[[], tuple[bytes, np.ndarray]]] = {
    "PNG": lambda: (png(SCENE), SCENE),
    "PNG 16": lambda: (png(SIXTEEN, depth=16), SCENE),
    "PNG grey": lambda: (png(GREY), GREY3),
    "PNG grey 16": lambda: (png(GREY16, depth=16), GREY3),
    "PNG alpha": lambda: (png(WITH_HALF), over_white(HALF)),
    "PNG alpha 16": lambda: (png(WITH_HALF.astype(np.uint16) * 257, depth=16), over_white(HALF)),
    "PNG grey alpha": lambda: (png(np.dstack([GREY, ALPHA])), GREY3),
    "PNG grey alpha 16": lambda: (png(np.dstack([GREY, ALPHA]).astype(np.uint16) * 257, depth=16), GREY3),
    **{f"PNG grey {depth}": partial(low_grey, depth) for depth in (1, 2, 4)},
    **{f"PNG palette {depth}": partial(palette, depth) for depth in (2, 4, 8)},
    "PNG sRGB before gAMA": lambda: (png(SCENE, chunk(b"sRGB", b"\0"), gama(1.0)), SCENE),
    "PNG gAMA of sRGB": lambda: (png(SCENE, gama(2.2)), SCENE),
    "PNG gAMA 1.8": lambda: (png(bits(power(1.8)(linear(SCENE)), 8), gama(1.8)), SCENE),
    "PNG gAMA linear": lambda: (png(LIGHT, gama(1.0), depth=16), SCENE),
    "PNG gAMA linear grey": lambda: (png(bits(linear(GREY), 16), gama(1.0), depth=16), GREY3),
    "PNG gAMA linear alpha": lambda: (png(np.dstack([LIGHT, HALF16]), gama(1.0), depth=16), over_white(HALF)),
    "PNG gAMA + cHRM P3": lambda: (png(P3_POWER, gama(2.2), chrm(P3_CHRM)), SCENE),
    "PNG cHRM alone": lambda: (png(SCENE, chrm(P3_CHRM)), SCENE),
    "PNG broken gAMA": lambda: (png(SCENE, chunk(b"gAMA", b"\0\0\0\0"), chrm([0] * 8)), SCENE),
    "PNG cICP sRGB": lambda: (png(SCENE, cicp(1, 13)), SCENE),
    "PNG cICP P3": lambda: (png(P3, cicp(12, 13)), SCENE),
    "PNG cICP before iCCP": lambda: (png(P3, cicp(12, 13), packed_icc(icc(P3_XYZ, 1.0))), SCENE),
    "PNG cICP linear": lambda: (png(LIGHT, cicp(1, 8), depth=16), SCENE),
    "PNG cICP narrow": lambda: (png((SCENE * (219 / 255) + 16.5).astype(np.uint8), cicp(1, 13, full=0)), SCENE),
    "PNG cICP PQ": lambda: (png(bits(in_space(SCENE, TO_BT2020, pq), 16), cicp(9, 16), depth=16), SCENE),
    "PNG cICP HLG": lambda: (png(bits(in_space(SCENE, TO_BT2020, hlg), 16), cicp(9, 18), depth=16), SCENE),
    "PNG iCCP P3": lambda: (png(P3_POWER, packed_icc(P3_ICC)), SCENE),
    "PNG iCCP before gAMA": lambda: (png(P3_POWER, gama(1.0), packed_icc(P3_ICC)), SCENE),
    "PNG iCCP 16": lambda: (png(bits(in_space(SCENE, TO_P3, power(2.2)), 16), packed_icc(P3_ICC), depth=16), SCENE),
    "PNG broken iCCP": lambda: (png(SCENE, chunk(b"iCCP", b"x\0\0no zlib")), SCENE),
    "PNG unpacked bomb as iCCP": lambda: (png(SCENE, packed_icc(bytes(64 << 20))), SCENE),
    "PNG turned": lambda: (png(np.rot90(SCENE), chunk(b"eXIf", exif(6))), SCENE),
    "PNG turned, said at the end": lambda: (png(np.rot90(SCENE), after=chunk(b"eXIf", exif(6))), SCENE),
    "PNG linear and turned": lambda: (png(np.rot90(LIGHT), gama(1.0), chunk(b"eXIf", exif(6)), depth=16), SCENE),
    "PNG long text": lambda: (png(SCENE, chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(9 << 20)))), SCENE),
    "PNG long international text": lambda: (
        png(SCENE, chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(bytes(9 << 20)))), SCENE),
    "PNG broken text": lambda: (png(SCENE, chunk(b"zTXt", b"Comment\0\0nothing packed")), SCENE),
    "PNG wrong checksum of a text": lambda: (png(SCENE, chunk(b"tEXt", b"Comment\0hello", right=False)), SCENE),
    "PNG wrong checksum of the time": lambda: (png(SCENE, after=chunk(b"tIME", bytes(7), right=False)), SCENE),
    "PNG without its end": lambda: (png(SCENE)[:-12], SCENE),
    "PNG without its last bytes": lambda: (png(SCENE)[:-2], SCENE),
    "JPEG": lambda: (jpeg(SCENE), SCENE),
    "JPEG progressive": lambda: (jpeg(SCENE, progressive=True), SCENE),
    "JPEG grey": lambda: (saved(GREY, "JPEG", quality=100), GREY3),
    "JPEG P3": lambda: (jpeg(P3_POWER, icc_profile=P3_ICC), SCENE),
    "JPEG Adobe RGB by EXIF": lambda: (jpeg(bits(in_space(SCENE, TO_ADOBE, power(2.2)), 8), exif=adobe_rgb()), SCENE),
    "JPEG turned": lambda: (jpeg(np.rot90(SCENE), exif=b"Exif\0\0" + exif(6)), SCENE),
    "JPEG CMYK": lambda: (saved(Image.fromarray(SCENE).convert("CMYK"), "JPEG", quality=100, subsampling=0), SCENE),
    "JPEG without its end marker": lambda: (jpeg(SCENE)[:-2], SCENE),
    "JPEG without half of its end marker": lambda: (jpeg(SCENE)[:-1], SCENE),
    "JPEG progressive without its end marker": lambda: (jpeg(SCENE, progressive=True)[:-2], SCENE),
    "JPEG with bytes after its end": lambda: (jpeg(SCENE) + bytes(999), SCENE),
    "WebP": lambda: (saved(SCENE, "WEBP", lossless=True), SCENE),
    "WebP lossy": lambda: (saved(SCENE, "WEBP", quality=100), SCENE),
    "WebP alpha": lambda: (saved(WITH_HALF, "WEBP", lossless=True, exact=True), over_white(HALF)),
    "WebP P3": lambda: (saved(P3_POWER, "WEBP", lossless=True, icc_profile=P3_ICC), SCENE),
    "WebP turned": lambda: (saved(np.rot90(SCENE), "WEBP", lossless=True, exif=exif(6)), SCENE),
    "AVIF": lambda: (avif(SCENE), SCENE),
    "AVIF alpha": lambda: (avif(WITH_HALF), over_white(HALF)),
    "AVIF nclx P3": lambda: (avif_points(P3, 12, 13), SCENE),
    "AVIF nclx of video": lambda: (avif_points(SCENE, 1, 1), SCENE),
    "AVIF nclx PQ": lambda: (avif_deep(bits(in_space(SCENE, TO_BT2020, pq), 16), "yuv444p10le", 9, 16), SCENE),
    "AVIF nclx HLG": lambda: (avif_deep(bits(in_space(SCENE, TO_BT2020, hlg), 16), "yuv420p12le", 9, 18), SCENE),
    "AVIF ICC P3": lambda: (avif(P3_POWER, icc_profile=P3_ICC), SCENE),
    "AVIF turned": lambda: (avif(np.rot90(SCENE), exif=exif(6)), SCENE),
    "HEIC": lambda: (heic(SCENE), SCENE),
    "HEIC 10 bits": lambda: (heic(SIXTEEN), SCENE),
    "HEIC nclx P3": lambda: (heic(P3, 12, 13), SCENE),
    "HEIC nclx PQ": lambda: (heic(bits(in_space(SCENE, TO_BT2020, pq), 16), 9, 16), SCENE),
    "HEIC nclx HLG": lambda: (heic(bits(in_space(SCENE, TO_BT2020, hlg), 16), 9, 18), SCENE),
    "HEIC P3": lambda: (saved(P3_POWER, "HEIF", quality=100, icc_profile=P3_ICC), SCENE),
    "HEIC turned": lambda: (saved(np.rot90(SCENE), "HEIF", quality=100, exif=b"Exif\0\0" + exif(6)), SCENE),
    "BMP": lambda: (saved(SCENE, "BMP"), SCENE),
    "BMP palette": lambda: (saved(Image.fromarray(GREY), "BMP"), GREY3),
    "BMP 5": lambda: (bmp(SCENE), SCENE),
    "BMP gamma": lambda: (bmp(P3_POWER, gamma=2.2, endpoints=P3_D65), SCENE),
    "BMP P3": lambda: (bmp(P3_POWER, profile=P3_ICC), SCENE),
    "GIF": lambda: (saved(Image.fromarray(GREY), "GIF"), GREY3),
    "TIFF": lambda: (tiff(SCENE, 2), SCENE),
    "TIFF big-endian": lambda: (tiff(SIXTEEN, 2, order=">"), SCENE),
    "TIFF planar": lambda: (tiff(SCENE, 2, planar=True), SCENE),
    "TIFF 16": lambda: (tiff(SIXTEEN, 2), SCENE),
    "TIFF 16 planar": lambda: (tiff(SIXTEEN, 2, planar=True), SCENE),
    "TIFF 16 planar big-endian": lambda: (tiff(SIXTEEN, 2, planar=True, order=">"), SCENE),
    "TIFF 16 planar alpha": lambda: (
        tiff(np.dstack([SIXTEEN, HALF16]), 2, planar=True, more=STRAIGHT), over_white(HALF)),
    "TIFF alpha": lambda: (tiff(WITH_HALF, 2, more=STRAIGHT), over_white(HALF)),
    "TIFF premultiplied": lambda: (tiff(PREMULTIPLIED, 2, more={338: ("H", (1,))}), over_white(HALF)),
    "TIFF grey": lambda: (tiff(GREY, 1), GREY3),
    "TIFF grey 16": lambda: (tiff(GREY16, 1), GREY3),
    "TIFF grey 16 big-endian": lambda: (tiff(GREY16, 1, order=">"), GREY3),
    "TIFF grey 12": lambda: (tiff(GREY.astype(np.uint16) * 16 + GREY // 16, 1, packed=12), GREY3),
    "TIFF grey 32": lambda: (tiff(GREY.astype(np.uint32) * 0x01010101, 1), GREY3),
    "TIFF grey float": lambda: (tiff((GREY / 255).astype(np.float32), 1), GREY3),
    "TIFF grey float to 255": lambda: (tiff(GREY.astype(np.float32), 1), GREY3),
    "TIFF white is zero": lambda: (tiff(255 - GREY, 0), GREY3),
    "TIFF 16 white is zero": lambda: (tiff(65535 - GREY16, 0), GREY3),
    "TIFF 16 white is zero, big-endian": lambda: (tiff(65535 - GREY16, 0, order=">"), GREY3),
    "TIFF turned": lambda: (tiff(np.rot90(SCENE), 2, more={274: ("H", (6,))}), SCENE),
    "TIFF 16 white is zero and turned": lambda: (tiff(np.rot90(65535 - GREY16), 0, more={274: ("H", (6,))}), GREY3),
    "TIFF P3": lambda: (tiff(P3_POWER, 2, more={34675: ("B", tuple(P3_ICC))}), SCENE),
    "TIFF 16 P3": lambda: (
        tiff(bits(in_space(SCENE, TO_P3, power(2.2)), 16), 2, more={34675: ("B", tuple(P3_ICC))}), SCENE),
    "TIFF CMYK": lambda: (tiff(np.asarray(Image.fromarray(SCENE).convert("CMYK")), 5), SCENE),
    "TIFF packed": lambda: (saved(SCENE, "TIFF", compression="tiff_lzw"), SCENE),
}  # fmt: skip
"""Made when a test asks for one: every process of the tests imports this file, and few run it."""


DEEP_AVIF = ("AVIF nclx PQ", "AVIF nclx HLG")
"""OpenCV's wheels for Windows are built without AVIF: there these come in with 8 bits a channel."""


@pytest.mark.parametrize("kind", TAKEN)
def test_the_scene_comes_in_as_it_is(kind: str) -> None:
    data, expected = TAKEN[kind]()
    photo = read_photo(data, "a photo")
    assert photo.notes == ()
    found = np.asarray(photo.image)
    assert found.shape == expected.shape
    off = np.abs(found.astype(int) - expected)
    few_bits = sys.platform == "win32" and kind in DEEP_AVIF
    assert off.mean() <= (4 if few_bits else 2)
    assert np.percentile(off, 95) <= (10 if few_bits else 5)


@pytest.mark.skipif(sys.platform not in ("win32", "linux"), reason="not known")
def test_only_opencvs_wheels_for_windows_read_no_deep_avif() -> None:
    for kind in DEEP_AVIF:
        assert (deep_pixels(TAKEN[kind]()[0], (160, 120)) is None) == (sys.platform == "win32")


REFUSED: dict[str, Callable[[], tuple[bytes, str]]] = {
    "TIFF float": lambda: (
        tiff((SCENE / 255).astype(np.float32), 2),
        "floating-point colours; save it with 8 or 16 bits",
    ),
    "TIFF half float": lambda: (tiff((SCENE / 255).astype(np.float16), 2), "floating-point colours"),
    "TIFF float planar": lambda: (tiff((SCENE / 255).astype(np.float32), 2, planar=True), "floating-point colours"),
    "TIFF 32": lambda: (tiff(SCENE.astype(np.uint32) << 24, 2), "3 × 32 bits a pixel, which is not supported"),
    "TIFF grey double": lambda: (tiff(GREY / 255, 1), "1 × 64 bits a pixel, which is not supported"),
    "TIFF grey float, HDR": lambda: (tiff((GREY / 25.5).astype(np.float32), 1), "floating-point numbers up to 8.8"),
    "TIFF grey alpha 16": lambda: (tiff(np.dstack([GREY16, GREY16]), 1), "2 × 16 bits a pixel"),
    "JPEG 12 bits": lambda: (
        jpeg(SCENE).replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"),
        "JPEG with 12 bits a channel",
    ),
    "DNG by its tag": lambda: (tiff(SCENE, 2, more={50706: ("B", (1, 4, 0, 0))}), "a camera's raw file; develop it"),
    "raw by its thumbnail": lambda: (tiff(SCENE, 2, more={254: ("I", (1,)), 330: ("I", (8,))}), "a camera's raw file"),
    "raw by its filters": lambda: (tiff(GREY16, 32803), "a camera's raw file"),
    "linear raw": lambda: (tiff(SIXTEEN, 34892), "a camera's raw file"),
    "Canon CR2": lambda: (b"II*\0\x10\0\0\0CR\2\0" + tiff(SCENE, 2)[12:], "a camera's raw file"),
    "Canon CR3": lambda: (b"\0\0\0\x18ftypcrx " + bytes(64), "a camera's raw file"),
    "Fujifilm RAF": lambda: (b"FUJIFILMCCD-RAW 0201" + bytes(64), "a camera's raw file"),
    "Panasonic RW2": lambda: (b"IIU\0" + bytes(64), "a camera's raw file"),
    "Olympus ORF": lambda: (b"IIRO" + bytes(64), "a camera's raw file"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_read_is_refused_by_its_name(kind: str) -> None:
    data, told = REFUSED[kind]()
    with pytest.raises(BadInput) as caught:
        load_photo(data, "holiday.tif")
    assert str(caught.value).startswith("holiday.tif is ")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.dng", "A.NEF", "a.ARW", "a.cr2", "a.3fr", "a.rw2", "a.orf"])
def test_camera_raw_is_refused_by_its_suffix_though_it_can_be_opened(name: str) -> None:
    with pytest.raises(BadInput, match="a camera's raw file; develop it"):
        load_photo(tiff(SCENE, 2), name)


def test_a_thumbnail_without_another_picture_is_a_photo() -> None:
    assert load_photo(tiff(SCENE, 2, more={254: ("I", (1,))})).size == (160, 120)


@pytest.mark.parametrize("curve", [pq, hlg])
def test_light_beyond_white_is_compressed_and_the_rest_stays(curve: Callable) -> None:
    """A night with a lamp of five times paper's white: middle tones as they are, the lamp neither clipped nor grey."""
    light = linear(SCENE) * 0.5
    light[:20, :20] = np.linspace(1, 5, 400).reshape(20, 20, 1) * [1, 0.9, 0.8]
    signal = np.clip(curve(light @ np.array(TO_BT2020).T), 0, 1)
    found = np.asarray(load_photo(png(bits(signal, 16), cicp(9, 16 if curve is pq else 18), depth=16))).astype(int)
    expected = (srgb(light) * 255 + 0.5).astype(int)
    dark = (light < 0.55).all(axis=2)
    assert np.abs(found - expected)[dark].max() <= 2
    lamp = found[:20, :20, 0].reshape(-1)
    assert (np.diff(lamp) >= 0).all()
    assert lamp[-1] > 250
    assert lamp[0] < 240
    assert (found[:20, :20, 2] < found[:20, :20, 0]).all(), "its hue stays"


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_profile_of_grey_takes_no_colours_away(kind: str) -> None:
    """Some programs leave it in a picture that was coloured after; browsers ignore it there."""
    plain, tagged = io.BytesIO(), io.BytesIO()
    Image.fromarray(SCENE).save(plain, kind)
    Image.fromarray(SCENE).save(tagged, kind, icc_profile=formats.GREY_ICC)
    assert np.array_equal(np.asarray(load_photo(tagged.getvalue())), np.asarray(load_photo(plain.getvalue())))


@pytest.mark.parametrize("mode", ["L", "P", "RGB"])
def test_a_profile_of_grey_counts_for_a_grey_picture(mode: str) -> None:
    light = formats.grey(SCENE)
    file = io.BytesIO()
    Image.fromarray(light).convert(mode).save(file, "PNG", icc_profile=formats.GREY_ICC)
    expected = srgb(light / 255) * 255
    assert np.abs(np.asarray(load_photo(file.getvalue()))[..., 0] - expected).max() <= 2


def noisy() -> np.ndarray:
    """A picture whose rows all take about as many bytes."""
    large = formats.scene(400, 600).astype(int)
    return np.clip(large + np.random.default_rng(1).integers(-20, 20, large.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("cut", [0.02, 0.1, 0.2])
def test_a_jpeg_without_its_end_is_taken_and_its_missing_rows_are_told(cut: float) -> None:
    data = jpeg(noisy())
    photo = read_photo(data[: round(len(data) * (1 - cut))], "beach.jpg")
    (note,) = photo.notes
    assert note.startswith("the end of beach.jpg is missing: ")
    assert photo.image.height == pytest.approx(400 * (1 - cut), abs=12)
    whole = np.asarray(load_photo(data))[: photo.image.height]
    assert np.array_equal(np.asarray(photo.image)[:-8], whole[:-8])


@pytest.mark.parametrize("size", [(3073, 3073), (8001, 3075)])
def test_a_large_jpeg_of_odd_sides_without_its_end_is_taken(size: tuple[int, int]) -> None:
    """As panoramas have them. It is decoded at a half, which rounds its sides up."""
    width, height = size
    rows = np.random.default_rng(1).integers(0, 256, (height, 1, 3), np.uint8)
    data = jpeg(np.broadcast_to(rows, (height, width, 3)))
    photo = read_photo(data[: round(len(data) * 0.9)], "coast.jpg")
    (note,) = photo.notes
    assert note.startswith("the end of coast.jpg is missing: ")
    assert photo.image.width / photo.image.height == pytest.approx(width / height / 0.9, rel=0.05)


def test_a_progressive_jpeg_without_its_last_bits_is_taken_and_with_less_refused() -> None:
    data = jpeg(noisy(), progressive=True)
    photo = read_photo(data[: round(len(data) * 0.95)])
    assert photo.notes == ()
    assert np.abs(np.asarray(photo.image).astype(int) - np.asarray(load_photo(data))).mean() < 2
    with pytest.raises(BadInput, match="damaged or incomplete"):
        load_photo(data[: len(data) // 2])


@pytest.mark.soak
def test_a_photo_of_200_megapixels_is_decoded_in_bounds() -> None:
    """As phones make them. 16320 × 12240 pixels as RGB would take 600 MB."""
    data = saved(Image.fromarray(SCENE).resize((16320, 12240), Image.Resampling.NEAREST), "JPEG", quality=30)
    photo = load_photo(data)
    assert photo.size == (2048, 1536)
    assert np.abs(np.asarray(photo.resize((160, 120))).astype(int) - SCENE).mean() < 3


def test_a_progressive_jpeg_of_200_megapixels_is_refused() -> None:
    """All its coefficients must be in memory at once, at any reduced size."""
    data = bytearray(jpeg(SCENE, progressive=True))
    at = data.index(b"\xff\xc2") + 5
    data[at : at + 4] = (12240).to_bytes(2, "big") + (16320).to_bytes(2, "big")
    with pytest.raises(BadInput, match="16320 × 12240 pixels, more than 120 million"):
        load_photo(bytes(data))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF", "HEIF", "TIFF", "PNG"])
@pytest.mark.parametrize("what", ["exif", "icc_profile", "xmp"])
def test_broken_metadata_is_no_reason_to_refuse(kind: str, what: str) -> None:
    options = {} if kind in ("TIFF", "PNG") else {"quality": 95}
    junk = b"Exif\0\0II*\0\xff\xff\xff\xff broken" if what == "exif" else b"\0broken\xff" * 9
    try:
        data = saved(SCENE, kind, **options, **{what: junk})
    except Exception:  # what this encoder refuses to write comes from no program
        pytest.skip(f"Pillow writes no broken {what} into {kind}")
    assert load_photo(data).size == (160, 120)


def test_a_comment_in_every_segment_is_no_reason_to_refuse() -> None:
    data = jpeg(SCENE)
    for marker in (*range(0xE1, 0xF0), 0xFE):
        for junk in (b"", b"MPF\0broken", b"Photoshop 3.0\x008BIM\4\4broken", b"ICC_PROFILE\0\1\xffbroken", b"Adobe"):
            segment = bytes((0xFF, marker)) + (len(junk) + 2).to_bytes(2, "big") + junk
            if marker == 0xEE and junk == b"Adobe":
                continue  # the one segment that the pixels need
            assert load_photo(data[:2] + segment + data[2:]).size == (160, 120), (hex(marker), junk)


def test_nothing_of_it_is_a_bomb() -> None:
    """A profile that unpacks to gigabytes is given up at its limit."""
    data = png(SCENE, chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(100 << 20))))
    assert np.array_equal(np.asarray(load_photo(data)), SCENE)
    assert len(io.BytesIO(data).getbuffer()) < 1 << 20
