"""What a user calls a source or a target: a camera, an address or a file, and how FFmpeg is to open it."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from polyfuse.errors import UsageError
from polyfuse.io.source import check_exists, shown

Kind = Literal["camera", "address", "file"]

PROTOCOLS = {
    "rtsp": "rtsp,rtp,udp,tcp",
    "rtsps": "rtsps,rtsp,rtp,udp,tcp,tls",
    "http": "http,tcp",
    "https": "https,http,tls,tcp",
    "udp": "udp",
    "tcp": "tcp",
}
"""Schemes of addresses that are read, each with all that FFmpeg may open for one: never a file of this machine."""
TARGETS = {"rtsp": "rtsp", "rtsps": "rtsp", "udp": "mpegts"}
"""Schemes of addresses that are written, with FFmpeg's name of the format that is sent there."""
# Without the first MPEG-TS is looked at for five seconds before its first picture. FFmpeg's "nobuffer" is left out: it
# throws away what was looked at, with the key frame that a camera may send every ten seconds alone.
_OPENING = {"analyzeduration": "1000000"}
"""FFmpeg's options for addresses, which those of the user go over."""
_BY_SCHEME = {
    "rtsp": {"rtsp_transport": "tcp"},
    "rtsps": {"rtsp_transport": "tcp"},
    "udp": {"overrun_nonfatal": "1", "buffer_size": "1048576"},
}
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


@dataclass(frozen=True)
class SourceName:
    """A source as the user named it."""

    kind: Kind
    """What it is."""
    url: str
    """What FFmpeg opens; of a file the path."""
    shown: str
    """What messages call it: without user name, password and query, which may be secret."""
    format: str | None = None
    """FFmpeg's name of the format where it must be told."""
    options: Mapping[str, str] = field(default_factory=dict)
    """FFmpeg's options for opening it."""
    protocols: str = "file"
    """What FFmpeg may open for it."""


def scheme_of(text: str) -> str | None:
    """Scheme of an address in lower case; None if the text is none. Two letters at least: C: is a drive."""
    match = _ADDRESS.match(text)
    return None if match is None else match[1].lower()


def without_secrets(address: str) -> str:
    """An address without user name, password, query and fragment.

    >>> without_secrets("rtsp://me:secret@10.0.0.2:554/live?key=1")
    'rtsp://10.0.0.2:554/live'
    """
    parts = urlsplit(address)
    return shown(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl())


def parse_source(text: str, options: Mapping[str, str] | None = None) -> SourceName:
    """Tell what the user means by a source.

    Args:
        text: A camera's number or device, an address, or the path of a clip.
        options: FFmpeg's options for opening it, by name.

    Raises:
        UsageError: If it is empty, an address that is not read, or a camera where none can be.
        InputError: If it is a path and nothing is there.
    """
    given = dict(options or {})
    scheme = scheme_of(text)
    if not text:
        raise UsageError("a source is empty: name a camera, an address or a clip.")
    if scheme is not None:
        if scheme not in PROTOCOLS:
            known = ", ".join(f"{name}://" for name in PROTOCOLS)
            raise UsageError(f"{without_secrets(text)} is an address of a kind that is not read: use {known}.")
        opening = {**_OPENING, **_BY_SCHEME.get(scheme, {}), **given}
        url = f"{scheme}{text[len(scheme) :]}"
        return SourceName("address", url, without_secrets(text), None, opening, PROTOCOLS[scheme])
    device = f"/dev/video{int(text)}" if re.fullmatch(r"[0-9]{1,3}", text) else text
    if device != text or _is_device(device):
        if not sys.platform.startswith("linux"):
            raise UsageError(f"camera {shown(text)}: cameras are read on Linux alone, give an address or a clip.")
        # A device that is not there is told when it is opened, with the number that was given.
        name = shown(text) if device == text else f"camera {int(text)} ({device})"
        return SourceName("camera", device, name, "v4l2", given)
    check_exists(text)
    if given:
        raise UsageError(f"{shown(text)} is a file, which is opened without options: drop them.")
    return SourceName("file", text, shown(text))


def _is_device(text: str) -> bool:
    """Whether a path is, or by its name would be, a camera."""
    if re.fullmatch(r"/dev/video[0-9]+", text):
        return True
    try:
        return stat.S_ISCHR(os.stat(text).st_mode)
    except (OSError, ValueError):
        return False


def check_target(text: str) -> str | None:
    """Scheme of an address to send to; None if the text is a path.

    Raises:
        UsageError: If nothing is sent to such addresses.
    """
    scheme = scheme_of(text)
    if scheme is not None and scheme not in TARGETS:
        known = ", ".join(f"{name}://" for name in TARGETS)
        raise UsageError(f"nothing is sent to {without_secrets(text)}: use {known} or a file.")
    return scheme


def file_of(name: SourceName) -> Path | None:
    """The file that a source is read from; None for cameras and addresses."""
    return Path(name.url) if name.kind == "file" else None
