"""What stands in an ONNX file besides its graph, read without a package that knows the format.

An ONNX file is one protocol-buffers message (ModelProto). Of its fields, `opset_import` (8) and `metadata_props` (14)
are read here and all others skipped: a file of any size is looked at in a moment, whichever engine is installed.

Source: onnx.proto3 of the ONNX project, and the encoding of protocol buffers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from polyfuse.errors import InputError
from polyfuse.io.source import read_bytes_of, shown

MAX_BYTES = 1 << 31
"""Largest file that is read: ONNX allows no larger one without a second file beside it."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_OPSET_IMPORT, _METADATA_PROPS = 8, 14
_LONGEST_NUMBER = 10  # bytes of a 64-bit number


@dataclass(frozen=True)
class OnnxFacts:
    """What an ONNX file says of itself."""

    opset: int
    """Version of the standard operators; 0 where none is named."""
    metadata: dict[str, str]
    """Texts by key."""


def read_onnx(path: Path) -> tuple[bytes, OnnxFacts]:
    """Content and facts of an ONNX file.

    Raises:
        InputError: If the file is missing, too large, or no ONNX model.
    """
    data = read_bytes_of(path, MAX_BYTES)
    try:
        return data, facts_of(data)
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise InputError(f"{shown(path)} is no ONNX model: pass a file of `polyfuse models export onnx`.") from error


def facts_of(data: bytes) -> OnnxFacts:
    """Facts of a serialised model.

    Raises:
        ValueError: If it is none.
        IndexError: If it is cut off.
        UnicodeDecodeError: If a text in it is none.
    """
    opset, metadata = 0, {}
    for number, value in _fields(data):
        if number == _OPSET_IMPORT and isinstance(value, bytes):
            parts = dict(_fields(value))
            if parts.get(1, b"") in (b"", b"ai.onnx"):  # the domain of standard operators has no name
                version = parts.get(2, 0)
                opset = version if isinstance(version, int) else 0
        elif number == _METADATA_PROPS and isinstance(value, bytes):
            key, text = (dict(_fields(value)).get(part, b"") for part in (1, 2))
            if isinstance(key, bytes) and isinstance(text, bytes):
                metadata[key.decode()] = text.decode()
    if opset == 0:
        raise ValueError("no opset is imported")
    return OnnxFacts(opset, metadata)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field of a message, in the order of the file."""
    at = 0
    while at < len(data):
        key, at = _number(data, at)
        field, kind = key >> 3, key & 7
        if field == 0:
            raise ValueError("a field has the number 0")
        if kind == _VARINT:
            value, at = _number(data, at)
            yield field, value
            continue
        if kind == _BYTES:
            length, at = _number(data, at)
        elif kind in (_FIXED32, _FIXED64):
            length = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"fields of kind {kind} do not occur")
        if at + length > len(data):
            raise ValueError("a field is cut off")
        yield field, data[at : at + length]
        at += length


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number of variable length, and where the next byte is."""
    value = 0
    for index in range(_LONGEST_NUMBER):
        byte = data[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, at + index + 1
    raise ValueError("a number has too many bytes")
