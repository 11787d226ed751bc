"""Whether the scans of a JPEG end where its picture does. libjpeg fills in damaged parts, and Pillow keeps that quiet.

A changed byte shifts what follows, so that a scan, or the stretch up to its next restart marker, has data for too many
or too few blocks. That is looked at without a decoder of our own: a copy that declares some blocks more is decoded, at
an eighth of its size where that is enough. Blocks without data come out mid-grey. Those added must be mid-grey; the
last one of the picture must not be, unless it stays so when bytes are added to the stretch.

Damage that leaves the number of blocks as it is cannot be told from a picture.
Source: ITU-T T.81, sections A.2, E.2.4, F.2.2.5.
"""

import hashlib
import re
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from polyfuse.io import jpeg
from polyfuse.io.raster import STRICTNESS, open_raster

DAMAGE_NOTE = "the JPEG is damaged and parts of it are filled in: get the file again"

_BASELINE, _PROGRESSIVE = (0xC0, 0xC1), 0xC2
_RESTART_INTERVAL, _SCAN = 0xDD, 0xDA
_MARKER = re.compile(rb"\xff+([\x01-\xfe])")
_END = 0xD9
_RESTARTS = range(0xD0, 0xD8)
_MID_GREY = 128
_LARGEST_SIDE = 65500
_BLOCK = 8
_ADDED = 12
"""Blocks added to each stretch; the first of them may come from the bits that fill the last byte."""
_FILLING_GREY, _FILLING_COLOUR = 4, 1
"""Of these so many may come from seven bits: a grey block has at least two, one with colour six."""
_PADDING = hashlib.shake_128(b"").digest(1024).replace(b"\xff", b"\x55")
"""Data for some blocks more; any will do that are not always the same bits."""
_MORE_ROWS = 3
"""Rows of blocks added where there are several scans."""
_FILLED_COLUMNS = 3
"""Of all but the last of them so many columns are not looked at: the bits that fill the last byte end there."""


