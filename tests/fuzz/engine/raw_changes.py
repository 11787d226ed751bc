"""Changes of bytes that know nothing of what the bytes mean."""

from __future__ import annotations

from random import Random

INTEGERS = (0, 1, 2, 3, 4, 7, 8, 16, 127, 128, 255, 256, 4095, 4096, 2**15 - 1, 2**15, 2**16 - 1, 2**16, 2**24, 2**27)
WIDE = (2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1)


def number_for(rng: Random, size: int, old: int = 0) -> int:
    """A number that is often taken for granted, of at most `size` bytes; or one near the old."""
    kind = rng.random()
    if kind < 0.3:
        return (old + rng.choice((-16, -8, -2, -1, 1, 2, 8, 16, old))) % 256**size
    return rng.choice((*INTEGERS, *WIDE)) % 256**size if kind < 0.9 else rng.randrange(256**size)


def place_in(rng: Random, content: bytes) -> int:
    """A place, half of the time in the first kilobyte, where headers are."""
    if not content:
        return 0
    return rng.randrange(min(len(content), 1024) if rng.random() < 0.5 else len(content))


def flip(rng: Random, content: bytes) -> bytes:
    """Change a bit, or some bytes."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        if changed:
            at = place_in(rng, content)
            changed[at] = changed[at] ^ (1 << rng.randrange(8)) if rng.random() < 0.5 else rng.randrange(256)
    return bytes(changed)


def cut(rng: Random, content: bytes) -> bytes:
    """End early, or begin late."""
    at = rng.randrange(len(content) + 1)
    return content[:at] if rng.random() < 0.8 else content[at:]


def insert(rng: Random, content: bytes) -> bytes:
    """Put some bytes in between, or a great many of one value."""
    at, count = place_in(rng, content), rng.choice((1, 2, 4, 64, 5000))
    return (
        content[:at]
        + (rng.randbytes(count) if rng.random() < 0.5 else bytes([rng.randrange(256)]) * count)
        + content[at:]
    )


def repeat(rng: Random, content: bytes) -> bytes:
    """Have a stretch twice or many times, or leave it out, or move it."""
    begin = place_in(rng, content)
    end = begin + rng.choice((1, 4, 16, 256, len(content)))
    stretch, other = content[begin:end], place_in(rng, content)
    how = rng.randrange(4)
    if how == 0:
        return content[:begin] + content[end:]
    if how == 1:
        return content[:other] + stretch + content[other:]
    return content[:end] + stretch * (1 if how == 2 else rng.choice((2, 50))) + content[end:]


def set_number(rng: Random, content: bytes) -> bytes:
    """Replace 1, 2, 4 or 8 bytes by a number that is often taken for granted."""
    size, at = rng.choice((1, 2, 2, 4, 4, 8)), place_in(rng, content)
    order = rng.choice(("big", "little"))
    old = int.from_bytes(content[at : at + size], order)  # type: ignore[arg-type]
    number = number_for(rng, size, old).to_bytes(size, order)  # type: ignore[arg-type]
    return content[:at] + number + content[at + size :]


RAW = (flip, flip, cut, insert, repeat, set_number, set_number)


def splice(rng: Random, content: bytes, other: bytes) -> bytes:
    """The beginning of one file and the end of another, or one of the other's stretches in the middle."""
    if rng.random() < 0.5:
        return content[: rng.randrange(len(content) + 1)] + other[rng.randrange(len(other) + 1) :]
    begin, at = rng.randrange(len(other) + 1), rng.randrange(len(content) + 1)
    stretch = other[begin : begin + rng.choice((8, 64, 1024))]
    return content[:at] + stretch + content[at + (len(stretch) if rng.random() < 0.5 else 0) :]
