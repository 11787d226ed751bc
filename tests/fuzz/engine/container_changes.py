"""Changes that know where the numbers of picture files and clips stand, and that keep checksums right."""

from __future__ import annotations

import struct
import zlib
from random import Random

from tests.fuzz.engine.raw_changes import RAW, number_for

_SIGNATURE = 8
_TYPES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
"""Bytes of a value by the type that a TIFF tag has."""


def _shuffled(rng: Random, parts: list[bytes]) -> list[bytes]:
    """The parts with one of them gone, twice, or elsewhere."""
    parts, at = list(parts), rng.randrange(len(parts))
    how = rng.randrange(4)
    part = parts.pop(at) if how != 1 else parts[at]
    if how:
        parts.insert(rng.randrange(len(parts) + 1), part)
    if how == 3:
        parts.insert(rng.randrange(len(parts) + 1), part)
    return parts


def _numbered(rng: Random, data: bytes, sizes: tuple[int, ...], order: str) -> bytes:
    """The data with one number of those sizes replaced, at a place where numbers of that size usually stand."""
    size = rng.choice(sizes)
    places = range(0, max(1, min(len(data), 64) - size + 1), 1 if rng.random() < 0.3 else size)
    at = rng.choice(places)
    old = int.from_bytes(data[at : at + size], order)  # type: ignore[arg-type]
    return data[:at] + number_for(rng, size, old).to_bytes(size, order) + data[at + size :]  # type: ignore[arg-type]


def png_chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    """Type and data of each chunk."""
    chunks, at = [], _SIGNATURE
    while at + 12 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + length]))
        at += 12 + length
    return chunks


def change_png(rng: Random, content: bytes) -> bytes:
    """Change a chunk, or the pixels before they were compressed; all checksums are right again."""
    chunks = png_chunks(content)
    at = rng.randrange(len(chunks))
    kind, data = chunks[at]
    how = rng.random()
    if how < 0.4:
        at, kind, data = (0, *chunks[0]) if rng.random() < 0.6 else (at, kind, data)
        chunks[at] = kind, _numbered(rng, data, (1, 4) if kind == b"IHDR" else (1, 2, 4), "big")
    elif how < 0.6 and kind == b"IDAT":
        chunks[at] = kind, zlib.compress(rng.choice(RAW)(rng, zlib.decompress(data)))
    elif how < 0.7:
        chunks[at] = rng.choice((b"eXIf", b"tRNS", b"PLTE", b"acTL", b"fcTL", b"iCCP", b"gAMA", b"IEND", b"IHDR")), data
    elif how < 0.85:
        chunks[at] = kind, rng.choice(RAW)(rng, data)
    else:
        built = [kind + data for kind, data in chunks]
        chunks = [(part[:4], part[4:]) for part in _shuffled(rng, built)]
    return content[:_SIGNATURE] + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def change_jpeg(rng: Random, content: bytes) -> bytes:
    """Change, repeat or leave out a segment before the scan."""
    segments, at = [content[:2]], 2
    while at + 4 <= len(content) and content[at] == 0xFF and content[at + 1] != 0xDA:
        length = 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        segments.append(content[at : at + length])
        at += length
    rest = content[at:]
    if rng.random() < 0.3:
        return b"".join(_shuffled(rng, segments)) + rest
    place = rng.randrange(1, len(segments))
    head, data = segments[place][:4], segments[place][4:]
    if rng.random() < 0.3:
        head = (
            head[:1]
            + bytes([rng.choice((0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xC4, 0xDB, 0xDD, 0xE0, 0xE1, 0xEE, 0xFE))])
            + head[2:]
        )
    data = _numbered(rng, data, (1, 2), "big") if rng.random() < 0.7 else rng.choice(RAW)(rng, data)
    if rng.random() < 0.7:
        head = head[:2] + ((len(data) + 2) % 65536).to_bytes(2, "big")
    segments[place] = head + data
    return b"".join(segments) + rest


