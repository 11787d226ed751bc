"""EXIF that goes from a source into the result: when, where and with what it was taken; never maker's notes."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image

_ORIENTATION, _EXIF_IFD, _GPS_IFD = 0x0112, 0x8769, 0x8825
_KEPT = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)
"""Description, maker, model, software, time, artist, copyright."""
_KEPT_IN_EXIF = (0x9003, 0x9004, 0x9010, 0x9011, 0x9012, 0x9290, 0x9291, 0x9292, 0x920A, 0xA433, 0xA434)
"""Times with zones and fractions, focal length, maker and model of the lens."""
_MAX_BYTES = 8192
_LOCK = threading.Lock()
"""Filters of warnings belong to the whole process, and files are read in threads."""


def carried(exif: bytes) -> bytes | None:
    """The part of an EXIF block that still holds of a fused picture, which is upright; None if there is nothing.

    Args:
        exif: A TIFF structure, which may be damaged.
    """
    try:
        with _quietly():
            block = _kept_of(exif)
    except Exception:  # on damaged blocks Pillow raises nearly anything; the picture is worth more than its EXIF
        return None
    return block if block is not None and len(block) <= _MAX_BYTES else None


def facts(exif: bytes) -> dict[str, Any]:
    """Maker, model, time and whether there is a position, for people; what is not there is left out."""
    try:
        with _quietly():
            source = _parsed(exif)
            inner = source.get_ifd(_EXIF_IFD)
            told = {"maker": source.get(0x010F), "model": source.get(0x0110), "taken": inner.get(0x9003)}
            words = {name: _cleaned(str(value)) for name, value in told.items() if value is not None}
            return {**{name: word for name, word in words.items() if word}, "position": 2 in source.get_ifd(_GPS_IFD)}
    except Exception:  # as above
        return {}


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep back Pillow's warnings of damage, which come before our one line."""
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _parsed(exif: bytes) -> Image.Exif:
    """An EXIF block, of which Pillow decodes values when they are asked for."""
    parsed = Image.Exif()
    parsed.load(b"Exif\x00\x00" + exif)
    return parsed


def _kept_of(exif: bytes) -> bytes | None:
    """What `carried` gives, of any length."""
    source, kept = _parsed(exif), Image.Exif()
    for tag in _KEPT:
        if tag in source and _is_plain(source[tag]) and (value := _cleaned(source[tag])) != "":
            kept[tag] = value
    for place, tags in ((_EXIF_IFD, _KEPT_IN_EXIF), (_GPS_IFD, None)):
        chosen = {
            tag: _cleaned(value)
            for tag, value in source.get_ifd(place).items()
            if (tags is None or tag in tags) and _is_plain(value) and _cleaned(value) != ""
        }
        if chosen:
            kept.get_ifd(place).update(chosen)
            kept[place] = kept.get_ifd(place)
    if not len(kept):
        return None
    kept[_ORIENTATION] = 1
    return kept.tobytes()


def _cleaned(value: Any) -> Any:
    """Text without what follows its end, and without the stars that some cameras write for nothing."""
    return value.split("\x00")[0].strip(" *") if isinstance(value, str) else value


def _is_plain(value: Any) -> bool:
    """Whether a value is no long block of bytes."""
    return not isinstance(value, bytes | str) or len(value) <= 256
