"""A training set as one file: the luma of every pair as 8-bit planes, and a header that names each.

Layout: the magic bytes, two little-endian 64-bit numbers (offset and length of the header), the planes a and b of every
item one after the other, row by row, and the header as JSON. Nothing is decoded or converted while a network trains.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from polyfuse.data.layouts import PairSet
from polyfuse.errors import InputError, UsageError
from polyfuse.io import Pair, Picture, atomic_path, read_picture
from polyfuse.io.atomic import check_apart
from polyfuse.io.documents import parse_json
from polyfuse.io.source import open_source, reason, shown
from polyfuse.transforms.colour import LumaConvention, luma, split_official8

MAGIC = b"PFPACK01"
_PREAMBLE = struct.Struct("<8sQQ")


@dataclass(frozen=True)
class PackItem:
    """One pair in a pack."""

    name: str
    """Stem of the pair."""
    set: str
    """Data set it comes from."""
    split: str
    """Split it belongs to."""
    height: int
    """Rows."""
    width: int
    """Columns."""
    offset: int
    """Where a starts in the file; b follows it."""
    sha256_a: str
    """SHA-256 of the source file of a."""
    sha256_b: str
    """SHA-256 of the source file of b."""


_checked: set[tuple[str, int, int]] = set()
"""Path, size and time of the packs whose pixels this process has compared with their hash."""


class Pack:
    """A pack opened for reading.

    Args:
        path: A file that `write_pack` made.
        check: Whether to compare the pixels with their hash, once in a process.

    Raises:
        InputError: If it cannot be read or is no complete pack.
    """

    def __init__(self, path: Path, *, check: bool = True) -> None:
        self._path = path
        if path.is_dir():
            raise InputError(f"{path} is a folder, no pack: make one with `polyfuse data pack {path} -o FILE`.")
        try:
            with open_source(path, what="pack") as file:
                self._file = os.dup(file.fileno())
                weakref.finalize(self, os.close, self._file)
                magic, offset, length = _PREAMBLE.unpack(file.read(_PREAMBLE.size))
                if magic != MAGIC or offset + length != os.fstat(self._file).st_size:
                    raise ValueError("wrong magic bytes or length")
                file.seek(offset)
                header = parse_json(file.read(length))
            self.items = tuple(PackItem(**item) for item in header["items"])
            self.luma: LumaConvention = header["luma"]
            self.sha256: str = header["sha256"]
            _check_items(self.items, offset)
            if self.luma not in ("full", "studio") or not isinstance(self.sha256, str):
                raise ValueError("unknown luma or hash")
            if check:
                self._check_pixels()
        except (ValueError, KeyError, TypeError, struct.error) as error:
            raise InputError(
                f"{path} is no complete pack ({reason(error)}): make it with `polyfuse data pack`."
            ) from error

    def __reduce__(self) -> tuple[Callable[[Path], Pack], tuple[Path]]:
        """Pickle as the path, so that another process opens the file itself."""
        return _reopened, (self._path,)

    def _check_pixels(self) -> None:
        """Compare the planes with the hash in the header, unless that was done.

        Raises:
            ValueError: If they differ.
        """
        facts = self._path.stat()
        key = (str(self._path.resolve()), facts.st_size, facts.st_mtime_ns)
        if key in _checked:
            return
        digest = hashlib.sha256()
        for index in range(len(self.items)):
            for plane in self.planes(index):
                digest.update(plane.tobytes())
        if digest.hexdigest() != self.sha256:
            raise ValueError("its pixels do not match their hash")
        _checked.add(key)

    def planes(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the luma of a and of b, each (H, W), read from the file.

        Read and not mapped: a mapped file that is cut by another program ends the process that looks at it.

        Raises:
            InputError: If the file has become shorter.
        """
        item = self.items[index]
        content = self._read(2 * item.height * item.width, item.offset)
        both = np.frombuffer(content, np.uint8).reshape(2, item.height, item.width)
        return both[0], both[1]

    def _read(self, num_bytes: int, offset: int) -> bytes:
        """Bytes at a place of the file, from any thread or process."""
        try:
            content = _read_at(self._file, num_bytes, offset)
        except OSError as error:
            raise InputError(f"{shown(self._path)} cannot be read ({error.strerror}): check the pack.") from error
        if len(content) != num_bytes:
            raise InputError(f"{shown(self._path)} was cut while it was read: make it with `polyfuse data pack`.")
        return content


_SEEKING = threading.Lock()


