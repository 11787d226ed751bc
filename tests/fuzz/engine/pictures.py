"""The pictures of the corpus: every format that is read, in its depths, colours and variants, 16x12 pixels."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from random import Random
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from polyfuse import fuse
from polyfuse.io import peek_size, read_picture
from tests.fuzz.engine.container_changes import change_bmp, change_jpeg, change_png, change_riff, change_tiff
from tests.fuzz.engine.seeds import HEIGHT, SIDE, Change, Seed

_FUSED_PIXELS = 4096
"""Pictures up to this size are fused too, with black: values that are no numbers are found there."""
_PAGES = "pages.tif"
_ORIENTATION = b"Exif\0\0MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 274, 3, 1, 6, 0, 0)


def read(path: str, rng: Random) -> bool:
    """Read a picture as `fuse` does, look at its header alone, and fuse it where it is small."""
    page = rng.randrange(2) if path == _PAGES else 0
    picture = read_picture(path, page=page, strict=rng.random() < 0.2)
    size = peek_size(path, page=page)
    if size != (picture.width, picture.height):
        raise AssertionError(f"the header says {size}, the picture is {picture.width}x{picture.height}")
    if picture.width * picture.height <= _FUSED_PIXELS:
        fuse(picture, np.zeros((picture.height, picture.width), np.uint8), model="average")
    return True


def scene(channels: int = 1, dtype: str = "uint8") -> NDArray[Any]:
    """A smooth picture with noise, (12, 16) or (12, 16, channels)."""
    rng, (rows, columns) = np.random.default_rng(channels), np.mgrid[:HEIGHT, :SIDE]
    values = 0.4 + 0.3 * np.sin(columns / 3) * np.cos(rows / 4)
    values = values[..., None] * np.linspace(1, 0.5, channels) + rng.uniform(0, 0.1, (HEIGHT, SIDE, channels))
    values = values[..., 0] if channels == 1 else values
    return (values if dtype[0] == "f" else values * np.iinfo(dtype).max).astype(dtype)


def _by_pillow(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _wide_png(samples: NDArray[Any], color_type: int) -> bytes:
    """A 16-bit PNG with several channels, which Pillow does not write."""
    rows = samples.astype(">u2").reshape(HEIGHT, -1)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    head = struct.pack(">IIBBBBB", SIDE, HEIGHT, 16, color_type, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def _seeds(suffix: str, contents: dict[str, bytes], change: Change) -> list[Seed]:
    return [Seed(name, f"picture{suffix}", content, read, (change,)) for name, content in contents.items()]


def pngs() -> list[Seed]:
    """PNG: 1, 8 and 16 bits, grey, colour, palette, alpha, an orientation, an animation."""
    grey, colour, four = Image.fromarray(scene()), Image.fromarray(scene(3)), Image.fromarray(scene(4))
    contents = {
        "grey": _by_pillow(grey, "PNG"),
        "colour": _by_pillow(colour, "PNG"),
        "alpha": _by_pillow(four, "PNG"),
        "grey with alpha": _by_pillow(four.convert("LA"), "PNG"),
        "palette": _by_pillow(colour.quantize(8), "PNG", transparency=1),
        "1 bit": _by_pillow(grey.convert("1"), "PNG"),
        "16-bit grey": _by_pillow(Image.fromarray(scene(1, "uint16")), "PNG"),
        "16-bit colour": _wide_png(scene(3, "uint16"), 2),
        "16-bit colour with alpha": _wide_png(scene(4, "uint16"), 6),
        "16-bit grey with alpha": _wide_png(scene(2, "uint16"), 4),
        "turned": _by_pillow(colour, "PNG", exif=_ORIENTATION),
        "animation": _by_pillow(colour, "PNG", save_all=True, append_images=[four.convert("RGB")]),
    }
    return _seeds(".png", contents, change_png)


def jpegs() -> list[Seed]:
    """JPEG: grey, colour, four inks, progressive, with restarts, with an orientation."""
    grey, colour = Image.fromarray(scene()), Image.fromarray(scene(3))
    contents = {
        "grey": _by_pillow(grey, "JPEG"),
        "colour": _by_pillow(colour, "JPEG", subsampling=0),
        "4:2:0": _by_pillow(colour, "JPEG", subsampling=2),
        "four inks": _by_pillow(Image.fromarray(scene(4)).convert("CMYK"), "JPEG"),
        "progressive": _by_pillow(colour, "JPEG", progressive=True),
        "progressive grey": _by_pillow(grey, "JPEG", progressive=True),
        "restarts": _by_pillow(colour.resize((64, 48)), "JPEG", restart_marker_blocks=2),
        "turned": _by_pillow(colour, "JPEG", exif=_ORIENTATION),
    }
    return _seeds(".jpg", contents, change_jpeg)


def tiffs() -> list[Seed]:
    """TIFF: depths, codecs, tiles, pages, palettes, both byte orders, large offsets."""
    many: dict[str, tuple[NDArray[Any], dict[str, Any]]] = {
        "grey": (scene(), {}),
        "16-bit grey": (scene(1, "uint16"), {"byteorder": ">"}),
        "16-bit colour": (scene(3, "uint16"), {"photometric": "rgb", "compression": "zlib", "predictor": True}),
        "floats": (scene(1, "float32"), {}),
        "floats, predicted": (scene(1, "float32"), {"compression": "zlib", "predictor": 3}),
        "64-bit floats": (scene(3, "float64"), {"photometric": "rgb"}),
        "16-bit floats": (scene(1, "float16"), {}),
        "colour": (scene(3), {"photometric": "rgb", "rowsperstrip": 5}),
        "planes": (np.moveaxis(scene(3), 2, 0), {"photometric": "rgb", "planarconfig": "separate"}),
        "alpha": (scene(4), {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
        "tiles": (scene(3), {"photometric": "rgb", "tile": (16, 16), "compression": "zlib"}),
        "lzw": (scene(), {"compression": "lzw"}),
        "packbits": (scene(), {"compression": "packbits"}),
        "jpeg inside": (scene(3), {"photometric": "ycbcr", "compression": "jpeg"}),
        "webp inside": (scene(3), {"photometric": "rgb", "compression": "webp"}),
        "zstd": (scene(3), {"photometric": "rgb", "compression": "zstd"}),
        "large offsets": (scene(), {"bigtiff": True}),
        "white is zero": (scene(), {"photometric": "miniswhite"}),
        "palette": (scene() >> 4 << 4, {"photometric": "palette", "colormap": np.arange(768).reshape(3, 256) * 85}),
        "1 bit": (scene() > 128, {}),
        "pages": (np.stack([scene(), 255 - scene()]), {"photometric": "minisblack"}),
        "turned": (scene(3), {"photometric": "rgb", "extratags": [(274, "H", 1, 6, True)]}),
    }
    contents = {}
    for name, (array, options) in many.items():
        buffer = BytesIO()
        tifffile.imwrite(buffer, array, **{"metadata": None, "software": False, **options})
        contents[name] = buffer.getvalue()
    for name, mode, codec in (
        ("fax", "1", "group4"),
        ("lzw of Pillow", "L", "tiff_lzw"),
        ("old jpeg", "RGB", "jpeg"),
    ):
        contents[name] = _by_pillow(Image.fromarray(scene(3)).convert(mode), "TIFF", compression=codec)
    seeds = _seeds(".tif", contents, change_tiff)
    return [replace(seed, place=_PAGES) if seed.name == "pages" else seed for seed in seeds]


def bitmaps() -> list[Seed]:
    """WebP with and without loss, alpha and frames; BMP of 1, 8, 24 and 32 bits; and formats that are not read."""
    grey, colour, four = Image.fromarray(scene()), Image.fromarray(scene(3)), Image.fromarray(scene(4))
    webps = {
        "webp": _by_pillow(colour, "WEBP"),
        "webp without loss": _by_pillow(colour, "WEBP", lossless=True),
        "webp with alpha": _by_pillow(four, "WEBP"),
        "webp, turned": _by_pillow(colour, "WEBP", exif=_ORIENTATION),
        "webp animation": _by_pillow(colour, "WEBP", save_all=True, append_images=[four.convert("RGB")]),
    }
    bmps = {
        "bmp": _by_pillow(colour, "BMP"),
        "grey bmp": _by_pillow(grey, "BMP"),
        "bmp of 1 bit": _by_pillow(grey.convert("1"), "BMP"),
        "bmp with alpha": _by_pillow(four, "BMP"),
        "packed bmp": _packed_bmp(),
    }
    others = {"pnm": _by_pillow(colour, "PPM"), "gif": _by_pillow(grey, "GIF")}
    seeds = _seeds(".webp", webps, change_riff) + _seeds(".bmp", bmps, change_bmp)
    return seeds + [Seed(name, "picture.png", content, read, is_refused=True) for name, content in others.items()]


def _packed_bmp() -> bytes:
    """A BMP with run lengths, which Pillow reads and does not write."""
    rows = b"".join(bytes([SIDE, 7 * row, 0, 0]) for row in range(HEIGHT)) + b"\0\1"
    palette = b"".join(bytes([level, level, level, 0]) for level in range(256))
    head = struct.pack("<IiiHHIIiiII", 40, SIDE, HEIGHT, 1, 8, 1, len(rows), 0, 0, 256, 0)
    offset = 14 + len(head) + len(palette)
    return struct.pack("<2sIHHI", b"BM", offset + len(rows), 0, 0, offset) + head + palette + rows


PICTURES: dict[str, Callable[[], list[Seed]]] = {"png": pngs, "jpeg": jpegs, "tiff": tiffs, "webp and bmp": bitmaps}
"""By kind."""
