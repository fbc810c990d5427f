"""A known scene as files of every listed format: written here by hand where Pillow has no such kind.

Nothing here uses the program's own colour code: the matrices are published ones (sRGB's linear light to others').
"""

import io
import struct
import subprocess
import tempfile
import zlib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
import pillow_heif
from fanslymotion.pipeline.media.ffmpeg import ffmpeg_path
from PIL import Image

pillow_heif.register_heif_opener()

TO_P3 = [[0.8224621, 0.1775380, 0], [0.0331941, 0.9668058, 0], [0.0170827, 0.0723974, 0.9105199]]
TO_BT2020 = [[0.627404, 0.329282, 0.0433136], [0.069097, 0.91954, 0.0113612], [0.0163916, 0.0880132, 0.895595]]
TO_ADOBE = [[0.7151256, 0.2848744, 0], [0, 1, 0], [0, 0.0411619, 0.9588381]]
P3_XYZ = [[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]]
"""Columns: Display P3's red, green and blue, adapted to D50, as its ICC profile has them."""
P3_D65 = [[0.48657, 0.22897, 0.0], [0.26567, 0.69174, 0.04511], [0.19822, 0.07929, 1.04394]]
"""X, Y, Z of its red, green and blue."""
P3_CHRM = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)


def scene(height: int = 120, width: int = 160) -> np.ndarray:
    """uint8 (height, width, 3): smooth gradients of every hue, from black to white, without symmetry."""
    y, x = np.mgrid[0:height, 0:width] / [[[height]], [[width]]]
    red, green, blue = x, y * (1 - x) + x * y**2, 0.5 + 0.5 * np.cos(3 * (x + 2 * y))
    return (np.stack([red, green, blue], axis=-1) * 255 + 0.5).astype(np.uint8)


def grey(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).convert("L"))


def linear(picture: np.ndarray) -> np.ndarray:
    v = picture / 255
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def srgb(light: np.ndarray) -> np.ndarray:
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def pq(light: np.ndarray, white: float = 203) -> np.ndarray:
    power = (np.clip(light, 0, None) * white / 10_000) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)


def hlg(light: np.ndarray, white: float = 203) -> np.ndarray:
    """ITU-R BT.2100: the inverse of its OOTF for 1000 cd/m², then its OETF. light: in BT.2020's primaries."""
    display = np.clip(light, 0, None) * white / 1000
    luminance = display @ [0.2627, 0.678, 0.0593]
    e = display * (np.maximum(luminance, 1e-9) ** ((1 - 1.2) / 1.2))[..., None]
    return np.where(
        e <= 1 / 12, np.sqrt(3 * e), 0.17883277 * np.log(np.maximum(12 * e - 0.28466892, 1e-9)) + 0.55991073
    )