def _read_at(file: int, num_bytes: int, offset: int) -> bytes:
    """Bytes at a place of an open file."""
    if hasattr(os, "pread"):
        return os.pread(file, num_bytes, offset)
    with _SEEKING:
        os.lseek(file, offset, os.SEEK_SET)
        return os.read(file, num_bytes)


def _reopened(path: Path) -> Pack:
    """A pack in another process; the one that it was opened in has checked its pixels."""
    return Pack(path, check=False)


def _check_items(items: Sequence[PackItem], end: int) -> None:
    """Refuse a header whose items do not lie in the file, one behind the other.

    Raises:
        ValueError: If there are none, or one is of a wrong type, size or place.
    """
    if not items:
        raise ValueError("it holds no pictures")
    kinds = {field.name: int if field.name in ("height", "width", "offset") else str for field in fields(PackItem)}
    for item in items:
        if any(type(getattr(item, name)) is not kind for name, kind in kinds.items()):
            raise ValueError("an item is of a wrong type")
    free = _PREAMBLE.size
    for item in sorted(items, key=lambda item: item.offset):
        if min(item.height, item.width) < 1 or item.offset < free:
            raise ValueError(f"{item.name[:40]!r} has no size or overlaps another")
        free = item.offset + 2 * item.height * item.width
    if free > end:
        raise ValueError("an item reaches beyond the pictures")


def write_pack(
    path: Path,
    sets: Sequence[PairSet],
    *,
    luma_b: LumaConvention,
    overwrite: bool = False,
    note: Callable[[int, int], None] = lambda done, total: None,
) -> list[PackItem]:
    """Read all pairs of `sets` and pack them.

    Args:
        path: The file to write, atomically.
        sets: What to pack; nothing is read twice or kept in memory.
        luma_b: Luma of b: "full", or "studio" (16 to 235), which the published FNet was trained on. a is always full.
        overwrite: Whether an existing file may be replaced.
        note: Called with (pairs done, pairs in all).

    Returns:
        An item for each pair, in order.

    Raises:
        InputError: If a picture cannot be read, is not of 8 bits, or a pair differs in size; nothing is written then.
        OutputError: If the file exists, is one of the pictures, or cannot be written.
    """
    pairs = [(group, pair) for group in sets for pair in group.pairs]
    if not pairs:
        raise UsageError("there is nothing to pack: name at least one folder or --pair A B.")
    check_apart(path, (source for _, pair in pairs for source in (pair.a, pair.b)))
    with atomic_path(path, overwrite) as temporary, temporary.open("wb") as file:
        file.seek(_PREAMBLE.size)
        digest, items = hashlib.sha256(), []
        for group, pair in pairs:
            items.append(_write_pair(file, digest.update, group, pair, luma_b))
            note(len(items), len(pairs))
        header = {"luma": luma_b, "sha256": digest.hexdigest(), "items": [asdict(item) for item in items]}
        offset, content = file.tell(), json.dumps(header).encode()
        file.write(content)
        file.seek(0)
        file.write(_PREAMBLE.pack(MAGIC, offset, len(content)))
    return items


def _write_pair(
    file: BinaryIO, update: Callable[[bytes], None], group: PairSet, pair: Pair, luma_b: LumaConvention
) -> PackItem:
    """Append the planes of one pair."""
    a, b = read_picture(pair.a), read_picture(pair.b)
    if (a.height, a.width) != (b.height, b.width):
        raise InputError(
            f"{pair.a} is {a.width}x{a.height} and {pair.b} {b.width}x{b.height}: align them, or leave them out."
        )
    offset = file.tell()
    for plane in (luma8(a, "full"), luma8(b, luma_b)):
        content = plane.tobytes()
        update(content)
        file.write(content)
    return PackItem(
        pair.name, group.name, group.split, a.height, a.width, offset, str(a.sha256), str(b.sha256)
    )  # fmt: skip


def luma8(picture: Picture, convention: LumaConvention) -> NDArray[np.uint8]:
    """8-bit luma (H, W) of an 8-bit picture; studio luma is rounded as in the published FNet's training data.

    Raises:
        InputError: If the picture has more than 8 bits.
    """
    if picture.depth != 8:
        raise InputError(f"{picture.path} has {picture.depth} bits: reduce it to 8 bits, a pack holds no more.")
    pixels: NDArray[np.uint8] = picture.array
    if convention == "studio":
        return split_official8(np.repeat(pixels[..., None], 3, axis=2) if picture.is_grey else pixels)[0]
    if picture.is_grey:
        return pixels
    rounded: NDArray[np.uint8] = np.rint(255 * luma(pixels / 255)).astype(np.uint8)
    return rounded