@dataclass(frozen=True)
class _Scan:
    """Where things are in the file, and how the picture is cut into blocks of all components (MCUs)."""

    marker: int
    frame_at: int
    num_components: int
    block_height: int
    block_width: int
    height: int
    width: int
    interval: int
    interval_at: int
    num_scanned: int
    begin: int

    @property
    def columns(self) -> int:
        """Blocks in a row."""
        return -(-self.width // self.block_width)

    @property
    def rows(self) -> int:
        """Rows of blocks."""
        return -(-self.height // self.block_height)


def is_damaged(data: bytes) -> bool:
    """Whether a JPEG has scans that end before or after its picture; False where that cannot be told.

    Args:
        data: The file, which was decoded without an error.
    """
    scan = _parse(data)
    if scan is None or scan.num_components not in (1, 3):
        return False
    try:
        if scan.marker in _BASELINE and scan.num_scanned == scan.num_components:
            return _has_wrong_stretch(data, scan)
        if scan.marker in (*_BASELINE, _PROGRESSIVE) and not scan.interval:
            return _has_long_scan(data, scan)
    except OSError:  # the data are so damaged that more blocks than before cannot be made up
        return True
    except (ValueError, MemoryError):  # this decoder cannot do what is asked of it here
        return False
    return False


def _parse(data: bytes) -> _Scan | None:
    """Find the frame, the restart interval and the first scan."""
    frame: tuple[int, int, bytes] | None = None
    interval = interval_at = 0
    for marker, position, content in jpeg.segments(BytesIO(data)):
        if marker in jpeg.FRAMES and len(content) >= 6 + 3 * content[5]:
            frame = marker, position, content
        elif marker == _RESTART_INTERVAL and len(content) >= 2:
            interval, interval_at = int.from_bytes(content[:2], "big"), position
        elif marker == _SCAN and frame is not None and content:
            code, frame_at, facts = frame
            sides = [facts[7 + 3 * index] for index in range(facts[5])]
            across, down = (1, 1) if facts[5] == 1 else (max(s >> 4 for s in sides), max(s & 15 for s in sides))
            height, width = (int.from_bytes(facts[at : at + 2], "big") for at in (1, 3))
            if not (across and down and height and width):
                return None
            return _Scan(
                code, frame_at, facts[5], _BLOCK * down, _BLOCK * across, height, width, interval, interval_at,
                content[0], position + len(content),
            )  # fmt: skip
    return None


def _has_wrong_stretch(data: bytes, scan: _Scan) -> bool:
    """Whether a stretch of a picture in one scan has data for more or fewer blocks than it should."""
    total = scan.columns * scan.rows
    interval = scan.interval or total
    num_stretches = -(-total // interval)
    markers = [(found.start(), found[1][0]) for found in _MARKER.finditer(data, scan.begin)]
    restarts = []
    for position, code in markers:
        if code not in _RESTARTS:
            if code != _END:
                return True
            after = position
            break
        restarts.append((position, code))
    else:
        return True
    if [code for _, code in restarts] != [_RESTARTS[index % 8] for index in range(num_stretches - 1)]:
        return True
    last = total - (num_stretches - 1) * interval
    stride = interval + _ADDED
    rows = -(-((num_stretches - 1) * stride + last + _ADDED) // scan.columns)
    if rows * scan.block_height > _LARGEST_SIDE or scan.columns * scan.block_width > _LARGEST_SIDE:
        return False
    if scan.interval and stride > 0xFFFF:
        return False
    starts = np.arange(num_stretches) * stride
    ends = starts + interval
    ends[-1] = starts[-1] + last
    flat = _flat_blocks(data, scan, rows, stride)
    filling = _FILLING_GREY if scan.num_components == 1 else _FILLING_COLOUR
    if not all(flat[ends + added].all() for added in range(filling, _ADDED)):
        return True
    if not flat[ends - 1].any():
        return False
    pieces, before = [], 0
    for position in (*(position for position, _ in restarts), after):
        pieces.append(data[before:position])
        before = position
    longer = _flat_blocks(_PADDING.join([*pieces, data[before:]]), scan, rows, stride)
    return any((flat[begin:end] & ~longer[begin:end]).any() for begin, end in zip(starts, ends, strict=True))


def _flat_blocks(data: bytes, scan: _Scan, rows: int, stride: int) -> NDArray[np.bool_]:
    """Decode a copy with so many rows of blocks, and stretches of `stride` blocks; which blocks are mid-grey."""
    copy = _resized(data, scan, rows * scan.block_height, scan.columns * scan.block_width)
    if scan.interval:
        copy[scan.interval_at : scan.interval_at + 2] = stride.to_bytes(2, "big")
    down, across = scan.block_height // _BLOCK, scan.block_width // _BLOCK
    values = np.asarray(_decoded(copy, "L", (scan.columns * across, rows * down)))
    blocks = values.reshape(rows, down, scan.columns, across).transpose(0, 2, 1, 3)
    flat: NDArray[np.bool_] = (blocks.reshape(rows * scan.columns, -1) == _MID_GREY).all(axis=1)
    return flat


def _has_long_scan(data: bytes, scan: _Scan) -> bool:
    """Whether one of several scans has data for more blocks than the picture has."""
    height = (scan.rows + _MORE_ROWS) * scan.block_height
    if height > _LARGEST_SIDE:
        return False
    image = _decoded(_resized(data, scan, height, scan.width), "YCbCr", None)
    below = np.asarray(image.crop((0, scan.rows * scan.block_height, scan.width, height)))
    added = below.reshape(*below.shape[:2], -1) != _MID_GREY
    beside = added[:, _FILLED_COLUMNS * scan.block_width :]
    # Chroma of the picture reaches a row beyond it where it has half the resolution.
    return bool(beside[..., 0].any() or beside[2:].any() or added[-scan.block_height :].any())


def _resized(data: bytes, scan: _Scan, height: int, width: int) -> bytearray:
    """A copy that declares another size."""
    copy = bytearray(data)
    copy[scan.frame_at + 1 : scan.frame_at + 5] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return copy


def _decoded(data: bytearray, mode: str, size: tuple[int, int] | None) -> Image.Image:
    """The picture of a JPEG that has been changed, at an eighth of its size if `size` says so."""
    image = open_raster(BytesIO(data), "JPEG")
    image.draft(mode if image.mode == "RGB" else image.mode, size or image.size)
    if size is not None and image.size != size:
        raise ValueError("this decoder does not reduce")
    with STRICTNESS.hold():
        image.load()
    return image