def in_space(picture: np.ndarray, matrix: Iterable, curve: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The scene as signals (0 to 1) of other primaries and another transfer function."""
    return np.clip(curve(linear(picture) @ np.array(matrix).T), 0, 1)


def bits(signal: np.ndarray, depth: int) -> np.ndarray:
    return (signal * (2**depth - 1) + 0.5).astype(np.uint16 if depth > 8 else np.uint8)


def power(gamma: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda light: np.clip(light, 0, 1) ** (1 / gamma)


# --- PNG ------------------------------------------------------------------------------------------------------------


def chunk(kind: bytes, body: bytes, right: bool = True) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body) ^ (not right))


def png(values: np.ndarray, *chunks: bytes, depth: int = 8, colour: int | None = None, after: bytes = b"") -> bytes:
    """values: (height, width[, channels]). depth: 1 to 16; below 8 the values are packed. chunks: before the pixels."""
    height, width = values.shape[:2]
    if colour is None:
        colour = {1: 0, 2: 4, 3: 2, 4: 6}[values.shape[2] if values.ndim == 3 else 1]
    rows = values.reshape(height, -1)
    if depth == 16:
        packed = [row.astype(">u2").tobytes() for row in rows]
    elif depth == 8:
        packed = [row.astype(np.uint8).tobytes() for row in rows]
    else:
        split = (rows[..., None] >> np.arange(depth - 1, -1, -1)) & 1
        packed = [np.packbits(row.reshape(-1)).tobytes() for row in split]
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in packed))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", head), *chunks, chunk(b"IDAT", pixels), after, chunk(b"IEND", b"")]
    )


def cicp(primaries: int, transfer: int, full: int = 1) -> bytes:
    return chunk(b"cICP", bytes([primaries, transfer, 0, full]))


def gama(gamma: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(100_000 / gamma)))


def chrm(numbers: Iterable[int]) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *numbers))


# --- ICC ------------------------------------------------------------------------------------------------------------


def icc(columns: Iterable, gamma: float, grey: bool = False) -> bytes:
    """A version 2 profile: three primaries (D50) and a power; or only the power, of a grey picture."""

    def xyz(numbers: Iterable[float]) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(n * 65536)) for n in numbers)

    red, green, blue = np.array(columns).T
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 2) + b"P\0" + bytes(80),
        b"wtpt": xyz((0.9642, 1.0, 0.8249)),
        **{b"rXYZ": xyz(red), b"gXYZ": xyz(green), b"bXYZ": xyz(blue)},
        **{b"rTRC": curve, b"gTRC": curve, b"bTRC": curve},
    }
    if grey:
        tags = {name: tags[name] for name in (b"desc", b"wtpt")} | {b"kTRC": curve}
    at, index, body = 132 + 12 * len(tags), b"", b""
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        index += struct.pack(">4sII", name, at + len(body), len(content))
        body += content
    head = struct.pack(
        ">I4sI4s4s4s", at + len(body), b"lcms", 0x02400000, b"mntr", b"GRAY" if grey else b"RGB ", b"XYZ "
    )
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">iii", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + index + body


P3_ICC = icc(P3_XYZ, 2.2)
GREY_ICC = icc(P3_XYZ, 1.0, grey=True)


# --- TIFF -----------------------------------------------------------------------------------------------------------


def tiff(
    values: np.ndarray,
    photometric: int,
    *,
    planar: bool = False,
    order: str = "<",
    rows: int = 50,
    packed: int = 0,
    more: dict[int, tuple[str, tuple]] | None = None,
) -> bytes:
    """Uncompressed. values: (height, width[, channels]) of any number type. rows: of a strip. more: further tags.

    packed: 12 stores each pair of values in three bytes.
    """
    height, width = values.shape[:2]
    channels = values.shape[2] if values.ndim == 3 else 1
    layers = np.moveaxis(values, -1, 0) if planar else values[None]

    def stored(strip: np.ndarray) -> bytes:
        if packed == 12:
            pairs = strip.reshape(-1, 2).astype(np.uint32)
            joined = (pairs[:, 0] << 12 | pairs[:, 1]).astype(">u4")
            return joined.view(np.uint8).reshape(-1, 4)[:, 1:].tobytes()
        return strip.astype(strip.dtype.newbyteorder(order)).tobytes()

    strips = [stored(layer[top : top + rows]) for layer in layers for top in range(0, height, rows)]
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    starts = np.cumsum([8, *map(len, strips)])
    tags = {
        256: ("I", (width,)),
        257: ("I", (height,)),
        258: ("H", (packed or values.dtype.itemsize * 8,) * channels),
        259: ("H", (1,)),
        262: ("H", (photometric,)),
        273: ("I", tuple(map(int, starts[:-1]))),
        277: ("H", (channels,)),
        278: ("I", (rows,)),
        279: ("I", tuple(map(len, strips))),
        284: ("H", (2 if planar else 1,)),
        339: ("H", (kind,) * channels),
        **(more or {}),
    }
    body = b"".join(strips)
    body += bytes(len(body) % 2)
    at = 8 + len(body) + 2 + 12 * len(tags) + 4
    index, tail = struct.pack(order + "H", len(tags)), b""
    for tag, (letter, numbers) in sorted(tags.items()):
        content = struct.pack(f"{order}{len(numbers)}{letter}", *numbers)
        if len(content) > 4:
            content, tail = struct.pack(order + "I", at + len(tail)), tail + content + bytes(len(content) % 2)
        type_number = {"B": 1, "H": 3, "I": 4}[letter]
        index += struct.pack(order + "HHI", tag, type_number, len(numbers)) + content.ljust(4, b"\0")
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(order + "I", 8 + len(body)) + body + index + bytes(4) + tail


# --- BMP ------------------------------------------------------------------------------------------------------------


def bmp(picture: np.ndarray, *, gamma: float = 0, endpoints: Iterable = (), profile: bytes = b"") -> bytes:
    """A version 5 header, 24 bits a pixel. endpoints: X, Y, Z of red, green and blue."""
    height, width = picture.shape[:2]
    rows = b"".join(row[:, ::-1].tobytes().ljust((width * 3 + 3) // 4 * 4, b"\0") for row in picture[::-1])
    kind = b"DEBM" if profile else bytes(4) if gamma else b"BGRs"
    head = struct.pack("<IiiHHIIiiII", 124, width, height, 1, 24, 0, len(rows), 2835, 2835, 0, 0) + bytes(16) + kind
    head += b"".join(struct.pack("<I", round(n * (1 << 30))) for n in np.ravel([*endpoints])).ljust(36, b"\0")
    head += struct.pack("<3I", *[round(gamma * 65536)] * 3)
    head += struct.pack("<IIII", 4, 124 + len(rows) if profile else 0, len(profile), 0)
    size = 14 + len(head) + len(rows) + len(profile)
    return b"BM" + struct.pack("<IHHI", size, 0, 0, 14 + 124) + head + rows + profile


# --- by libraries ---------------------------------------------------------------------------------------------------


def saved(values: np.ndarray | Image.Image, kind: str, **options) -> bytes:
    image = values if isinstance(values, Image.Image) else Image.fromarray(values)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


avif = partial(saved, kind="AVIF", quality=100, subsampling="4:4:4")
jpeg = partial(saved, kind="JPEG", quality=100, subsampling=0)


def avif_points(values: np.ndarray, primaries: int, transfer: int) -> bytes:
    data = avif(values)
    at = data.index(b"colrnclx") + 8
    return data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]


def avif_deep(values: np.ndarray, pixels: str, primaries: int, transfer: int) -> bytes:
    """By ffmpeg, which has 10 and 12 bits. values: uint16. pixels: ffmpeg's name of such a format."""
    height, width = values.shape[:2]
    planes = np.ascontiguousarray(values[..., [1, 2, 0]].transpose(2, 0, 1)).tobytes()
    raw = ("-f", "rawvideo", "-pixel_format", "gbrp16le", "-video_size", f"{width}x{height}", "-i", "pipe:0")
    tags = f"setparams=color_primaries={primaries}:color_trc={transfer}:colorspace=bt2020nc:range=pc"
    scale = f"scale=out_color_matrix=bt2020:out_range=pc,format={pixels},{tags}"
    codec = ("-c:v", "libaom-av1", "-still-picture", "1", "-crf", "2", "-cpu-used", "6", "-frames:v", "1")
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "a.avif"
        command = [ffmpeg_path(), "-v", "error", *raw, "-vf", scale, *codec, str(made)]
        subprocess.run(command, input=planes, check=True)
        return made.read_bytes()


def heic(values: np.ndarray, primaries: int = 1, transfer: int = 13, **options) -> bytes:
    """uint8, or uint16 for a file of 10 bits."""
    file = io.BytesIO()
    mode = "RGB;16" if values.dtype == np.uint16 else "RGB"
    made = pillow_heif.from_bytes(mode, values.shape[1::-1], values.tobytes())
    points = {"color_primaries": primaries, "transfer_characteristics": transfer}
    made.save(file, quality=100, chroma=444, full_range_flag=1, matrix_coefficients=1, **points, **options)
    return file.getvalue()