def change_tiff(rng: Random, content: bytes) -> bytes:
    """Change tag, type, count or value of entries of the first directory, or one of the values they point to."""
    order = "little" if content[:2] == b"II" else "big"
    big = content[2:4] in (b"+\x00", b"\x00+")
    word, first, counter, size = (8, 8, 8, 20) if big else (4, 4, 2, 12)

    def read(at: int, length: int) -> int:
        return int.from_bytes(content[at : at + length], order)  # type: ignore[arg-type]

    directory = read(first, word)
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        entry = directory + counter + size * rng.randrange(max(1, read(directory, counter)))
        kind, count = read(entry + 2, 2), read(entry + 4, word)
        at, length = rng.choice(((entry, 2), (entry + 2, 2), (entry + 4, word), (entry + 4 + word, word)))
        item = _TYPES.get(kind, 1)
        if rng.random() < 0.6:  # the value itself
            inside = item * count <= word
            begin = entry + 4 + word if inside else read(entry + 4 + word, word)
            at, length = begin + item * rng.randrange(max(1, min(count, 64))), min(item, 8)
        if rng.random() < 0.04:
            at, length = rng.choice(((first, word), (directory, counter)))
        old = read(at, length)
        changed[at : at + length] = number_for(rng, length, old).to_bytes(length, order)  # type: ignore[arg-type]
    return bytes(changed)


def change_riff(rng: Random, content: bytes) -> bytes:
    """Change, repeat or leave out a chunk of a RIFF file (WebP, AVI); the size of the whole is right, mostly."""
    chunks, at = [], 12
    while at + 8 <= len(content):
        length = int.from_bytes(content[at + 4 : at + 8], "little")
        length += length & 1
        chunks.append(content[at : at + 8 + length])
        at += 8 + length
    if rng.random() < 0.3:
        chunks = _shuffled(rng, chunks)
    else:
        place = rng.randrange(len(chunks))
        head, data = chunks[place][:8], chunks[place][8:]
        how = rng.random()
        if how < 0.6:
            data = _numbered(rng, data, (1, 2, 3, 4), "little")
        elif how < 0.8:
            head = head[:4] + number_for(rng, 4, len(data)).to_bytes(4, "little")
        else:
            data = rng.choice(RAW)(rng, data)
            head = head[:4] + len(data).to_bytes(4, "little")
        chunks[place] = head + data
    body = b"".join(chunks)
    size = len(body) + 4 if rng.random() < 0.9 else number_for(rng, 4)
    return content[:4] + (size % 2**32).to_bytes(4, "little") + content[8:12] + body


def change_bmp(rng: Random, content: bytes) -> bytes:
    """Change numbers of the header."""
    for _ in range(rng.choice((1, 1, 2))):
        at = rng.choice((2, 10, 14, 18, 22, 26, 28, 30, 34, 46, 50))
        size = 2 if at in (26, 28) else 4
        number = number_for(rng, size, int.from_bytes(content[at : at + size], "little"))
        content = content[:at] + number.to_bytes(size, "little") + content[at + size :]
    return content


def change_boxes(rng: Random, content: bytes) -> bytes:
    """Change size, kind or a number of a box of an MP4 file, at any depth."""
    places: list[tuple[int, int]] = []
    _find_boxes(content, 0, len(content), places)
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 3))):
        begin, end = rng.choice(places)
        how = rng.random()
        if how < 0.15:
            changed[begin : begin + 4] = number_for(rng, 4, end - begin).to_bytes(4, "big")
        elif how < 0.25:
            other, _ = rng.choice(places)
            changed[begin + 4 : begin + 8] = content[other + 4 : other + 8]
        else:
            size = rng.choice((1, 2, 4, 4, 4, 8))
            at = begin + 8 + size * rng.randrange(max(1, min(end - begin - 8, 128) // size))
            old = int.from_bytes(content[at : at + size], "big")
            changed[at : at + size] = number_for(rng, size, old).to_bytes(size, "big")
    return bytes(changed)


_HOLDING = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"udta", b"moof", b"traf", b"mvex")


def _find_boxes(content: bytes, at: int, end: int, places: list[tuple[int, int]]) -> None:
    """Collect begin and end of all boxes."""
    while at + 8 <= end:
        size = int.from_bytes(content[at : at + 4], "big") or end - at
        if size < 8:
            return
        places.append((at, min(at + size, end)))
        if content[at + 4 : at + 8] in _HOLDING:
            _find_boxes(content, at + 8, min(at + size, end), places)
        at += size
