"""PyAV, which comes with an extra, and its errors as ours."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from polyfuse.errors import DependencyError, InputError, PolyfuseError
from polyfuse.io.source import reason, shown

CONVERSION = 0x2 | 0x2000 | 0x40000
"""Flags of FFmpeg's scaler: bilinear, chroma at every pixel, accurate rounding. Without the latter two a colour read
from 4:2:0 is up to two levels too dark."""


FORMATS = "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,ivf,nut,mxf,gif,h264,hevc,obu,m4v,mjpeg,dv"
"""FFmpeg's names of the formats that are read. It knows others that name further files, and would open those."""


def load_av() -> Any:
    """The module `av`.

    Raises:
        DependencyError: If it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise DependencyError('clips need PyAV: pip install "polyfuse[video]".') from error
    logging.getLogger("libav").setLevel(logging.CRITICAL)  # FFmpeg's own words, where a program has them captured
    return av


@contextmanager
def reading(path: Path, where: str = "") -> Iterator[None]:
    """Turn what FFmpeg raises on a clip into one InputError that names it.

    Args:
        path: The clip.
        where: How far it was read, for the message.
    """
    av = load_av()
    try:
        yield
    except PolyfuseError:
        raise
    except av.FFmpegError as error:
        raise InputError(
            f"{shown(path)} cannot be decoded{where} ({reason(error)}): the clip is damaged, get it again"
        ) from error
