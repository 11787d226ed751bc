"""What stands in an ONNX file is read from its bytes, and everything else is refused in one line."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyfuse.engines.onnx_file import facts_of, read_onnx
from polyfuse.errors import InputError


def field(number: int, kind: int, content: bytes) -> bytes:
    """A field of a message; content longer than 127 bytes is not needed here."""
    head = bytes([number << 3 | kind])
    return head + (bytes([len(content)]) if kind == 2 else b"") + content


def entry(key: bytes, value: bytes) -> bytes:
    """A pair of texts among the metadata."""
    return field(14, 2, field(1, 2, key) + field(2, 2, value))


OPSET = field(8, 2, field(1, 2, b"") + field(2, 0, bytes([18])))


def test_opset_and_metadata_are_read() -> None:
    foreign = field(8, 2, field(1, 2, b"com.example") + field(2, 0, bytes([3])))
    data = field(1, 0, bytes([9])) + foreign + OPSET + field(7, 2, b"a graph") + entry(b"polyfuse", b"{}")
    facts = facts_of(data)
    assert facts.opset == 18
    assert facts.metadata == {"polyfuse": "{}"}


def test_numbers_of_several_bytes_are_read() -> None:
    long = b"x" * 300
    data = OPSET + bytes([7 << 3 | 2, 0xAC, 0x02]) + long + field(3, 5, b"abcd") + field(4, 1, b"abcdefgh")
    assert facts_of(data).opset == 18


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no model at all",
        field(7, 2, b"a graph and no opset"),
        OPSET[:-1],
        OPSET + bytes([7 << 3 | 2, 100]) + b"cut off",
        OPSET + b"\x00\x01",
        OPSET + bytes([5 << 3 | 3]),
        OPSET + bytes([5 << 3]) + b"\xff" * 11,
        OPSET + field(14, 2, field(1, 2, b"\xff\xfe") + field(2, 2, b"{}")),
    ],
)
def test_other_files_are_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    with pytest.raises(InputError, match="no ONNX model: pass a file of"):
        read_onnx(path)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(ValueError, IndexError):
        assert facts_of(data).opset > 0
